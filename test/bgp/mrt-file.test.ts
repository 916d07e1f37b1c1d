import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { MrtFile } from '../../src/bgp/mrt-file.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { parseAddress } from '../../src/net/ip.ts';

const session = {
  peer_address: parseAddress('192.0.2.1')!,
  local_address: parseAddress('192.0.2.2')!,
  peer_as: 65001,
  local_as: 65000,
};
const bytes = Uint8Array.from([...new Array(16).fill(0xff), 0, 19, 4]);
const keepalive = { bytes, sent: true, context: DEFAULT_CONTEXT };
const RECORD_BYTES = 12 + 4 + 20 + bytes.length;

let folder = '';
const clock = new VirtualClock();
const warnings: string[] = [];
const log: Log = { ...silentLog, warn: (_fields, text) => warnings.push(text) };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'isobar-mrt-'));
  warnings.length = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

function mrt(name: string, bytes_max: number): MrtFile {
  const dump = new MrtFile({ clock, log });
  dump.use({ file: join(folder, name), bytes_max });
  return dump;
}

test('records stand in the file in their order, and a restart goes on behind them', async () => {
  for (let run = 0; run < 2; run++) {
    const dump = mrt('all.mrt', 1_000_000);
    dump.state(session, 'OpenConfirm', 'Established');
    dump.message(session, keepalive, clock.now());
    await dump.close();
    dump.message(session, keepalive, clock.now());
  }
  const written = readFileSync(join(folder, 'all.mrt'));
  const subtypes: number[] = [];
  for (let at = 0; at < written.length; at += 12 + written.readUInt32BE(at + 8)) {
    subtypes.push(written.readUInt16BE(at + 6));
  }
  assert.deepEqual(subtypes, [5, 7, 5, 7]);
  assert.equal(statSync(join(folder, 'all.mrt')).mode & 0o777, 0o640);
});

test('a message is dated when it was read, not when it is written', async () => {
  const dump = mrt('time.mrt', 1_000_000);
  const at_ms = clock.now();
  const wall = clock.wall();
  clock.advance(2_500);
  dump.message(session, keepalive, at_ms);
  await dump.close();
  const written = readFileSync(join(folder, 'time.mrt'));
  assert.equal(written.readUInt32BE(0), Math.floor(wall / 1000));
});

test('the file never grows beyond its limit; one older file is kept', async () => {
  const limit = 5 * RECORD_BYTES + 10;
  const dump = mrt('small.mrt', limit);
  for (let i = 0; i < 40; i++) {
    dump.message(session, keepalive, clock.now());
    if (i % 3 === 0) await dump.flush();
    assert.ok(dump.dropped === 0);
  }
  await dump.close();
  for (const name of ['small.mrt', 'small.mrt.1']) {
    const { size } = statSync(join(folder, name));
    assert.ok(size > 0 && size <= limit && size % RECORD_BYTES === 0, `${name}: ${size}`);
  }
});

test('what cannot be written is dropped, said once, and tried again later', async () => {
  const dump = mrt('missing/dump.mrt', 1_000_000);
  for (let i = 0; i < 5; i++) {
    dump.message(session, keepalive, clock.now());
    await dump.flush();
    if (i === 2) clock.advance(20_000);
  }
  assert.deepEqual(warnings, ['the MRT dump cannot be written']);
  assert.equal(dump.dropped, 5);
  await dump.close();
  assert.equal(warnings.length, 2); // how many are missing
});

test('a disk that is too slow costs records, not memory', async () => {
  const dump = mrt('flood.mrt', 100_000_000);
  const long = { ...keepalive, bytes: new Uint8Array(60_000) };
  for (let i = 0; i < 200; i++) dump.message(session, long, clock.now());
  assert.ok(dump.dropped >= 60, `${dump.dropped}`);
  await dump.close();
  const kept = statSync(join(folder, 'flood.mrt')).size / (60_000 + 36);
  assert.equal(kept + dump.dropped, 200);
});

test('a reload moves the dump to another file, or ends it', async () => {
  const dump = mrt('first.mrt', 1_000_000);
  const say = async (): Promise<void> => {
    dump.message(session, keepalive, clock.now());
    await dump.flush();
  };
  await say();
  dump.use({ file: join(folder, 'second.mrt'), bytes_max: 1_000_000 });
  await say();
  await say();
  dump.use(null);
  await say();
  await dump.close();
  assert.equal(statSync(join(folder, 'first.mrt')).size, RECORD_BYTES);
  assert.equal(statSync(join(folder, 'second.mrt')).size, 2 * RECORD_BYTES);
  assert.equal(dump.dropped, 0);
});
