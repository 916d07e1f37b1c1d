/**
 * What a configuration names outside its own files, read whole: the geo map and the secrets. Each
 * part is made anew only when its files, or what the configuration says of it, have changed; what
 * could not be read never replaces what could.
 */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { type BgpKeyFiles, bgpKeyFiles, readBgpKeys } from '../config/bgp-keys.ts';
import { parseCookieSecrets } from '../config/cookie-secrets.ts';
import { readText } from '../config/files.ts';
import { SECRET_BYTES_MAX } from '../config/limits.ts';
import { readTsigKey } from '../config/tsig-keys.ts';
import type { TsigSecret } from '../dns/transfer/signing.ts';
import type { GeoMap } from '../geo/map.ts';
import type { Config, Site } from '../model/config.ts';
import { CommandError } from './command-error.ts';
import { geoOf, siteOf } from './config-dir.ts';

/** RFC 9018 §4.4: the key of SipHash. */
const COOKIE_SECRET_OCTETS = 16;

interface Part<Value> {
  /** What the configuration says of it, and the state of the files that it names. */
  readonly said: unknown;
  readonly states: string;
  readonly value: Value;
}

export interface MachineFiles {
  readonly geo: Part<GeoMap>;
  readonly cookies: Part<readonly Uint8Array[]>;
  readonly keys: Part<readonly TsigSecret[]>;
  readonly bgp: Part<BgpKeyFiles>;
}

async function stateOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${path} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return `${path} missing`;
  }
}

/** `before` if the same would be made again. */
async function partOf<Value>(
  before: Part<Value> | undefined,
  said: unknown,
  paths: readonly string[],
  make: () => Promise<Value>,
): Promise<Part<Value>> {
  // Before the files are read: what is written meanwhile is seen as a change the next time.
  const states = (await Promise.all(paths.map(stateOf))).join('\n');
  const same = before?.states === states && isDeepStrictEqual(before.said, said);
  return same ? before : { said, states, value: await make() };
}

async function keysOf({ tsig_keys }: Config): Promise<readonly TsigSecret[]> {
  const keys = await Promise.all(tsig_keys.map(readTsigKey));
  const errors = keys.flatMap((key) => (key.ok ? [] : [key.error]));
  if (errors.length > 0) throw new CommandError(errors.join('\n'));
  return keys.flatMap((key) => (key.ok ? [key.value] : []));
}

async function bgpKeysOf({ bgp }: Site): Promise<BgpKeyFiles> {
  const read = bgp && (await readBgpKeys(bgp));
  if (!read) return { keys: new Map(), warnings: [] };
  if (!read.ok) throw new CommandError(read.error);
  return read.value;
}

/** What the configuration says of the speaker's keys: which there are, and what each is for. */
function bgpKeysSaid({ bgp }: Site): unknown {
  const all = bgp ? [...bgp.neighbors, ...bgp.ranges] : [];
  return all.map(({ md5_key_file, bfd }) => [md5_key_file, bfd?.auth ?? null]);
}

/** Without a file: a secret that no other server has, for as long as the process lives. */
async function cookiesOf(path: string | null): Promise<readonly Uint8Array[]> {
  if (path === null) return [randomBytes(COOKIE_SECRET_OCTETS)];
  const text = await readText(path, SECRET_BYTES_MAX);
  const secrets = text.ok ? parseCookieSecrets(text.value) : text;
  if (!secrets.ok) throw new CommandError(`${path}: ${secrets.error}`);
  return secrets.value;
}

/** Those of one site. Throws a CommandError with a line for each file that is not good. */
export async function readMachineFiles(
  config: Config,
  site: string,
  before?: MachineFiles,
): Promise<MachineFiles> {
  const { geo, regions, tsig_keys } = config;
  const mmdb = geo.mmdb === null ? [] : [geo.mmdb];
  const own = siteOf(config, site);
  const { secret_file } = own.dns.cookies;
  const cookies = secret_file === null ? [] : [secret_file];
  const secrets = tsig_keys.map(({ secret_file }) => secret_file);
  const parts = [
    partOf(before?.geo, [geo, regions], mmdb, () => geoOf(config)),
    partOf(before?.cookies, secret_file, cookies, () => cookiesOf(secret_file)),
    partOf(before?.keys, tsig_keys, secrets, () => keysOf(config)),
    partOf(before?.bgp, bgpKeysSaid(own), own.bgp ? bgpKeyFiles(own.bgp) : [], () =>
      bgpKeysOf(own),
    ),
  ] as const;
  const failed = (await Promise.allSettled(parts)).flatMap((part) =>
    part.status === 'rejected' ? [(part.reason as Error).message] : [],
  );
  if (failed.length > 0) throw new CommandError(failed.join('\n'));
  const [geoMap, cookieSecrets, keys, bgp] = parts;
  return { geo: await geoMap, cookies: await cookieSecrets, keys: await keys, bgp: await bgp };
}

/** Which of the parts are not the same, in words. */
export function machineChanges(before: MachineFiles, after: MachineFiles): string[] {
  const changes: string[] = [];
  if (before.geo.value !== after.geo.value) changes.push('geo map: made anew');
  if (before.cookies.value !== after.cookies.value) changes.push('cookie secrets: read anew');
  if (before.keys.value !== after.keys.value) changes.push('secrets of TSIG keys: read anew');
  if (before.bgp.value !== after.bgp.value) changes.push('keys of BGP neighbours: read anew');
  return changes;
}
