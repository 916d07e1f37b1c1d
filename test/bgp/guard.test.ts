import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { GuardSlots } from '../../src/bgp/guard.ts';
import { GuardKeeper } from '../../src/bgp/guard-keeper.ts';
import type { GuardedSession } from '../../src/bgp/ports.ts';
import type { Libc } from '../../src/net/libc.ts';

const DEAD_MAN_MS = 160;
const WITHDRAWALS = Uint8Array.of(1, 2, 3);

/** Descriptors that exist, and what becomes of them. */
class Kernel {
  readonly open = new Set<number>();
  readonly written: { fd: number; bytes: number[] }[] = [];
  readonly shut: number[] = [];
  /** Octets that a connection still takes. */
  room = Infinity;
  /** Called in the middle of a write. */
  during: () => void = () => {};
  #next = 100;

  libc(): Libc {
    const known = (fd: number): void => assert.ok(this.open.has(fd), `${fd} is not open`);
    const calls: Partial<Libc> = {
      duplicate: () => {
        // The lowest that is free, as the kernel does.
        let fd = 100;
        while (this.open.has(fd)) fd++;
        this.#next = fd;
        this.open.add(fd);
        return this.#next;
      },
      close: (fd) => {
        known(fd);
        this.open.delete(fd);
        return 0;
      },
      shutdown: (fd) => {
        known(fd);
        return this.shut.push(fd);
      },
      sendNow: (fd, bytes) => {
        known(fd);
        this.during();
        if (this.room === 0) return -11;
        const taken = [...bytes.slice(0, this.room)];
        this.written.push({ fd, bytes: taken });
        return taken.length;
      },
    };
    return calls as Libc;
  }
}

/** Main's slots and the thread's keeper, the time and the lease in the test's hand. */
class Bench {
  readonly kernel = new Kernel();
  readonly keeper: GuardKeeper;
  readonly main: GuardSlots;
  readonly told: string[] = [];
  now = 0;
  lease = 0;
  dead_man_ms = DEAD_MAN_MS;

  constructor() {
    const libc = this.kernel.libc();
    this.keeper = new GuardKeeper(libc, this.lease, this.now);
    this.main = new GuardSlots(libc, (slot) => this.keeper.add(slot));
  }

  protect(name: string, fd = 20): GuardedSession {
    const socket = { _handle: { fd } } as unknown as Socket;
    return this.main.protect(socket, () => this.told.push(name))!;
  }

  /** The thread's loop for so long; with `renew` main lives. */
  pass(ms: number, renew = false): void {
    const until = this.now + ms;
    while (this.now < until) {
      this.now = Math.min(until, Math.max(this.now + 1, this.keeper.next()), this.now + 100);
      if (renew) this.lease++;
      this.keeper.look(this.lease, this.dead_man_ms, this.now);
    }
  }
}

