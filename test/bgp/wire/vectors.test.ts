/**
 * The public vectors of ExaBGP's test suite, where they lie beside the project; without them the
 * suite is skipped. Each message must decode to the meaning that the suite states and encode to the same
 * bytes, in our canonical form; those that RFCs forbid must be refused with the right NOTIFICATION.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type CodecContext, DEFAULT_CONTEXT } from '../../../src/bgp/wire/attributes.ts';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import { factsOf, factsOfCommand, factsOfJson, type VectorUpdate } from './vector-meaning.ts';

// From dist/test/bgp/wire to the folder that holds the repository.
const beside = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..', '..');
const folder = process.env.ISOBAR_BGP_VECTORS ?? join(beside, 'shared', 'bgp-vectors');
const file = join(folder, 'exabgp-encoding.jsonl');
const skip = existsSync(file) ? false : 'no shared/bgp-vectors beside the repository';

interface Vector {
  readonly id: string;
  readonly hex: string;
  readonly meaning_cmd?: string;
  readonly decoded?: { readonly update?: VectorUpdate };
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

/** Why a vector must not be accepted: the NOTIFICATION that it deserves, and for what. */
function refusedAs({ id }: Vector, list: readonly Attribute[]): readonly number[] | null {
  // An unrecognized attribute without the optional bit (RFC 4271 §6.3).
  if (list.some(({ flags, code }) => !(flags & 0x80) && code > 8)) return [3, 2];
  // 255.255.255.255 is no host's address (RFC 4271 §6.3).
  if (id === 'exabgp/conf-attributes/3') return [3, 8];
  // IPv6 routes behind a next hop of four octets: no RFC has that.
  const reach = list.find(({ code }) => code === 14)?.value;
  return reach?.[1] === 2 && reach[3] === 4 ? [3, 9] : null;
}

/** The session that the vector is from, as far as its bytes and its meaning tell. */
function contextOf(vector: Vector, list: readonly Attribute[]): CodecContext {
  const about = `${vector.meaning_cmd ?? ''}${JSON.stringify(vector.decoded ?? '')}`;
  const path = list.find(({ code }) => code === 2)?.value;
  return {
    ...DEFAULT_CONTEXT,
    four_octet_as: !path || path.length === 0 || path.length === 2 + 4 * path[1]!,
    ibgp: list.some(({ code }) => code === 5),
    add_path4: about.includes('path-information'),
    extended_next_hop: true,
  };
}

function meaningOf({ meaning_cmd, decoded }: Vector): string[] | null {
  if (decoded?.update) return factsOfJson(decoded.update);
  return meaning_cmd === undefined ? null : factsOfCommand(meaning_cmd);
}

describe('ExaBGP vectors', { skip }, () => {
  const vectors = skip
    ? []
    : readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Vector);
  const counts = { same: 0, meaning: 0, refused: 0 };
  for (const vector of vectors) {
    test(vector.id, () => {
      const bytes = Buffer.from(vector.hex, 'hex');
      const { list } = bytes[18] === 2 ? attributesOf(bytes) : { list: [] };
      const context = contextOf(vector, list);
      const { message, fault } = decodeMessage(bytes, context);
      const refused = refusedAs(vector, list);
      if (refused) {
        assert.deepEqual([fault?.code, fault?.subcode], refused);
        counts.refused++;
        return;
      }
      assert.equal(fault, null);
      const again = encodeMessage(message!, context);
      assert.equal(Buffer.from(again!).toString('hex'), canonical(bytes).toString('hex'));
      counts.same++;
      const meaning = meaningOf(vector);
      if (!meaning) return;
      // The suite's JSON names attributes that it does not know by number: we carry those.
      assert.deepEqual(factsOf(message!), meaning);
      counts.meaning++;
    });
  }
  test('nearly all of them could be compared', (t) => {
    const { same, meaning, refused } = counts;
    t.diagnostic(`${same} encode to the same bytes, ${meaning} of them have a meaning to compare`);
    assert.equal(same + refused, vectors.length);
    assert.ok(meaning > 120 && refused < 10, JSON.stringify(counts));
  });
});
