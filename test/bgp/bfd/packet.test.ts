import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type BfdPacket,
  type DecodedPacket,
  decodePacket,
  diagnosticText,
  encodePacket,
  PACKET_BYTES_MAX,
} from '../../../src/bgp/bfd/packet.ts';
import { packets } from './arbitrary.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

/** Up, Poll set, multiplier 3, discriminators 1 and 2, 100 ms, 50 ms, no echo. */
const UP = hex('20 e0 03 18  00000001 00000002  000186a0 0000c350 00000000');

function decoded(bytes: Uint8Array): DecodedPacket {
  const result = decodePacket(bytes);
  assert.ok(result.ok);
  return result.packet;
}

function refused(bytes: Uint8Array): string {
  const result = decodePacket(bytes);
  assert.ok(!result.ok);
  return result.error;
}

/** UP with one octet replaced. */
function changed(at: number, value: number): Uint8Array {
  const bytes = Uint8Array.from(UP);
  bytes[at] = value;
  return bytes;
}

describe('a control packet (RFC 5880 §4.1)', () => {
  test('has its fields where the RFC puts them', () => {
    const { auth, bytes, ...packet } = decoded(UP);
    assert.equal(auth, null);
    assert.equal(bytes.length, 24);
    assert.deepEqual(packet, {
      diagnostic: 0,
      state: 'up',
      poll: true,
      final: false,
      control_plane_independent: false,
      demand: false,
      multiplier: 3,
      my_discriminator: 1,
      your_discriminator: 2,
      desired_tx_us: 100_000,
      required_rx_us: 50_000,
      required_echo_rx_us: 0,
    } satisfies BfdPacket);
  });

  test('is the same after encoding and decoding, whatever it says', () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const result = decoded(encodePacket(packet, null, new Uint8Array(PACKET_BYTES_MAX)));
        const { auth, bytes, ...again } = result;
        assert.deepEqual(again, packet);
      }),
    );
  });

  test('ends where its length says, not where the datagram does', () => {
    const bytes = new Uint8Array(40);
    bytes.set(UP);
    assert.equal(decoded(bytes).bytes.length, 24);
  });
});

describe('a packet is discarded (RFC 5880 §6.8.6)', () => {
  test('of another version', () => assert.match(refused(changed(0, 0x40)), /version/));
  test('shorter than a packet', () => assert.match(refused(changed(3, 23)), /too short/));
  test('shorter than a packet with authentication must be', () => {
    const bytes = changed(1, 0xe4);
    bytes[3] = 25;
    assert.match(refused(bytes), /too short/);
  });
  test('longer than its datagram', () => assert.match(refused(changed(3, 25)), /longer/));
  test('with detect multiplier 0', () => assert.match(refused(changed(2, 0)), /multiplier/));
  test('multipoint', () => assert.match(refused(changed(1, 0xe1)), /multipoint/));
  test('without its discriminator', () => assert.match(refused(changed(7, 0)), /of its sender/));
  test('without ours, unless it is Down or AdminDown', () => {
    const states = [0x00, 0x40, 0x80, 0xc0].map((state) => {
      const bytes = changed(1, state);
      bytes[11] = 0;
      return decodePacket(bytes).ok;
    });
    assert.deepEqual(states, [true, true, false, false]);
  });
  test('empty, or cut anywhere', () => {
    for (let length = 0; length < UP.length; length++) refused(UP.subarray(0, length));
  });
});

describe('an authentication section (RFC 5880 §4.2–4.4)', () => {
  const withAuth = (section: string): Uint8Array => {
    const bytes = new Uint8Array([...UP, ...hex(section)]);
    bytes[1] = 0xe4;
    bytes[3] = bytes.length;
    return bytes;
  };
  const sixteen = '000102030405060708090a0b0c0d0e0f';

  test('of a simple password', () => {
    const { auth } = decoded(withAuth('01 06 07 616263'));
    assert.deepEqual(auth && { ...auth, value: Buffer.from(auth.value).toString() }, {
      type: 1,
      key_id: 7,
      sequence: 0,
      value: 'abc',
    });
  });
  test('of keyed MD5', () => {
    const { auth } = decoded(withAuth(`02 18 07 00 80000001 ${sixteen}`));
    assert.equal(auth?.sequence, 0x80000001);
    assert.equal(Buffer.from(auth.value).toString('hex'), sixteen);
  });
  test('of a length that its type does not have, or a type that nobody knows', () => {
    const wrong = [
      '01 03 07',
      `01 14 07 ${sixteen}00`,
      '01 09 07 616263',
      `02 17 07 00 00000001 ${sixteen}`,
      `04 18 07 00 00000001 ${sixteen}`,
      '00 03 07',
      '06 03 07',
      '01 00',
    ];
    for (const section of wrong) {
      assert.equal(refused(withAuth(section)), 'malformed authentication section', section);
    }
  });
});

test('a diagnostic is told in words, one that nobody knows by its number', () => {
  assert.equal(diagnosticText(0), null);
  assert.equal(diagnosticText(1), 'control detection time expired');
  assert.equal(diagnosticText(31), 'diagnostic 31');
});
