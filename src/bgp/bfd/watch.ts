/**
 * The watch thread as the rest of isobar sees it: BFD beside BGP sessions, and the guard over them
 * (ports.ts), in one thread that keeps its times whatever this one does. The thread is started with
 * the first need of it. Each watches the other: main a pulse of the thread, the thread the lease that
 * main renews. A thread that died or hangs is replaced, with all that it had to do.
 */
import type { Socket } from 'node:net';
import type { Worker } from 'node:worker_threads';
import { type BackoffLimits, backoff_ms } from '../../base/backoff.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Prng } from '../../base/prng.ts';
import { newThread } from '../../base/thread.ts';
import type { BfdSettings } from '../../model/bgp.ts';
import { parseAddress } from '../../net/ip.ts';
import { type Libc, loadLibc } from '../../net/libc.ts';
import { GuardSlots } from '../guard.ts';
import type {
  Bfd,
  BfdSession,
  BfdState,
  BfdStatus,
  BfdTarget,
  Guard,
  GuardedSession,
} from '../ports.ts';
import { type AuthKey, keyProblem } from './auth.ts';
import {
  CONTROL,
  type FromWatch,
  STOP,
  type ToWatch,
  type WatchCounts,
  type WatchedTarget,
  type WatchStart,
} from './watch-shared.ts';

/** A thread without a pulse for so many looks in a row hangs. */
const PULSE_LOOK_MS = 1_000;
const PULSE_LOOKS = 3;
const RESPAWN: BackoffLimits = { first_ms: 100, max_ms: 10_000 };
/** BFD sessions at most: at 50 ms each they take a few per cent of a core. */
const SESSIONS_MAX = 256;
/** Faster, and the thread would do nothing else. */
const INTERVAL_MIN_MS = 10;
/** How long a stop waits for a thread that should take 100 ms at most. */
const STOP_WAIT_MS = 1_000;

const SCRIPT = new URL('./watch-worker.js', import.meta.url);

const NO_KOFFI =
  'BFD and the dead man need the optional package koffi on 64-bit Linux, which is not there: ' +
  'BGP goes on without them';

export interface WatchPorts {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** The thread does not do its duties, and why; null: it does again. Must not throw. */
  readonly onProblem?: (problem: string | null) => void;
  /** For tests of machines without koffi, and of threads that fail. */
  readonly libc?: Libc | null;
  readonly script?: URL;
}

interface Session {
  /** What the thread calls it; null: the thread does not have it. */
  id: number | null;
  target: WatchedTarget;
  /** Null when it is closed. */
  changed: ((state: BfdState, text: string) => void) | null;
  status: BfdStatus | null;
  told: BfdState;
}

interface Thread {
  readonly worker: Worker;
  readonly control: Int32Array;
  readonly wake: number;
  readonly ended: Promise<void>;
  pulse: number;
  /** Looks without a pulse. */
  still: number;
}

export class WatchThread implements Bfd, Guard {
  readonly #ports: WatchPorts;
  readonly #libc: Libc | null;
  readonly #sessions = new Map<number, Session>();
  readonly #guard: GuardSlots;
  #ids = 0;
  #deadMan_ms = 0;
  #thread: Thread | null = null;
  #timer: Timer | null = null;
  #deaths = 0;
  #stopped = false;
  #problem: string | null = null;
  #counts: WatchCounts = { malformed: 0, unknown: 0 };
  /** CONTROL.FIRED as of the last time that the sessions were told. */
  #fired = 0;

