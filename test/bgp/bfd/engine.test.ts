import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { AuthKey } from '../../../src/bgp/bfd/auth.ts';
import { encodePacket, PACKET_BYTES_MAX } from '../../../src/bgp/bfd/packet.ts';
import { type End, FAST, ID, Network, upNetwork } from './network.ts';

const UP = ['up', 'up'];
const key = (kind: AuthKey['kind'], text = 'secret'): AuthKey => ({
  kind,
  key_id: 7,
  key: new TextEncoder().encode(text),
});

/** Gaps between the packets of `end` since `from`, but answers to Polls. */
function gaps(net: Network, end: End, from: number): number[] {
  const sent = net.wire.filter(
    ({ at, from: by, packet }) => by === end && at > from && !packet.final,
  );
  return sent.slice(1).map(({ at }, i) => at - sent[i]!.at);
}

describe('two systems', () => {
  test('come up, agree on their intervals, and say each change once', () => {
    const net = upNetwork();
    assert.deepEqual(net.states, UP);
    for (const end of [net.a, net.b]) {
      const { transmit_ms, detection_ms, downs, problem } = net.status(end);
      assert.deepEqual([transmit_ms, detection_ms, downs, problem], [100, 300, 0, null]);
      const words = end.changes.map(({ state }) => state);
      assert.ok(['init,up', 'up'].includes(words.join()), words.join());
      const all = gaps(net, end, 2_000);
      assert.ok(all.length > 25 && all.every((gap) => gap >= 75 && gap <= 100));
      // No Poll Sequence goes on for ever.
      assert.ok(!net.wire.at(-1)!.packet.poll && !net.wire.at(-2)!.packet.poll);
    }
  });

  test('with different intervals: each direction goes at the pace of the slower side', () => {
    const net = new Network();
    net.open(net.a, { transmit_ms: 50, receive_ms: 300, multiplier: 4 });
    net.open(net.b, { transmit_ms: 200, receive_ms: 100, multiplier: 2 });
    net.advance(5_000);
    const [a, b] = [net.status(net.a), net.status(net.b)];
    assert.deepEqual([a.transmit_ms, a.detection_ms], [100, 600]);
    assert.deepEqual([b.transmit_ms, b.detection_ms], [300, 400]);
  });

  test('one is cut off: the other knows within three intervals, and both come back', () => {
    const net = upNetwork();
    const cut = net.now;
    net.a.loss = 1;
    net.advance(302);
    const { at, state, text } = net.b.changes.at(-1)!;
    assert.equal(state, 'down');
    assert.match(text, /heard nothing for 300 ms/);
    assert.ok(at - cut <= 301);
    net.advance(10);
    assert.equal(net.status(net.a).state, 'down', 'it is told at once: its own packets are lost');
    assert.match(
      net.a.changes.at(-1)!.text,
      /peer's BFD went down: control detection time expired/,
    );
    net.a.loss = 0;
    net.advance(4_000);
    assert.deepEqual(net.states, UP);
    assert.equal(net.status(net.b).downs, 1);
  });

  test('a standstill of our own is no silence of the peer; what comes after it is', () => {
    const net = upNetwork();
    net.b.loss = 1;
    net.advance(150);
    net.now += 5_000;
    net.a.engine.stoodStill(5_000, net.now);
    net.advance(20);
    assert.equal(net.status(net.a).state, 'up');
    net.advance(300);
    assert.match(net.a.changes.at(-1)!.text, /heard nothing for 300 ms/);
  });

  test('stay up for an hour while a packet in ten is lost, and multiplier 5 allows for it', () => {
    const net = new Network(3);
    net.open(net.a, { ...FAST, transmit_ms: 1_000, receive_ms: 1_000, multiplier: 5 });
    net.open(net.b, { ...FAST, transmit_ms: 1_000, receive_ms: 1_000, multiplier: 5 });
    net.advance(10_000);
    net.a.loss = 0.1;
    net.b.loss = 0.1;
    net.advance(3_600_000);
    const downs = net.status(net.a).downs + net.status(net.b).downs;
    assert.ok(downs <= 1, `${downs} times down`);
  });

  test('always meet again, whatever was lost before', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(2_000),
        (seed, loss, late) => {
          const net = new Network(seed);
          net.a.loss = loss;
          net.b.loss = loss;
          net.open(net.a);
          net.advance(late);
          net.open(net.b);
          net.advance(20_000);
          net.a.loss = 0;
          net.b.loss = 0;
          net.advance(8_000);
          assert.deepEqual(net.states, UP);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('new intervals in a running session: agreed by Poll and Final, and never down', () => {
    const net = upNetwork();
    for (const transmit_ms of [500, 50, 1_000, 100]) {
      net.a.engine.update(
        ID,
        { transmit_ms, receive_ms: transmit_ms, multiplier: 3 },
        null,
        net.now,
      );
      net.advance(4_000);
      assert.equal(net.status(net.a).transmit_ms, Math.max(transmit_ms, 100));
      assert.equal(net.status(net.b).detection_ms, Math.max(transmit_ms, 100) * 3);
    }
    assert.deepEqual(net.states, UP);
    assert.equal(net.status(net.a).downs + net.status(net.b).downs, 0);
  });

  test('one is closed: it says so three times within 100 ms, and the other does not take it as a failure', () => {
    const net = upNetwork();
    const from = net.now;
    net.a.engine.close(ID, net.now);
    net.advance(99);
    const words = net.wire.filter(({ at, from: by }) => at >= from && by === net.a);
    assert.deepEqual(
      words.map(({ packet }) => packet.state),
      Array(3).fill('admin-down'),
    );
    assert.ok(net.a.closed && net.a.engine.size === 0);
    const { state, text } = net.b.changes.at(-1)!;
    assert.deepEqual([state, text], ['admin-down', 'the peer has switched BFD off']);
    const { state: own, remote_state, remote_diagnostic } = net.status(net.b);
    assert.deepEqual(
      [own, remote_state, remote_diagnostic],
      ['down', 'admin-down', 'administratively down'],
    );
  });

  test('one begins anew with another discriminator: the other goes down, then up with it', () => {
    const net = upNetwork();
    net.b.loss = 1;
    net.b.engine.close(ID, net.now);
    net.advance(1_000);
    net.b.loss = 0;
    net.open(net.b);
    net.advance(3_000);
    assert.deepEqual(net.states, UP);
    assert.equal(net.status(net.a).downs, 1);
  });
});

describe('packets that are not the peer’s', () => {
  const bytes = (your_discriminator: number): Uint8Array =>
    encodePacket(
      {
        diagnostic: 0,
        state: 'down',
        poll: false,
        final: false,
        control_plane_independent: false,
        demand: false,
        multiplier: 3,
        my_discriminator: 99,
        your_discriminator,
        desired_tx_us: 100_000,
        required_rx_us: 100_000,
        required_echo_rx_us: 0,
      },
      null,
      new Uint8Array(PACKET_BYTES_MAX),
    );

  test('TTL below 255 on one hop is discarded, over several it is not looked at', () => {
    const net = upNetwork();
    net.b.ttl = 254;
    net.advance(400);
    assert.equal(net.status(net.b).state, 'down');
    assert.match(net.status(net.b).problem!, /TTL 254/);
    assert.ok(net.status(net.b).discarded > 0);

    const far = new Network();
    far.open(far.a, FAST, null, { multihop: true });
    far.a.ttl = 3;
    far.deliver(far.a, bytes(0), true);
    assert.equal(far.status(far.a).state, 'init');
  });

  test('of no session here: counted, and nothing else', () => {
    const net = upNetwork();
    const sent = net.wire.length;
    net.deliver(net.a, bytes(12345));
    net.deliver(net.a, bytes(0), true);
    net.deliver(net.a, bytes(0).subarray(0, 20));
    const strange = {
      bytes: bytes(0),
      multihop: false,
      to: net.a.address,
      interface_index: 1,
      ttl: 255,
    };
    net.a.engine.receive({ ...strange, from: Uint8Array.of(10, 0, 0, 9) }, net.now);
    assert.deepEqual([net.a.engine.unknown, net.a.engine.malformed], [3, 1]);
    assert.equal(net.wire.length, sent);
    assert.deepEqual(net.states, UP);
  });

  test('a session with a source or an interface takes the first packets only there', () => {
    const own = [
      { source: Uint8Array.of(10, 0, 0, 8) },
      { interface_index: 2 },
      { source: Uint8Array.of(10, 0, 0, 1), interface_index: 1 },
    ];
    const states = own.map((path) => {
      const net = new Network();
      net.open(net.a, FAST, null, path);
      net.deliver(net.a, bytes(0));
      return net.status(net.a).state;
    });
    assert.deepEqual(states, ['down', 'down', 'init']);
  });
});

describe('authentication', () => {
  for (const kind of ['simple', 'md5', 'meticulous-md5', 'sha1', 'meticulous-sha1'] as const) {
    test(`${kind}: up with the same key, not with another, whose trouble is named`, () => {
      assert.deepEqual(upNetwork(key(kind)).states, UP);
      const net = new Network();
      net.open(net.a, FAST, key(kind));
      net.open(net.b, FAST, key(kind, 'other'));
      net.advance(5_000);
      assert.deepEqual(net.states, ['down', 'down']);
      assert.match(net.status(net.a).problem!, /the peer has another (key|password)/);
    });
  }

  test('a packet heard before is not taken again', () => {
    const net = upNetwork(key('meticulous-sha1'));
    const old = net.wire.findLast(({ from }) => from === net.a)!.packet.bytes;
    net.advance(200);
    const before = net.status(net.b).packets_in;
    net.deliver(net.b, old);
    assert.equal(net.status(net.b).packets_in, before);
    assert.match(net.status(net.b).problem!, /sequence number out of order/);
  });

  test('a peer that begins anew with any sequence number is taken after twice the detection time', () => {
    const net = upNetwork(key('meticulous-md5'));
    net.b.loss = 1;
    net.b.engine.close(ID, net.now);
    net.advance(700);
    net.b.loss = 0;
    net.open(net.b, FAST, key('meticulous-md5'));
    net.advance(5_000);
    assert.deepEqual(net.states, UP);
  });

  test('a key that is changed on both sides within a detection time', () => {
    const net = upNetwork(key('sha1'));
    net.a.engine.update(ID, FAST, key('sha1', 'new'), net.now);
    net.advance(150);
    net.b.engine.update(ID, FAST, key('sha1', 'new'), net.now);
    net.advance(2_000);
    assert.deepEqual(net.states, UP);
    assert.equal(net.status(net.a).downs + net.status(net.b).downs, 0);
  });
});
