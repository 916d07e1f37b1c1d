/** The load meter of a site, from files that have no problems. */
import type { LoadMeterConfig } from '../model/load.ts';
import { resolvePath } from './files.ts';
import type { LoadEntry } from './schema-load.ts';

/** `dir`: absolute path of the deployment's directory. */
export function buildLoad(load: LoadEntry | undefined, dir: string): LoadMeterConfig | null {
  if (!load) return null;
  const timing = { interval_ms: load.interval, smoothing_ms: load.smoothing };
  if (load.kind === 'file') {
    const { kind, path, stale } = load;
    return { kind, path: resolvePath(dir, path), stale_ms: stale, ...timing };
  }
  const { kind, url, field, timeout } = load;
  return { kind, url, field, timeout_ms: timeout, ...timing };
}
