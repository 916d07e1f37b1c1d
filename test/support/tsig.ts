/**
 * The client's side of TSIG (RFC 8945), written with nothing from src/dns: a mistake in the server's
 * own signatures cannot hide here. (The RFC has no test vectors; dig, kdig and real secondaries in
 * test/interop agree with it.)
 */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { TsigSecret } from '../../src/dns/transfer/signing.ts';
import { nameOctets, readMessage } from './dns-query.ts';

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const u48 = (value: number): number[] => [
  ...u16(Math.floor(value / 2 ** 32)),
  ...u16(Math.floor(value / 65536) % 65536),
  ...u16(value % 65536),
];

const FUDGE_S = 300;

export interface SigningOptions {
  readonly mac_octets?: number;
  readonly fudge_s?: number;
  readonly key?: string;
  readonly algorithm?: string;
}

function hmac(key: TsigSecret, ...parts: (readonly number[] | Uint8Array)[]): Uint8Array {
  const made = createHmac(key.algorithm.replace('hmac-', ''), key.secret);
  for (const part of parts) made.update(Uint8Array.from(part));
  return made.digest();
}

/** The request with its signature, and the MAC in it. */
export function signRequest(
  packet: Uint8Array,
  key: TsigSecret,
  now_s: number,
  options: SigningOptions = {},
): { readonly packet: Uint8Array; readonly mac: Uint8Array } {
  const name = nameOctets(options.key ?? key.name);
  const algorithm = nameOctets(options.algorithm ?? key.algorithm);
  const time = [...u48(now_s), ...u16(options.fudge_s ?? FUDGE_S)];
  const variables = [...name, 0, 255, 0, 0, 0, 0, ...algorithm, ...time, 0, 0, 0, 0];
  const mac = hmac(key, packet, variables).subarray(0, options.mac_octets ?? 64);
  const tail = [...u16(mac.length), ...mac, packet[0]!, packet[1]!, 0, 0, 0, 0];
  const rdata = [...algorithm, ...time, ...tail];
  const record = [...name, 0, 250, 0, 255, 0, 0, 0, 0, ...u16(rdata.length), ...rdata];
  const signed = Uint8Array.from([...packet, ...record]);
  signed[11] = signed[11]! + 1;
  return { packet: signed, mac };
}

export interface Signature {
  readonly mac: Uint8Array;
  readonly error: number;
  readonly time_s: number;
  readonly other: Uint8Array;
  /** The message without the record, as the signer had it. */
  readonly message: Uint8Array;
  /** Covered in the first message of an answer … */
  readonly variables: readonly number[];
  /** … and in each that follows. */
  readonly timers: readonly number[];
}

/** The signature at the end of a message; throws if it has none. */
export function signatureOf(packet: Uint8Array): Signature {
  const record = readMessage(packet).additional.at(-1);
  assert.equal(record?.type, 250, 'the last record is TSIG');
  const { rdata, name } = record!;
  const view = new DataView(rdata.buffer, rdata.byteOffset, rdata.byteLength);
  const algorithmEnd = rdata.indexOf(0) + 1;
  const macLength = view.getUint16(algorithmEnd + 8);
  const macAt = algorithmEnd + 10;
  const otherAt = macAt + macLength + 6;
  const timers = [...rdata.subarray(algorithmEnd, algorithmEnd + 8)];
  const errorAndOther = [...rdata.subarray(macAt + macLength + 2)];
  const keyOctets = nameOctets(name);
  const message = packet.slice(0, packet.length - rdata.length - 10 - keyOctets.length);
  message[11] = message[11]! - 1;
  return {
    mac: rdata.slice(macAt, macAt + macLength),
    error: view.getUint16(macAt + macLength + 2),
    time_s: view.getUint16(algorithmEnd) * 2 ** 32 + view.getUint32(algorithmEnd + 2),
    other: rdata.slice(otherAt),
    message,
    variables: [
      ...[...keyOctets, 0, 255, 0, 0, 0, 0, ...rdata.subarray(0, algorithmEnd), ...timers],
      ...errorAndOther,
    ],
    timers,
  };
}

/**
 * Fails unless every message of an answer to the request with that MAC (null: they are themselves a
 * request) is rightly signed (§5.3.1), in this order.
 */
export function assertSigned(
  messages: readonly Uint8Array[],
  key: TsigSecret,
  request: Uint8Array | null,
): void {
  let before = request;
  messages.forEach((packet, i) => {
    const { mac, message, variables, timers } = signatureOf(packet);
    const covered = i === 0 ? variables : timers;
    const prior = before ? [...u16(before.length), ...before] : [];
    const wanted = hmac(key, prior, message, covered);
    assert.deepEqual([...mac], [...wanted], `message ${i}`);
    before = mac;
  });
}
