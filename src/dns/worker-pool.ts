/**
 * The threads that answer: UDP workers and the stream thread. A thread that dies is replaced, and
 * takes the newest snapshot. Every thread ends by itself when told to; none is ever ended from here.
 */
import type { Worker } from 'node:worker_threads';
import { type BackoffLimits, backoff_ms } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { newThread } from '../base/thread.ts';
import { DNS_COUNTERS, type DnsCounters, dnsCounters } from './respond.ts';
import type { Snapshot } from './snapshot.ts';
import {
  CONTROL,
  type FromWorker,
  type StreamState,
  type ToWorker,
  type WorkerStart,
} from './worker-shared.ts';

/** How soon a thread that died is replaced. */
const RESPAWN: BackoffLimits = { first_ms: 100, max_ms: 10_000 };
const STOPPED = 'the DNS server was stopped';

/** What runs in one place of the pool; the thread in it may change. */
export interface Place {
  /** For the log and in errors, e.g. "UDP worker". */
  readonly name: string;
  readonly script: URL;
  /** True: the thread runs an event loop, and is told to stop by a message as well. */
  readonly events: boolean;
  /** What each thread in this place is told, now and with each snapshot. */
  own(): object;
  /** Hears what the stream thread has open. */
  onStreams?(state: StreamState): void;
}

export interface Member {
  readonly place: Place;
  /** Outlives the thread, so that sums never go down. */
  readonly counters: DnsCounters;
  worker: Worker;
  control: Int32Array;
  /** Version of the snapshot that it uses; -1 until its sockets are bound. */
  using: number;
  /** Why it does not answer; null: it does, or is about to. */
  error: string | null;
  /** Deaths since it last took a snapshot. */
  failures: number;
  stopping: boolean;
  ended: Promise<void>;
  respawn: Timer | null;
}

interface Waiter {
  readonly version: number;
  readonly members: ReadonlySet<Member>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class WorkerPool {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #log: Log;
  /** Counts of places that are no more. */
  readonly #past = dnsCounters();
  readonly #members = new Set<Member>();
  #snapshot: Snapshot;
  #version = 0;
  #waiters: Waiter[] = [];
  #stopping = false;

  /** Answers will come from `snapshot`. */
  constructor(snapshot: Snapshot, clock: Clock, random: Prng, log: Log) {
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#prng = random;
    this.#log = log;
  }

  /** Starts a thread; `ready` tells when it answers. Throws after a stop. */
  add(place: Place): Member {
    if (this.#stopping) throw new Error(STOPPED);
    const counters = dnsCounters();
    const member: Member = {
      place,
      counters,
      ...this.#thread(place, counters),
      using: -1,
      error: null,
      failures: 0,
      stopping: false,
      respawn: null,
    };
    this.#members.add(member);
    this.#watch(member);
    return member;
  }

  /** Ends one thread after the answers under way; resolves when it has ended. */
  async remove(member: Member): Promise<void> {
    this.#end(member);
    await member.ended;
    if (!this.#members.delete(member)) return;
    for (const name of DNS_COUNTERS) this.#past.add(name, member.counters.get(name));
    this.#settle();
  }

  /** Resolves when all, or all of `members`, use the newest snapshot; rejects if one has died. */
  ready(members: Iterable<Member> = this.#members): Promise<void> {
    const set = new Set(members);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ version: this.#version, members: set, resolve, reject });
      this.#settle();
    });
  }

  /** Resolves when every thread answers from `snapshot`; rejects if one has died, or at a stop. */
  use(snapshot: Snapshot): Promise<void> {
    this.#snapshot = snapshot;
    this.#version++;
    for (const { worker, control, place } of this.#members) {
      const message: ToWorker<object> = { version: this.#version, snapshot, own: place.own() };
      // The message is posted first, so that a worker which sees the version finds it.
      worker.postMessage(message);
      Atomics.store(control, CONTROL.SNAPSHOT, this.#version);
    }
    return this.ready();
  }

  /** Resolves when every thread has ended; what they had taken is answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const member of this.#members) this.#end(member);
    await Promise.all([...this.#members].map(({ ended }) => ended));
    this.#settle();
  }

  /** One set for each thread, and one for those that are no more; each has one writer. */
  counters(): readonly DnsCounters[] {
    return [this.#past, ...[...this.#members].map(({ counters }) => counters)];
  }

  #end(member: Member): void {
    if (member.stopping) return;
    member.stopping = true;
    member.respawn?.cancel();
    Atomics.store(member.control, CONTROL.STOP, 1);
    if (member.place.events) member.worker.postMessage('stop');
  }

  #thread(place: Place, counters: DnsCounters): Pick<Member, 'worker' | 'control' | 'ended'> {
    const control = new Int32Array(new SharedArrayBuffer(CONTROL.WORDS * 4));
    control[CONTROL.SNAPSHOT] = this.#version;
    const workerData: WorkerStart<object> = {
      seed: this.#prng.int(0x7fffffff),
      control: control.buffer as SharedArrayBuffer,
      counters: counters.buffer,
      snapshot: this.#snapshot,
      version: this.#version,
      own: place.own(),
    };
    const worker = newThread(place.script, workerData);
    const ended = new Promise<void>((resolve) => worker.on('exit', () => resolve()));
    return { worker, control, ended };
  }

  #watch(member: Member): void {
    const { worker, place } = member;
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'log') {
        this.#log[message.level](message.fields, message.message);
        return;
      }
      if (message.kind === 'failed') {
        member.error = message.error;
      } else {
        if (message.streams) place.onStreams?.(message.streams);
        member.using = message.version;
        member.failures = 0;
      }
      this.#settle();
    });
    worker.on('error', (error) => {
      member.error = `a ${place.name} failed: ${(error as Error).message}`;
    });
    worker.on('exit', () => {
      if (!member.stopping) this.#onDeath(member);
    });
  }

  #onDeath(member: Member): void {
    const { place } = member;
    member.error ??= `a ${place.name} ended`;
    const bound = member.using >= 0;
    this.#settle();
    // One that never bound its socket is the operator's to mend: whoever waits for it is told.
    if (!bound && member.failures === 0) return;
    const again_ms = backoff_ms(RESPAWN, member.failures++, this.#prng);
    const { error } = member;
    const own = place.own();
    this.#log.error({ place: place.name, own, error, again_ms }, 'a DNS thread will be replaced');
    member.respawn = this.#clock.timer(again_ms, () => {
      Object.assign(member, this.#thread(place, member.counters), { using: -1, error: null });
      this.#watch(member);
    });
  }

  #settle(): void {
    this.#waiters = this.#waiters.filter(({ version, members, resolve, reject }) => {
      // A place that was given up meanwhile is waited for no more.
      const awaited = [...members].filter((member) => this.#members.has(member));
      const failed = awaited.find(({ error }) => error !== null);
      if (failed?.error) reject(new Error(failed.error));
      else if (awaited.every(({ using }) => using >= version)) resolve();
      else if (this.#stopping) reject(new Error(STOPPED));
      else return true;
      return false;
    });
  }
}
