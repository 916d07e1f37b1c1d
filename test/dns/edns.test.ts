import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSPORT } from '../../src/dns/respond.ts';
import { wireName } from '../../src/dns/wire/name.ts';
import { record, withZones } from '../support/config.ts';
import { optRecord, subnetOption } from '../support/dns-query.ts';
import { openDoor, zoneConfig } from '../support/dns-zone.ts';

const A = 1;
const { ask } = openDoor();
const big = 'big.example.com';

test('OPT is answered with OPT: our payload size, version 0, DO as the client set it', () => {
  const plain = ask('ns1.example.com', A, { edns: {} });
  assert.equal(plain.opt!.class, 1232);
  assert.equal(plain.opt!.ttl, 0);
  assert.equal(plain.opt!.rdata.length, 0);
  assert.equal(ask('ns1.example.com', A, { edns: { dnssecOk: true } }).opt!.ttl, 0x8000);
});

test('an unknown version is BADVERS, with what we speak (RFC 6891 §6.1.3)', () => {
  const answer = ask('ns1.example.com', A, { edns: { version: 1 } });
  assert.equal(answer.rcode, 16);
  assert.equal(answer.opt!.ttl, 0x01000000);
  assert.deepEqual(answer.answers, []);
});

test('two OPT records, or an option that runs over, are FORMERR (RFC 6891 §6.1.1)', () => {
  const two = { counts: [1, 0, 0, 2] as const, edns: {}, tail: optRecord({}) };
  assert.equal(ask('ns1.example.com', A, two).rcode, 1);
  const tail = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 10, 0, 1];
  assert.equal(ask('ns1.example.com', A, { counts: [1, 0, 0, 1], tail }).rcode, 1);
});

test('unknown options and other additional records are ignored', () => {
  const options = [[65001, [1, 2, 3]] as const, [9, [1, 2]] as const];
  const answer = ask('ns1.example.com', A, { edns: { options } });
  assert.equal(answer.rcode, 0);
  assert.equal(answer.opt!.rdata.length, 0);
  const tail = [0, 0, 16, 0, 1, 0, 0, 0, 0, 0, 1, 0];
  assert.equal(ask('ns1.example.com', A, { counts: [1, 0, 0, 1], tail }).rcode, 0);
});

test('an answer that does not fit is cut whole and says so; over TCP it is complete', () => {
  for (const edns of [undefined, { payload: 512 }, { payload: 0 }]) {
    const answer = ask(big, A, edns ? { edns } : {});
    assert.ok(answer.tc);
    assert.equal(answer.answers.length, 0);
    assert.equal(answer.opt !== null, edns !== undefined);
  }
  const complete = ask(big, A, { transport: TRANSPORT.TCP });
  assert.equal(complete.tc, false);
  assert.equal(complete.answers.length, 60);
});

test('in-domain glue that does not fit sets TC (RFC 9471 §3.1); other additional data does not', () => {
  const config = zoneConfig();
  const zone = config.zones[0]!;
  const more = Array.from({ length: 14 }, (_, i) => {
    const [inside, outside] = [`ns${i}.cut.example.com`, `mx${i}.example.com`];
    return [
      record('cut.example.com', 2, wireName(inside)),
      record(inside, A, Uint8Array.of(192, 0, 2, i)),
      record('post.example.com', 15, Uint8Array.of(0, 10, ...wireName(outside))),
      record(outside, A, Uint8Array.of(192, 0, 2, i)),
    ];
  });
  const door = openDoor(
    withZones(config, [{ ...zone, records: [...zone.records, ...more.flat()] }]),
  );
  const referral = door.ask('x.cut.example.com', A);
  assert.ok(referral.tc);
  assert.equal(referral.authority.length, 14);
  assert.equal(door.ask('x.cut.example.com', A, { edns: {} }).additional.length, 14);
  const mx = door.ask('post.example.com', 15);
  assert.equal(mx.tc, false);
  assert.equal(mx.answers.length, 14);
  assert.ok(mx.additional.length < 14);
});

test('the UDP limit is the lesser of what the client takes and ours', () => {
  assert.equal(ask(big, A, { edns: { payload: 1200 } }).tc, false);
  assert.ok(ask(big, A, { edns: { payload: 900 } }).tc);
  assert.equal(ask(big, A, { edns: { payload: 65535 } }).answers.length, 60);
});

test('a client subnet picks the region and is echoed with our scope (RFC 7871 §7.2.1)', () => {
  for (const [octets, site] of [
    [[192, 0, 2], 1],
    [[198, 51, 100], 2],
    [[203, 0, 113], 3],
  ] as const) {
    const options = [subnetOption(1, 24, octets)];
    const answer = ask('www.example.com', A, { edns: { options }, client: '203.0.113.9' });
    const texts = answer.answers.map(({ text }) => text).sort();
    assert.deepEqual(texts, [`127.1.${site}.1`, `127.1.${site}.2`]);
    // The test map's default is Europe, so its own /24 is part of a larger block.
    const [code, , , length, , family, source, scope, ...address] = answer.opt!.rdata;
    assert.deepEqual([code, length, family, source, address], [0, 7, 1, 24, [...octets]]);
    if (site > 1) assert.equal(scope, 24);
    else assert.ok(scope! < 24);
  }
});

test('an IPv6 client subnet of odd octet count works too', () => {
  const options = [subnetOption(2, 56, [0x20, 1, 0xd, 0xb8, 0, 0, 0])];
  const answer = ask('www.example.com', A, { edns: { options } });
  assert.equal(answer.answers[0]!.text.slice(0, 8), '127.1.1.');
  assert.deepEqual([...answer.opt!.rdata.subarray(0, 7)], [0, 8, 0, 11, 0, 2, 56]);
});

test('a static name has scope 0: the answer is the same for everyone', () => {
  const options = [subnetOption(1, 24, [198, 51, 100])];
  const answer = ask('ns1.example.com', A, { edns: { options } });
  assert.deepEqual([...answer.opt!.rdata], [0, 8, 0, 7, 0, 1, 24, 0, 198, 51, 100]);
});

test('source prefix 0 asks for no steering by subnet: the asking address picks', () => {
  for (const family of [0, 1, 2]) {
    const options = [subnetOption(family, 0, [])];
    const answer = ask('www.example.com', A, { edns: { options }, client: '198.51.100.7' });
    assert.equal(answer.answers[0]!.text.slice(0, 8), '127.1.2.');
    assert.deepEqual([...answer.opt!.rdata], [0, 8, 0, 4, 0, family, 0, 0]);
  }
});

test('a malformed client subnet is FORMERR (RFC 7871 §7.1.2)', () => {
  for (const option of [
    subnetOption(3, 8, [1]),
    subnetOption(1, 33, [1, 2, 3, 4, 5]),
    subnetOption(2, 129, new Array(17).fill(0)),
    subnetOption(1, 24, [192, 0]),
    subnetOption(1, 24, [192, 0, 2, 0]),
    subnetOption(1, 20, [192, 0, 31]),
    subnetOption(1, 24, [192, 0, 2], 24),
    [8, [0, 1, 0]] as const,
  ]) {
    const answer = ask('www.example.com', A, { edns: { options: [option] } });
    assert.equal(answer.rcode, 1);
    assert.deepEqual(answer.answers, []);
  }
});
