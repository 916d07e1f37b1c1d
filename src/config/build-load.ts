/** The load meters of a site, from files that have no problems. */
import type { LoadMeterConfig, LoadSource } from '../model/load.ts';
import { resolvePath } from './files.ts';
import { type LoadEntry, type MeterEntry, metersIn } from './schema-load.ts';

/** `dir`: absolute path of the deployment's directory. `capacity`: of the site. */
export function buildLoad(
  load: LoadEntry | undefined,
  capacity: number,
  dir: string,
): readonly LoadMeterConfig[] | null {
  if (!load) return null;
  return metersIn(load).map(({ meter }) => ({
    ...buildSource(meter, dir),
    interval_ms: meter.interval,
    smoothing_ms: meter.smoothing,
    capacity: meter.capacity ?? capacity,
  }));
}

function buildSource(load: MeterEntry, dir: string): LoadSource {
  switch (load.kind) {
    case 'haproxy': {
      const { kind, socket, url, proxies, rows, servers, field, timeout } = load;
      // The schema lets one of both through.
      const from = socket === undefined ? { url: url! } : { socket: resolvePath(dir, socket) };
      return { kind, from, proxies, rows, servers: servers ?? ['*'], field, timeout_ms: timeout };
    }
    case 'nginx': {
      const { kind, url, measure, timeout } = load;
      return { kind, url, measure, timeout_ms: timeout };
    }
    case 'ipvs': {
      const { kind, measure, services, proc } = load;
      return { kind, measure, services, proc: resolvePath(dir, proc) };
    }
    case 'prometheus': {
      const { kind, url, expression, timeout } = load;
      return { kind, url, expression, timeout_ms: timeout };
    }
    case 'json': {
      const { kind, url, field, timeout } = load;
      return { kind, url, field, timeout_ms: timeout };
    }
    case 'file': {
      const { kind, path, stale } = load;
      return { kind, path: resolvePath(dir, path), stale_ms: stale };
    }
    case 'linux': {
      const { kind, measure, proc } = load;
      return { kind, measure, proc: resolvePath(dir, proc) };
    }
    case 'command': {
      const { kind, command, timeout } = load;
      return { kind, argv: command, timeout_ms: timeout };
    }
  }
}
