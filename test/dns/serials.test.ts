import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SerialTable, SerialWriter, serialAfter } from '../../src/dns/serials.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { parseAddress } from '../../src/net/ip.ts';
import { buildQuery, readMessage } from '../support/dns-query.ts';
import { zoneConfig } from '../support/dns-zone.ts';
import { NOW_MS, stage, transferConfig } from '../support/transfer.ts';

const EPOCH_MS = Date.UTC(2026, 0, 1);
const OFFSET = (NOW_MS - EPOCH_MS) / 1000;

test('serials are compared by RFC 1982', () => {
  assert.ok(serialAfter(8, 7));
  assert.ok(!serialAfter(7, 7));
  assert.ok(!serialAfter(7, 8));
  assert.ok(serialAfter(5, 0xfffffff0));
  assert.ok(!serialAfter(0xfffffff0, 5));
});

describe('the serial above the one in the file', () => {
  test('is the time since 2026, for zones that have health-aware names and are copied', () => {
    const serials = new SerialWriter(transferConfig(), NOW_MS);
    assert.equal(serials.served(0, 7), 7 + OFFSET);
    assert.equal(serials.served(1, 7), 7, 'nobody copies it');
    assert.equal(serials.shared, serials.buffer);
    const plain = transferConfig({}, zoneConfig({ services: [] }));
    const none = new SerialWriter(plain, NOW_MS);
    assert.equal(none.served(0, 7), 7, 'only its file changes it');
    assert.equal(none.shared, null);
  });

  test('rises to the time of each change, and by one at least when the clock does not', () => {
    const serials = new SerialWriter(transferConfig(), NOW_MS);
    const reader = new SerialTable(serials.buffer);
    serials.rise(0, NOW_MS + 90_000);
    assert.equal(reader.offset(0), OFFSET + 90);
    serials.rise(0, NOW_MS + 90_500);
    assert.equal(reader.offset(0), OFFSET + 91);
    serials.rise(0, EPOCH_MS - 1);
    assert.equal(reader.offset(0), OFFSET + 92);
  });

  test('goes round the end of the numbers', () => {
    const serials = new SerialWriter(transferConfig(), NOW_MS);
    const served = serials.served(0, 0xffffffff);
    assert.equal(served, OFFSET - 1);
    assert.ok(serialAfter(served, 0xffffffff));
  });

  test('is kept over a reload, by the name of the zone, and later after a restart', () => {
    const config = transferConfig();
    const before = new SerialWriter(config, NOW_MS);
    before.rise(0, NOW_MS + 5_000);
    const turned = { ...config, zones: [config.zones[1]!, config.zones[0]!] };
    const after = new SerialWriter(turned, NOW_MS + 60_000);
    after.carry(before);
    assert.deepEqual([after.offset(0), after.offset(1)], [0, OFFSET + 5]);
    assert.equal(new SerialWriter(config, NOW_MS + 60_000).offset(0), OFFSET + 60);
  });
});

describe('every SOA that is served has it', () => {
  const made = stage(transferConfig());
  const ask = (name: string, type: number) => {
    const answer = made.respond(buildQuery({ name, type }), parseAddress('192.0.2.1')!)!;
    return readMessage(answer);
  };
  const serial = (text: string | undefined): number => Number(text?.split(' ')[2]);

  test('in answers, in NXDOMAIN and in NODATA; with all else of the SOA as it was', () => {
    const positive = ask('example.com', TYPE.SOA).answers[0];
    const nodata = ask('mail.example.com', TYPE.TXT).authority[0];
    const nxdomain = ask('missing.example.com', TYPE.A).authority[0];
    for (const soa of [positive, nodata, nxdomain]) {
      assert.equal(serial(soa?.text), 7 + OFFSET);
      assert.match(soa!.text, /^ns1\.example\.com\. hostmaster\.example\.com\. \d+ 60$/);
    }
  });

  test('at once after it rose, with carries between its octets', () => {
    for (const offset of [0x1ffff, 0xfffffff8, 0xffff]) {
      new Uint32Array(made.serials.buffer)[0] = offset;
      assert.equal(serial(ask('example.com', TYPE.SOA).answers[0]?.text), (7 + offset) >>> 0);
    }
  });

  test('a zone beside it that has none is served as its file says', () => {
    assert.equal(serial(ask('sub.example.com', TYPE.SOA).answers[0]?.text), 7);
    assert.equal(serial(ask('missing.sub.example.com', TYPE.A).authority[0]?.text), 7);
  });
});
