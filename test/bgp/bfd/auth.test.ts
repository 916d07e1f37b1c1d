import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type AuthKey,
  firstSequences,
  keyProblem,
  type Sequences,
  signPacket,
  verifyPacket,
} from '../../../src/bgp/bfd/auth.ts';
import {
  type BfdPacket,
  type DecodedPacket,
  decodePacket,
  encodePacket,
  PACKET_BYTES_MAX,
} from '../../../src/bgp/bfd/packet.ts';
import { packets } from './arbitrary.ts';

const KINDS = ['simple', 'md5', 'meticulous-md5', 'sha1', 'meticulous-sha1'] as const;
const DIGESTS = KINDS.slice(1);
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const keyOf = (kind: AuthKey['kind'], key = 'secret'): AuthKey => ({
  kind,
  key_id: 7,
  key: text(key),
});

const PACKET: BfdPacket = {
  diagnostic: 0,
  state: 'up',
  poll: false,
  final: false,
  control_plane_independent: false,
  demand: false,
  multiplier: 3,
  my_discriminator: 1,
  your_discriminator: 2,
  desired_tx_us: 100_000,
  required_rx_us: 100_000,
  required_echo_rx_us: 0,
};

function decoded(bytes: Uint8Array): DecodedPacket {
  const result = decodePacket(bytes);
  assert.ok(result.ok);
  return result.packet;
}

/** PACKET as its peer signs it with this sequence number. */
function signed(auth: AuthKey, sequence: number): DecodedPacket {
  const before: Sequences = { sent: (sequence - 1) >>> 0, received: null };
  return decoded(signPacket(PACKET, auth, before, new Uint8Array(PACKET_BYTES_MAX)).bytes);
}

/** Whether a packet of `sequence` is taken after one of `received`. */
function taken(auth: AuthKey, sequence: number, received: number | null): boolean {
  return verifyPacket(signed(auth, sequence), auth, { sent: 0, received }).ok;
}

describe('authentication (RFC 5880 §6.7)', () => {
  for (const kind of KINDS) {
    test(`${kind}: what one side signs the other accepts, whatever it says`, () => {
      fc.assert(
        fc.property(packets, fc.nat(0xffffffff), (packet, random) => {
          const auth = keyOf(kind);
          const out = new Uint8Array(PACKET_BYTES_MAX);
          const { bytes } = signPacket(packet, auth, firstSequences(random), out);
          assert.ok(verifyPacket(decoded(bytes), auth, firstSequences(1)).ok);
        }),
        { numRuns: 50 },
      );
    });

    test(`${kind}: another key, another number of the key or none is refused`, () => {
      const packet = signed(keyOf(kind), 1);
      const verdict = (auth: AuthKey | null): string => {
        const result = verifyPacket(packet, auth, firstSequences(1));
        return result.ok ? '' : result.error;
      };
      assert.match(verdict(keyOf(kind, 'Secret')), /another (key|password)/);
      assert.match(verdict({ ...keyOf(kind), key_id: 8 }), /uses key 7/);
      assert.match(verdict(null), /we do not/);
      for (const other of KINDS.filter((it) => it !== kind)) {
        assert.match(verdict(keyOf(other)), /another way/);
      }
      const plain = decoded(encodePacket(PACKET, null, new Uint8Array(PACKET_BYTES_MAX)));
      const refused = verifyPacket(plain, keyOf(kind), firstSequences(1));
      assert.deepEqual(refused, { ok: false, error: 'the peer does not authenticate' });
    });
  }

  for (const kind of DIGESTS) {
    test(`${kind}: any octet that is changed on the way is noticed`, () => {
      const auth = keyOf(kind);
      const good = signed(auth, 5).bytes;
      for (let at = 0; at < good.length; at++) {
        const bytes = Uint8Array.from(good);
        bytes[at] = bytes[at]! ^ 0x10;
        const result = decodePacket(bytes);
        // The reserved octet is not looked at, but it is in the digest.
        if (result.ok) assert.ok(!verifyPacket(result.packet, auth, firstSequences(1)).ok, `${at}`);
      }
    });
  }

  test('the digest is over the packet with the key, padded with zeroes, in its place', () => {
    const packet = signed(keyOf('md5'), 9);
    const whole = Buffer.from(packet.bytes);
    Buffer.concat([text('secret'), new Uint8Array(10)]).copy(whole, 32);
    const digest = createHash('md5').update(whole).digest('hex');
    assert.equal(Buffer.from(packet.auth!.value).toString('hex'), digest);
  });

  test('sequence numbers: a window of three times the multiplier, round the end of 32 bits', () => {
    const loose = keyOf('sha1');
    const strict = keyOf('meticulous-sha1');
    assert.deepEqual(
      [0, 1, 9, 10].map((it) => taken(loose, 100 + it, 100)),
      [true, true, true, false],
    );
    assert.deepEqual(
      [0, 1, 9, 10].map((it) => taken(strict, 100 + it, 100)),
      [false, true, true, false],
    );
    assert.ok(!taken(loose, 99, 100));
    assert.ok(taken(strict, 3, 0xfffffffe));
    assert.ok(!taken(strict, 0xfffffffe, 3));
    assert.ok(taken(strict, 12345, null));
  });

  test('each packet gets the next sequence number', () => {
    const auth = keyOf('meticulous-md5');
    const out = new Uint8Array(PACKET_BYTES_MAX);
    const first = signPacket(PACKET, auth, { sent: 0xffffffff, received: null }, out);
    assert.equal(decoded(first.bytes).auth?.sequence, 0);
    const second = signPacket(PACKET, auth, first.sequences, out);
    assert.equal(decoded(second.bytes).auth?.sequence, 1);
  });

  test('a refused packet does not move the window', () => {
    const before: Sequences = { sent: 0, received: 100 };
    const forged = signed(keyOf('md5', 'other'), 101);
    assert.ok(!verifyPacket(forged, keyOf('md5'), before).ok);
    const good = verifyPacket(signed(keyOf('md5'), 101), keyOf('md5'), before);
    assert.deepEqual(good, { ok: true, sequences: { sent: 0, received: 101 } });
  });

  test('keys of a length that cannot be used are named', () => {
    assert.equal(keyProblem(keyOf('md5', 'x'.repeat(16))), null);
    assert.match(keyProblem(keyOf('md5', 'x'.repeat(17)))!, /1 to 16 octets, this one 17/);
    assert.match(keyProblem(keyOf('simple', ''))!, /this one 0/);
    assert.equal(keyProblem(keyOf('sha1', 'x'.repeat(20))), null);
    assert.match(keyProblem(keyOf('sha1', 'x'.repeat(21)))!, /1 to 20/);
  });
});
