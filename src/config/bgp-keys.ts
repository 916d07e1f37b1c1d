/**
 * The keys of a site's BGP neighbours and of their BFD sessions, from the files that the
 * configuration names. No error and no warning tells what is in one.
 */
import { stat } from 'node:fs/promises';
import { err, ok, type Result } from '../base/result.ts';
import type { BgpKeys } from '../bgp/ports.ts';
import type { BfdAuth, BgpSite } from '../model/bgp.ts';
import { MD5_KEY_OCTETS_MAX } from '../net/tcp-options.ts';
import { readSecret } from './load.ts';

export interface BgpKeyFiles {
  readonly keys: BgpKeys;
  /** A line for each file that should be mended and still is used. */
  readonly warnings: readonly string[];
}

/** RFC 5880 §4.2–4.4: the octets that the authentication section has room for. */
const BFD_OCTETS_MAX: Readonly<Record<BfdAuth['kind'], number>> = {
  simple: 16,
  md5: 16,
  'meticulous-md5': 16,
  sha1: 20,
  'meticulous-sha1': 20,
};

interface KeyUse {
  readonly what: string;
  readonly octets_max: number;
}

/** The files that keys are in, each once. */
export function bgpKeyFiles(site: BgpSite): string[] {
  return [...usesOf(site).keys()];
}

/** All of the site's keys by file; the error has a line, beginning with the file, for each bad one. */
export async function readBgpKeys(site: BgpSite): Promise<Result<BgpKeyFiles, string>> {
  const keys = new Map<string, Uint8Array>();
  const warnings: string[] = [];
  const errors: string[] = [];
  for (const [file, use] of usesOf(site)) {
    const key = await readKey(file, use);
    if (key.ok) keys.set(file, key.value);
    else errors.push(`${file}: ${key.error}`);
    if (key.ok && (await isForAll(file))) {
      warnings.push(`${file}: every user of this machine can read the key: chmod o-r it`);
    }
  }
  return errors.length > 0 ? err(errors.join('\n')) : ok({ keys, warnings });
}

/** What each file is for; of several uses the one with the least room. */
function usesOf({ neighbors, ranges }: BgpSite): Map<string, KeyUse> {
  const uses = new Map<string, KeyUse>();
  const use = (file: string | null | undefined, what: string, octets_max: number): void => {
    if (file === null || file === undefined) return;
    const other = uses.get(file);
    if (!other || octets_max < other.octets_max) uses.set(file, { what, octets_max });
  };
  for (const { md5_key_file, bfd } of [...neighbors, ...ranges]) {
    use(md5_key_file, 'TCP MD5', MD5_KEY_OCTETS_MAX);
    const auth = bfd?.auth;
    if (auth) use(auth.key_file, `BFD ${auth.kind}`, BFD_OCTETS_MAX[auth.kind]);
  }
  return uses;
}

async function readKey(file: string, use: KeyUse): Promise<Result<Uint8Array, string>> {
  const text = await readSecret(file);
  if (!text.ok) return text;
  const key = new TextEncoder().encode(text.value);
  if (key.length <= use.octets_max) return ok(key);
  return err(`${key.length} octets: a key of ${use.what} has ${use.octets_max} at most`);
}

async function isForAll(file: string): Promise<boolean> {
  return ((await stat(file)).mode & 0o004) !== 0;
}
