/**
 * The public vectors of ExaBGP's test suite, where they lie beside the project; without them the
 * suite is skipped. Each message of our families must decode without a fault, and encode to the same
 * bytes where these are in our canonical form.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DEFAULT_CONTEXT } from '../../../src/bgp/wire/attributes.ts';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';

// From dist/test/bgp/wire to the folder that holds the repository.
const beside = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', '..');
const folder = process.env.ISOBAR_BGP_VECTORS ?? join(beside, 'shared', 'bgp-vectors');
const file = join(folder, 'exabgp-encoding.jsonl');
const skip = existsSync(file) ? false : 'no shared/bgp-vectors beside the repository';

interface Vector {
  readonly id: string;
  readonly hex: string;
  readonly meaning_cmd?: string;
  readonly decoded?: unknown;
}

interface Attribute {
  readonly flags: number;
  readonly code: number;
  readonly value: Buffer;
}

/** The attributes of an UPDATE, read here without the code under test. */
function attributesOf(bytes: Buffer): { at: number; end: number; list: Attribute[] } {
  const at = 23 + bytes.readUInt16BE(19);
  const end = at + bytes.readUInt16BE(at - 2);
  const list: Attribute[] = [];
  for (let i = at; i < end; ) {
    const flags = bytes[i]!;
    const header = flags & 0x10 ? 4 : 3;
    const length = flags & 0x10 ? bytes.readUInt16BE(i + 2) : bytes[i + 2]!;
    const value = bytes.subarray(i + header, i + header + length);
    list.push({ flags: flags & ~0x10, code: bytes[i + 1]!, value });
    i += header + length;
  }
  return { at, end, list };
}

/** The same UPDATE with its routes first (RFC 7606 §5.1) and no length longer than it must be. */
function canonical(bytes: Buffer): Buffer {
  if (bytes[18] !== 2) return bytes;
  const { at, end, list } = attributesOf(bytes);
  const rank = ({ code }: Attribute): number => (code === 14 || code === 15 ? 0 : code);
  const attributes = [...list]
    .sort((a, b) => rank(a) - rank(b))
    .map(({ flags, code, value }) => {
      const long = value.length > 255;
      const head = long
        ? [flags | 0x10, code, value.length >> 8, value.length & 0xff]
        : [flags, code, value.length];
      return Buffer.concat([Buffer.from(head), value]);
    });
  const out = Buffer.concat([bytes.subarray(0, at), ...attributes, bytes.subarray(end)]);
  out.writeUInt16BE(out.length, 16);
  out.writeUInt16BE(Buffer.concat(attributes).length, at - 2);
  return out;
}

/** Why a vector does not say anything about our codec, or null. */
function foreign(vector: Vector, list: readonly Attribute[]): string | null {
  const about = `${vector.meaning_cmd ?? ''}${JSON.stringify(vector.decoded ?? '')}`;
  if (about.includes('path-information')) return 'ADD-PATH, which we never offer';
  const reach = list.find(({ code }) => code === 14);
  if (!reach) return null;
  const lengths = { 1: [4], 2: [16, 32] }[reach.value.readUInt16BE(0)] ?? [];
  return lengths.includes(reach.value[3]!) ? null : 'a next hop of the other family (RFC 8950)';
}

describe('ExaBGP vectors', { skip }, () => {
  const vectors = skip
    ? []
    : readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Vector);
  let same = 0;
  for (const vector of vectors) {
    const bytes = Buffer.from(vector.hex, 'hex');
    const { list } = bytes[18] === 2 ? attributesOf(bytes) : { list: [] };
    const path = list.find(({ code }) => code === 2)?.value;
    const context = {
      ...DEFAULT_CONTEXT,
      four_octet_as: !path || path.length === 0 || path.length === 2 + 4 * path[1]!,
      ibgp: list.some(({ code }) => code === 5),
    };
    const excuse = foreign(vector, list);
    test(`${vector.id}${excuse ? ` (only survived: ${excuse})` : ''}`, () => {
      const { message, fault } = decodeMessage(bytes, context);
      if (excuse) return;
      const strange = list.some(({ flags, code }) => !(flags & 0x80) && code > 8);
      if (strange) {
        // An unrecognized attribute without the optional bit: RFC 4271 §6.3.
        assert.deepEqual([fault?.code, fault?.subcode], [3, 2]);
        return;
      }
      assert.equal(fault, null);
      const again = encodeMessage(message!, context);
      assert.equal(Buffer.from(again!).toString('hex'), canonical(bytes).toString('hex'));
      same++;
    });
  }
  test('most of them could be compared', () => assert.ok(same > 130, `${same}`));
});