  constructor(ports: WatchPorts) {
    this.#ports = ports;
    this.#libc = ports.libc === undefined ? loadLibc() : ports.libc;
    this.#guard = new GuardSlots(this.#libc, (slot) => {
      if (this.#deadMan_ms > 0) this.#tell({ kind: 'guard', slot });
    });
  }

  /** Why the thread does not do its duties; null: it does, or has none. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Packets on BFD's ports that were malformed, or of no session here. */
  get counts(): WatchCounts {
    return this.#counts;
  }

  /** How long verdicts may go without `renew`, in milliseconds; 0: for ever. Begins a lease. */
  setDeadMan(dead_man_ms: number): void {
    const before = this.#deadMan_ms;
    this.#deadMan_ms = this.#libc ? dead_man_ms : 0;
    if (dead_man_ms > 0 && !this.#libc) this.#say(NO_KOFFI);
    if (this.#deadMan_ms === before) return;
    // Before a shorter time is set: the lease of a longer one may be older than that.
    this.renew();
    // Slots that came while there was no dead man are not known to the thread.
    const slots = before === 0 ? this.#guard.slots() : [];
    if (this.#thread) {
      Atomics.store(this.#thread.control, CONTROL.DEAD_MAN_MS, this.#deadMan_ms);
      for (const slot of slots) this.#post(this.#thread, { kind: 'guard', slot });
    } else if (slots.length > 0 && !this.#timer) {
      this.#spawn(false);
    }
  }

  /**
   * The verdicts are of now, and have been applied: to be called with each decision. Sessions whose
   * routes were withdrawn because it was not called in time are told here.
   */
  renew(): void {
    if (this.#thread) {
      const { control } = this.#thread;
      Atomics.add(control, CONTROL.LEASE, 1);
      const fired = Atomics.load(control, CONTROL.FIRED);
      if (fired === this.#fired) return;
      this.#fired = fired;
    }
    this.#guard.resume();
  }

  protect(socket: Socket, fired: () => void): GuardedSession | null {
    return this.#stopped ? null : this.#guard.protect(socket, fired);
  }

  open(target: BfdTarget, changed: (state: BfdState, text: string) => void): BfdSession {
    const watched = watchedTarget(target);
    const session: Session = { id: null, target: watched, changed, status: null, told: 'down' };
    this.#enter(session);
    return {
      status: () => session.status,
      update: (settings, key) => this.#update(session, settings, key),
      close: () => {
        session.changed = null;
        this.#leave(session);
      },
    };
  }

  /**
   * Says AdminDown to all BFD peers and ends the thread; resolves when it has ended, after some
   * 100 ms. What is open or protected is so no more.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#sessions.clear();
    const thread = this.#thread;
    this.#thread = null;
    if (!thread) return;
    thread.worker.ref();
    end(thread, STOP.GOODBYE, this.#libc!);
    await new Promise<void>((resolve) => {
      const timer = this.#ports.clock.timer(STOP_WAIT_MS, resolve);
      void thread.ended.then(() => {
        timer.cancel();
        resolve();
      });
    });
    thread.worker.unref(); // one that hangs does not keep the process
  }

  #refusal(target: WatchedTarget): string | null {
    if (!this.#libc) return NO_KOFFI;
    if (this.#stopped) return 'BFD has been stopped';
    for (const address of [target.address, target.source]) {
      if (address !== null && !parseAddress(address)) return `"${address}" is not an IP address`;
    }
    const { transmit_ms, receive_ms } = target.intervals;
    if (Math.min(transmit_ms, receive_ms) < INTERVAL_MIN_MS) {
      return `BFD intervals are at least ${INTERVAL_MIN_MS} ms`;
    }
    return target.auth && keyProblem(target.auth);
  }

  #enter(session: Session): void {
    const full = this.#sessions.size >= SESSIONS_MAX;
    const tooMany = `there are ${SESSIONS_MAX} BFD sessions already`;
    const refusal = full ? tooMany : this.#refusal(session.target);
    if (refusal !== null) {
      session.status = refusedStatus(refusal);
      // BGP goes on as if BFD were switched off at the peer.
      queueMicrotask(() => {
        if (session.id === null) session.changed?.('admin-down', refusal);
      });
      return;
    }
    session.id = ++this.#ids;
    session.status = null;
    session.told = 'down';
    this.#sessions.set(session.id, session);
    this.#tell({ kind: 'open', id: session.id, target: session.target });
  }

  #leave(session: Session): void {
    const { id } = session;
    session.id = null;
    if (id !== null && this.#sessions.delete(id) && this.#thread) this.#tell({ kind: 'close', id });
  }

  #update(session: Session, settings: BfdSettings, key: Uint8Array | null): void {
    if (session.changed === null) return;
    const intervals = intervalsOf(settings);
    const auth = authKey(settings, key);
    const target = { ...session.target, intervals, auth };
    session.target = target;
    if (session.id !== null && this.#refusal(target) === null) {
      this.#tell({ kind: 'update', id: session.id, intervals, auth });
      return;
    }
    this.#leave(session);
    this.#enter(session);
  }

  /** Without a thread there will be one that is told everything as it begins. */
  #tell(message: ToWatch): void {
    if (this.#thread) this.#post(this.#thread, message);
    else if (!this.#timer) this.#spawn(false);
  }

  #post(thread: Thread, message: ToWatch): void {
    thread.worker.postMessage(message);
    wake(thread, this.#libc!);
  }

  #spawn(replaces: boolean): void {
    if (this.#stopped || !this.#libc) return;
    const control = new Int32Array(new SharedArrayBuffer(CONTROL.WORDS * 4));
    control[CONTROL.DEAD_MAN_MS] = this.#deadMan_ms;
    this.#fired = -1; // what the one before has fired is told at the next renewal
    const eventfd = this.#libc.eventfd();
    const seed = this.#ports.prng.int(0x7fffffff);
    const workerData: WatchStart = {
      control: control.buffer as SharedArrayBuffer,
      wake: eventfd,
      seed,
      replaces,
    };
    let worker: Worker;
    try {
      worker = newThread(this.#ports.script ?? SCRIPT, workerData);
    } catch (error) {
      this.#libc.close(eventfd);
      this.#lost((error as Error).message); // the system has no thread left to give
      return;
    }
    const thread = this.#attend(worker, control, eventfd);
    this.#thread = thread;
    for (const [id, session] of this.#sessions) {
      // That the thread failed is no word about the way to the peer: nobody is told 'down'.
      session.told = 'down';
      session.status = null;
      this.#post(thread, { kind: 'open', id, target: session.target });
    }
    if (this.#deadMan_ms > 0) {
      for (const slot of this.#guard.slots()) this.#post(thread, { kind: 'guard', slot });
    }
    this.#timer = this.#ports.clock.timer(PULSE_LOOK_MS, () => this.#feelPulse());
  }

  #attend(worker: Worker, control: Int32Array, eventfd: number): Thread {
    let cause = 'it ended';
    worker.on('error', (error) => {
      cause = (error as Error).message;
    });
    const ended = new Promise<void>((resolve) => worker.on('exit', () => resolve()));
    const thread: Thread = { worker, control, wake: eventfd, ended, pulse: 0, still: 0 };
    worker.on('message', (message: FromWatch) => this.#hear(thread, message));
    worker.unref(); // after that, since to listen to its messages holds the process
    void ended.then(() => {
      this.#libc?.close(eventfd);
      if (this.#thread === thread) this.#lost(cause);
    });
    return thread;
  }

  #feelPulse(): void {
    const thread = this.#thread;
    if (!thread) return;
    const pulse = Atomics.load(thread.control, CONTROL.PULSE);
    thread.still = pulse === thread.pulse ? thread.still + 1 : 0;
    thread.pulse = pulse;
    if (thread.still >= PULSE_LOOKS) {
      // It cannot be ended, only asked to end when it comes to itself.
      end(thread, STOP.SILENTLY, this.#libc!);
      this.#lost(`it did nothing for ${PULSE_LOOKS} s`, true);
      return;
    }
    if (thread.still === 0 && pulse > 0) {
      this.#deaths = 0;
      this.#say(null);
    }
    this.#timer = this.#ports.clock.timer(PULSE_LOOK_MS, () => this.#feelPulse());
  }

  #lost(cause: string, replaces = false): void {
    this.#thread = null;
    this.#timer?.cancel();
    const again_ms = backoff_ms(RESPAWN, this.#deaths++, this.#ports.prng);
    this.#say(`the thread of BFD and the dead man failed: ${cause}; it is replaced`);
    this.#timer = this.#ports.clock.timer(again_ms, () => {
      this.#timer = null;
      this.#spawn(replaces);
    });
  }

  #say(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem === null) this.#ports.log.info({}, 'BFD and the dead man work again');
    else this.#ports.log.error({}, problem);
    this.#ports.onProblem?.(problem);
  }

  #hear(thread: Thread, message: FromWatch): void {
    Atomics.add(thread.control, CONTROL.HEARD, 1);
    if (this.#thread !== thread) return;
    switch (message.kind) {
      case 'changed':
        this.#know(message.id, message.status, message.text);
        break;
      case 'statuses':
        this.#counts = message.counts;
        for (const [id, status] of message.statuses) this.#know(id, status, 'BFD changed');
        break;
      case 'fired': {
        const { withdrawn, cut, lease } = message;
        const text = 'the verdicts were not renewed in time: the guard withdrew all routes';
        this.#ports.log.error({ withdrawn, cut, dead_man_ms: this.#deadMan_ms }, text);
        // A renewal that came as it fired has not seen it.
        if (Atomics.load(thread.control, CONTROL.LEASE) !== lease) this.#guard.resume();
        break;
      }
    }
  }

  #know(id: number, status: BfdStatus, text: string): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    session.status = status;
    const { state, remote_state } = status;
    const seen = state === 'down' && remote_state === 'admin-down' ? 'admin-down' : state;
    if (seen === session.told) return;
    session.told = seen;
    session.changed?.(seen, text);
  }
}

function wake(thread: Thread, libc: Libc): void {
  libc.write(thread.wake, new Uint8Array(new BigUint64Array([1n]).buffer));
}

function end(thread: Thread, how: number, libc: Libc): void {
  Atomics.store(thread.control, CONTROL.STOP, how);
  wake(thread, libc);
}

const intervalsOf = ({ transmit_ms, receive_ms, multiplier }: BfdSettings) => ({
  transmit_ms,
  receive_ms,
  multiplier,
});

function authKey({ auth }: BfdSettings, key: Uint8Array | null): AuthKey | null {
  return auth && { kind: auth.kind, key_id: auth.key_id, key: key ?? new Uint8Array(0) };
}

function watchedTarget({ address, source, settings, key, ...target }: BfdTarget): WatchedTarget {
  return {
    multihop: settings.multihop,
    address,
    source,
    interface: target.interface,
    intervals: intervalsOf(settings),
    auth: authKey(settings, key),
  };
}

const refusedStatus = (problem: string): BfdStatus => ({
  state: 'admin-down',
  remote_state: 'down',
  diagnostic: null,
  remote_diagnostic: null,
  transmit_ms: 0,
  detection_ms: 0,
  for_ms: 0,
  packets_in: 0,
  packets_out: 0,
  discarded: 0,
  downs: 0,
  problem,
});