describe('the guard', () => {
  test('does nothing while the verdicts are renewed', () => {
    const bench = new Bench();
    bench.protect('a').update(WITHDRAWALS, true);
    bench.pass(10_000, true);
    assert.deepEqual(bench.kernel.written, []);
  });

  test('withdraws once, between the dead-man time and an eighth more', () => {
    const bench = new Bench();
    bench.protect('a').update(WITHDRAWALS, true);
    bench.pass(1_000, true);
    bench.pass(DEAD_MAN_MS - 1);
    assert.equal(bench.kernel.written.length, 0);
    bench.pass(1 + DEAD_MAN_MS / 8);
    assert.deepEqual(bench.kernel.written, [{ fd: 100, bytes: [1, 2, 3] }]);
    bench.pass(60_000);
    assert.equal(bench.kernel.written.length, 1);
    assert.deepEqual(bench.kernel.shut, []);
  });

  test('tells the session when the verdicts are renewed, not before, and guards it again', () => {
    const bench = new Bench();
    const session = bench.protect('a');
    session.update(WITHDRAWALS, true);
    bench.pass(1_000);
    assert.deepEqual(bench.told, []);
    bench.lease++;
    bench.main.resume();
    bench.main.resume();
    assert.deepEqual(bench.told, ['a']);
    bench.pass(1_000);
    assert.equal(bench.kernel.written.length, 1, 'the peer has nothing to lose');
    session.update(WITHDRAWALS, true);
    bench.pass(DEAD_MAN_MS * 2);
    assert.equal(bench.kernel.written.length, 2);
  });

  test('withdraws again what is announced while nobody renews: main runs, but does not decide', () => {
    const bench = new Bench();
    const session = bench.protect('a');
    session.update(WITHDRAWALS, true);
    bench.pass(1_000);
    session.update(Uint8Array.of(9), true);
    bench.pass(50);
    assert.deepEqual(
      bench.kernel.written.map(({ bytes }) => bytes),
      [[1, 2, 3], [9]],
    );
    bench.main.resume();
    assert.deepEqual(bench.told, ['a']);
  });

  test('ends the connection where a message is half sent, or the kernel takes only a part', () => {
    for (const [clean, room] of [
      [false, Infinity],
      [true, 2],
      [true, 0],
    ] as const) {
      const bench = new Bench();
      bench.kernel.room = room;
      const session = bench.protect('a');
      session.update(WITHDRAWALS, true);
      session.mark(clean);
      bench.pass(1_000);
      assert.deepEqual(bench.kernel.shut, [100]);
      assert.equal(bench.kernel.written.length, clean && room > 0 ? 1 : 0);
      bench.main.resume();
      assert.deepEqual(bench.told, [], 'the socket tells');
      session.release();
      assert.equal(bench.kernel.open.size, 0);
    }
  });

  test('leaves a session alone that has announced nothing', () => {
    const bench = new Bench();
    const session = bench.protect('a');
    bench.pass(1_000);
    session.update(new Uint8Array(0), false);
    bench.pass(1_000);
    assert.deepEqual([bench.kernel.written, bench.kernel.shut], [[], []]);
    session.update(WITHDRAWALS, true);
    bench.pass(50);
    assert.equal(bench.kernel.written.length, 1);
  });

  test('never writes to a descriptor that was given back, though its number lives on', () => {
    const bench = new Bench();
    const first = bench.protect('first');
    first.update(WITHDRAWALS, true);
    first.release();
    first.release();
    assert.equal(bench.kernel.open.size, 0);
    const second = bench.protect('second');
    assert.ok(bench.kernel.open.has(100), 'the kernel gives the same number again');
    second.update(new Uint8Array(0), true);
    first.update(WITHDRAWALS, true);
    bench.pass(10_000);
    assert.deepEqual(bench.kernel.written, []);
  });

  test('released in the middle of firing: closed once, by the thread, after its write', () => {
    const bench = new Bench();
    const session = bench.protect('a');
    session.update(WITHDRAWALS, true);
    bench.kernel.during = () => {
      session.release();
      assert.ok(bench.kernel.open.has(100), 'still in use');
    };
    bench.pass(1_000);
    assert.equal(bench.kernel.written.length, 1);
    assert.equal(bench.kernel.open.size, 0);
    bench.main.resume();
    assert.deepEqual(bench.told, []);
  });

  test('more to withdraw than there was room for', () => {
    const bench = new Bench();
    const session = bench.protect('a');
    const many = new Uint8Array(100_000).fill(7);
    session.update(WITHDRAWALS, true);
    session.update(many, true);
    bench.pass(1_000);
    assert.deepEqual(
      bench.kernel.written.map(({ bytes }) => bytes.length),
      [100_000],
    );
    session.update(new Uint8Array(300_000), true);
    bench.pass(50);
    assert.deepEqual(
      bench.kernel.written.map(({ bytes }) => bytes.length),
      [100_000, 300_000],
    );
    bench.main.resume();
    assert.deepEqual(bench.told, ['a']);
    session.release();
    assert.equal(bench.kernel.open.size, 0);
  });

  test('a machine that stood still as a whole gives main its time when both go on', () => {
    const bench = new Bench();
    bench.protect('a').update(WITHDRAWALS, true);
    bench.pass(1_000, true);
    bench.now += 5_000;
    bench.pass(DEAD_MAN_MS - 20);
    assert.deepEqual(bench.kernel.written, []);
    bench.pass(50);
    assert.equal(bench.kernel.written.length, 1);
  });

  test('dead-man time 0: never; and it can be set while sessions are guarded', () => {
    const bench = new Bench();
    bench.dead_man_ms = 0;
    bench.protect('a').update(WITHDRAWALS, true);
    bench.pass(100_000);
    assert.deepEqual(bench.kernel.written, []);
    bench.dead_man_ms = DEAD_MAN_MS;
    bench.pass(1_000);
    assert.equal(bench.kernel.written.length, 1);
  });

  test('where the machine cannot, nothing is protected', () => {
    const none = new GuardSlots(null, () => {});
    assert.equal(
      none.protect({ _handle: { fd: 3 } } as unknown as Socket, () => {}),
      null,
    );
    const bench = new Bench();
    assert.equal(
      bench.main.protect({ _handle: null } as unknown as Socket, () => {}),
      null,
    );
  });
});
