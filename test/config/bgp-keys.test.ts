/** The files that BGP and BFD keys are in. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { bgpKeyFiles, readBgpKeys } from '../../src/config/bgp-keys.ts';
import type { BfdAuth, BfdSettings } from '../../src/model/bgp.ts';
import { bgpSite, neighbor } from '../support/bgp.ts';

const dir = mkdtempSync(join(tmpdir(), 'isobar-keys-'));
after(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const at = { address: '192.0.2.1', port: 179 };
const withMd5 = (md5_key_file: string) => neighbor(at, { md5_key_file });

function withBfd(kind: BfdAuth['kind'], key_file: string) {
  const auth = { kind, key_id: 1, key_file };
  const times = { transmit_ms: 100, receive_ms: 100, multiplier: 3 };
  const bfd: BfdSettings = { multihop: false, ...times, auth, strict: false };
  return neighbor(at, { bfd });
}

test('each file is read once, without the line end', async () => {
  const shared = file('shared', 'two of us\n');
  const own = file('own', 'key of BFD');
  const site = bgpSite([withMd5(shared), withMd5(shared), withBfd('sha1', own), neighbor(at)]);
  assert.deepEqual(bgpKeyFiles(site), [shared, own]);
  const read = await readBgpKeys(site);
  assert.ok(read.ok);
  assert.equal(Buffer.from(read.value.keys.get(shared)!).toString(), 'two of us');
  assert.equal(Buffer.from(read.value.keys.get(own)!).toString(), 'key of BFD');
  assert.deepEqual(read.value.warnings, []);
});

test('every bad file is told of, never what is in it', async () => {
  const empty = file('empty', '\n');
  const lines = file('lines', 'hidden\nhidden');
  const long = file('long', 'h'.repeat(81));
  const missing = join(dir, 'missing');
  const read = await readBgpKeys(bgpSite([empty, lines, long, missing].map(withMd5)));
  assert.ok(!read.ok);
  assert.deepEqual(read.error.split('\n'), [
    `${empty}: empty: write the secret into it`,
    `${lines}: more than one line: write the secret alone into it`,
    `${long}: 81 octets: a key of TCP MD5 has 80 at most`,
    `${missing}: there is no such file: create it, or mend the path`,
  ]);
});

test('a key of BFD has no more octets than its packet has room for', async () => {
  const path = file('twenty', 'k'.repeat(20));
  assert.ok((await readBgpKeys(bgpSite([withBfd('sha1', path)]))).ok);
  for (const kind of ['simple', 'md5', 'meticulous-md5'] as const) {
    const read = await readBgpKeys(bgpSite([withMd5(path), withBfd(kind, path)]));
    assert.ok(!read.ok);
    assert.equal(read.error, `${path}: 20 octets: a key of BFD ${kind} has 16 at most`);
  }
});

test('a file that everyone can read is a warning', async () => {
  const path = file('open', 'secret', 0o644);
  const read = await readBgpKeys(bgpSite([withMd5(path)]));
  assert.ok(read.ok);
  const text = `${path}: every user of this machine can read the key: chmod o-r it`;
  assert.deepEqual(read.value.warnings, [text]);
});
