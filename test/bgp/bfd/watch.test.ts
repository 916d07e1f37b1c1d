import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { BroadcastChannel } from 'node:worker_threads';
import { VirtualClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { prng } from '../../../src/base/prng.ts';
import { SINGLE_HOP_PORT } from '../../../src/bgp/bfd/packet.ts';
import { WatchThread } from '../../../src/bgp/bfd/watch.ts';
import { CONTROL, STOP } from '../../../src/bgp/bfd/watch-shared.ts';
import { SLOT } from '../../../src/bgp/guard-slot.ts';
import type { BfdSession, BfdTarget } from '../../../src/bgp/ports.ts';
import { loadLibc } from '../../../src/net/libc.ts';
import { until } from '../../support/bgp.ts';
import { bfdSettings } from '../../support/watch-client.ts';

const TARGET: BfdTarget = {
  address: '127.0.48.2',
  source: '127.0.48.1',
  interface: null,
  settings: bfdSettings(),
  key: null,
};
const key = (octets: number): Uint8Array => new Uint8Array(octets).fill(1);

class Bench {
  readonly clock = new VirtualClock();
  readonly problems: (string | null)[] = [];
  readonly changes: string[] = [];
  readonly watch: WatchThread;

  constructor(more: { libc?: null; script?: URL }) {
    const ports = { clock: this.clock, prng: prng(1), log: silentLog };
    const onProblem = (problem: string | null): void => void this.problems.push(problem);
    this.watch = new WatchThread({ ...ports, ...more, onProblem });
  }

  open(changes: Partial<BfdTarget> = {}): BfdSession {
    const changed = (state: string, text: string): void =>
      void this.changes.push(`${state}: ${text}`);
    return this.watch.open({ ...TARGET, ...changes }, changed);
  }
}

/** Ends what was tested, also where the thread hangs. */
async function end({ watch, clock }: Bench): Promise<void> {
  const stopped = watch.stop();
  clock.advance(1_000);
  await stopped;
}

/** A thread that runs this instead. */
const script = (text: string): { script: URL } => ({
  script: new URL(`data:text/javascript,${encodeURIComponent(text)}`),
});
const ENDED = 'watch.test: ended';
/** It lives, but has no pulse, and does not hear that it should end. */
const HANGS = script('setInterval(() => {}, 1_000)');

describe('without koffi', () => {
  test('BFD is refused in a sentence, and BGP goes on as if the peer had none', async () => {
    const bench = new Bench({ libc: null });
    const session = bench.open();
    assert.match(session.status()!.problem!, /needs? the optional package koffi.*BGP goes on/);
    await Promise.resolve();
    assert.equal(bench.changes.length, 1);
    assert.match(bench.changes[0]!, /^admin-down: /);
    session.close();
    await end(bench);
  });

  test('a dead man that is asked for is missed loudly', () => {
    const bench = new Bench({ libc: null });
    bench.watch.setDeadMan(0);
    assert.equal(bench.watch.problem, null);
    bench.watch.setDeadMan(500);
    assert.match(bench.watch.problem!, /koffi/);
    bench.watch.renew();
  });
});

describe('the watch thread', { skip: loadLibc() ? false : 'needs koffi' }, () => {
  test('what it cannot do is refused: a key too long, intervals too short, no address', async () => {
    const bench = new Bench(HANGS);
    const auth = { kind: 'md5', key_id: 1, key_file: '' } as const;
    const refused = [
      bench.open({ settings: bfdSettings({ auth }), key: key(17) }),
      bench.open({ settings: bfdSettings({ transmit_ms: 5 }) }),
      bench.open({ address: 'router' }),
    ];
    const problems = refused.map((session) => session.status()!.problem);
    assert.match(problems[0]!, /1 to 16 octets, this one 17/);
    assert.match(problems[1]!, /at least 10 ms/);
    assert.match(problems[2]!, /"router" is not an IP address/);
    // One that is mended is begun, one that is broken is ended.
    refused[0]!.update(bfdSettings({ auth }), key(16));
    assert.equal(refused[0]!.status(), null);
    refused[0]!.update(bfdSettings({ auth }), key(17));
    assert.match(refused[0]!.status()!.problem!, /octets/);
    await end(bench);
  });

  test('does not run before there is something for it to do', async () => {
    const bench = new Bench(HANGS);
    bench.watch.setDeadMan(500);
    bench.watch.renew();
    assert.equal(bench.clock.pending, 0);
    await end(bench);
  });

  test('that dies is said to, and replaced, later each time', async () => {
    const bench = new Bench(script('throw new Error("broken")'));
    bench.open();
    for (let deaths = 1; deaths <= 3; deaths++) {
      await until(() => bench.watch.problem !== null && bench.clock.pending === 1);
      assert.match(bench.watch.problem!, /failed: broken; it is replaced/);
      const before = bench.clock.now();
      while (bench.clock.pending === 1 && bench.clock.now() - before < 100 * 2 ** deaths) {
        bench.clock.advance(10);
      }
      await until(() => bench.clock.pending === 1);
    }
    assert.equal(bench.problems.length, 1, 'once');
    await end(bench);
    assert.equal(bench.clock.pending, 0);
  });

  test('that hangs is said to, after three seconds without a pulse', async () => {
    const bench = new Bench(HANGS);
    bench.open();
    bench.clock.advance(2_999);
    assert.equal(bench.watch.problem, null);
    bench.clock.advance(1);
    assert.match(bench.watch.problem!, /it did nothing for 3 s; it is replaced/);
    await end(bench);
  });

  test('that dies after it fired: who it withdrew is told without waiting for another', async () => {
    const bench = new Bench(
      script(`
        import { parentPort } from 'node:worker_threads';
        parentPort.on('message', ({ slot }) => {
          Atomics.store(new Int32Array(slot), 0, ${SLOT.FIRED});
          throw new Error('broken');
        });
      `),
    );
    let told = 0;
    bench.watch.setDeadMan(500);
    const socket = { _handle: { fd: 0 } } as unknown as Socket;
    const session = bench.watch.protect(socket, () => told++)!;
    await until(() => bench.watch.problem !== null);
    assert.equal(told, 0);
    bench.watch.renew();
    assert.equal(told, 1);
    session.release();
    await end(bench);
  });

  test('that comes to itself after it was replaced does not end its successor’s sessions', {
    timeout: 20_000,
  }, async () => {
    const peer = createSocket({ type: 'udp4', reuseAddr: true });
    const heard: Buffer[] = [];
    peer.on('message', (bytes) => void heard.push(bytes));
    peer.bind(SINGLE_HOP_PORT, TARGET.address);
    await once(peer, 'listening');
    const real = new URL('../../../src/bgp/bfd/watch-worker.js', import.meta.url);
    const bench = new Bench(
      script(`
        import { BroadcastChannel, workerData } from 'node:worker_threads';
        const control = new Int32Array(workerData.control);
        const stop = ${CONTROL.STOP};
        while (Atomics.load(control, stop) === 0) Atomics.wait(control, stop, 0, 5);
        await import('${real}');
        new BroadcastChannel('${ENDED}').postMessage(Atomics.load(control, stop));
      `),
    );
    const ended = new BroadcastChannel(ENDED);
    const word = new Promise((resolve) => {
      ended.onmessage = (event) => resolve((event as MessageEvent).data);
    });
    try {
      bench.open();
      bench.clock.advance(3_000);
      assert.match(bench.watch.problem!, /it is replaced/);
      assert.equal(await word, STOP.SILENTLY);
      assert.deepEqual(heard, []);
    } finally {
      ended.close();
      peer.close();
      await end(bench);
    }
  });
});
