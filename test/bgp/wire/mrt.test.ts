import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CONTEXT } from '../../../src/bgp/wire/attributes.ts';
import { encodeMessage } from '../../../src/bgp/wire/message.ts';
import { encodeMrtMessage, encodeMrtState } from '../../../src/bgp/wire/mrt.ts';
import { parseAddress } from '../../../src/net/ip.ts';

const session = {
  peer_address: parseAddress('192.0.2.1')!,
  local_address: parseAddress('192.0.2.2')!,
  peer_as: 4_200_000_000,
  local_as: 65000,
};
const KEEPALIVE = Uint8Array.from([...new Array(16).fill(0xff), 0, 19, 4]);
const AT_MS = 1_700_000_000_123.456;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('a message has the time in microseconds, both ends, and its bytes (RFC 6396 §4.4.3)', () => {
  const record = encodeMrtMessage(
    session,
    { bytes: KEEPALIVE, sent: false, context: DEFAULT_CONTEXT },
    AT_MS,
  );
  const micros = 123_456;
  const at = record.length - KEEPALIVE.length;
  assert.equal(new DataView(record.buffer).getUint32(12), micros);
  assert.equal(
    hex(record.subarray(0, 12)),
    `6553f100 0011 0004 ${(record.length - 12).toString(16).padStart(8, '0')}`.replaceAll(' ', ''),
  );
  assert.equal(
    hex(record.subarray(16, at)),
    'fa56ea00' + '0000fde8' + '0000' + '0001' + 'c0000201' + 'c0000202',
  );
  assert.equal(hex(record.subarray(at)), hex(KEEPALIVE));
});

test('the subtype tells the direction, the width of AS numbers and path identifiers', () => {
  const prefix = { address: parseAddress('2001:db8::')!, length: 32, path_id: 7 };
  const mp_unreach = { family: 6 as const, nlri: [prefix] };
  const update = { withdrawn: [], announced: [], attributes: { mp_unreach } };
  const routes = encodeMessage({ type: 'update', update }, DEFAULT_CONTEXT)!;
  const subtype = (sent: boolean, changes: object, bytes = routes): number => {
    const context = { ...DEFAULT_CONTEXT, ...changes };
    return encodeMrtMessage(session, { bytes, sent, context }, AT_MS)[7]!;
  };
  const old = { four_octet_as: false };
  const paths = { add_path6: true };
  assert.equal(subtype(false, old), 1);
  assert.equal(subtype(false, {}), 4);
  assert.equal(subtype(true, old), 6);
  assert.equal(subtype(true, {}), 7);
  assert.equal(subtype(false, { ...old, ...paths }), 8);
  assert.equal(subtype(false, paths), 9);
  assert.equal(subtype(true, paths), 7); // we send none
  assert.equal(subtype(false, { add_path4: true }), 4); // not of this family
  assert.equal(subtype(false, paths, KEEPALIVE), 4);
});

test('where AS numbers have two octets a larger one is AS_TRANS', () => {
  const context = { ...DEFAULT_CONTEXT, four_octet_as: false };
  const record = encodeMrtMessage(session, { bytes: KEEPALIVE, sent: false, context }, AT_MS);
  assert.equal(hex(record.subarray(16, 20)), '5ba0' + 'fde8');
});

test('a change of state has the old and the new one, IPv6 ends with AFI 2 (RFC 6396 §4.4.1)', () => {
  const six = {
    ...session,
    peer_address: parseAddress('2001:db8::1')!,
    local_address: parseAddress('2001:db8::2')!,
  };
  const record = encodeMrtState(six, 'OpenConfirm', 'Established', AT_MS);
  assert.equal(hex(record.subarray(4, 8)), '0011' + '0005');
  assert.equal(hex(record.subarray(24, 28)), '0000' + '0002');
  assert.equal(hex(record.subarray(-4)), '0005' + '0006');
  assert.equal(record.length, 12 + 4 + 12 + 32 + 4);
});
