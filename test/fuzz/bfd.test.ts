/**
 * Millions of datagrams at the door of BFD: random octets, and good packets with some changed, to
 * sessions with and without authentication. Nothing is thrown, no datagram makes more than one
 * packet leave, and the sessions still work afterwards.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prng, prng } from '../../src/base/prng.ts';
import type { AuthKey } from '../../src/bgp/bfd/auth.ts';
import { decodePacket } from '../../src/bgp/bfd/packet.ts';
import { type Network, upNetwork } from '../bgp/bfd/network.ts';

const DATAGRAMS = 2_000_000;
const AT_SESSIONS = 200_000;

function mutate(random: Prng, seed: Uint8Array, buffer: Uint8Array): Uint8Array {
  if (random.int(8) === 0) {
    const length = random.int(buffer.length);
    for (let i = 0; i < length; i++) buffer[i] = random.int(256);
    return buffer.subarray(0, length);
  }
  buffer.set(seed);
  for (let changes = random.int(4); changes > 0; changes--) {
    buffer[random.int(seed.length)] = random.int(256);
  }
  return buffer.subarray(0, random.int(8) === 0 ? random.int(seed.length) : seed.length);
}

test('millions of datagrams decode to a packet or to a reason', () => {
  const random = prng(5880);
  const seeds = (['md5', 'sha1', 'simple'] as const).flatMap((kind) =>
    upNetwork({ kind, key_id: 1, key: Uint8Array.of(1, 2, 3) }).wire.slice(0, 20),
  );
  const buffer = new Uint8Array(64);
  let good = 0;
  for (let i = 0; i < DATAGRAMS; i++) {
    const seed = seeds[random.int(seeds.length)]!.packet.bytes;
    const result = decodePacket(mutate(random, seed, buffer));
    if (result.ok) good++;
    else assert.ok(result.error.length > 0);
  }
  assert.ok(good > DATAGRAMS / 10 && good < DATAGRAMS, `${good} were packets`);
});

for (const auth of [
  null,
  { kind: 'sha1', key_id: 1, key: Uint8Array.of(1) },
] as (AuthKey | null)[]) {
  test(`sessions ${auth ? 'with' : 'without'} authentication survive, and are up again`, () => {
    const net: Network = upNetwork(auth);
    const random = prng(5881);
    const buffer = new Uint8Array(64);
    const seeds = net.wire.slice(-50).map(({ packet }) => Uint8Array.from(packet.bytes));
    for (let i = 0; i < AT_SESSIONS; i++) {
      const before = net.wire.length;
      const to = i % 2 === 0 ? net.a : net.b;
      net.deliver(to, mutate(random, seeds[random.int(seeds.length)]!, buffer));
      assert.ok(net.wire.length - before <= 1);
      net.wire.length = 0;
      if (i % 100 === 0) net.advance(10);
    }
    // A forged interval may keep a peer silent for its detection time, which is days at most.
    for (const end of [net.a, net.b]) end.engine.closeAll(net.now);
    net.advance(100);
    net.open(net.a, undefined, auth);
    net.open(net.b, undefined, auth);
    net.advance(5_000);
    assert.deepEqual(net.states, ['up', 'up']);
  });
}
