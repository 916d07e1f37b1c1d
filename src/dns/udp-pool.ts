/**
 * The UDP workers: for each listen address as many threads as configured, each with a socket of its
 * own on the same port. A thread that dies is replaced. With Node's own sockets (no koffi, or not
 * Linux) a port cannot be shared, so there is one thread for each address.
 */
import { Worker } from 'node:worker_threads';
import { type BackoffLimits, backoff_ms } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { HostPort } from '../net/ip.ts';
import { loadLibc } from '../net/libc.ts';
import { type DnsCounters, dnsCounters } from './respond.ts';
import type { Snapshot } from './snapshot.ts';
import { CONTROL, type FromWorker, type UdpEngine, type WorkerStart } from './udp-shared.ts';

/** How soon a worker that died is replaced. */
const RESPAWN: BackoffLimits = { first_ms: 100, max_ms: 10_000 };
const STOPPED = 'the DNS server was stopped';

/** One worker's place; the thread in it may change. */
interface Member {
  readonly listen: HostPort;
  /** Outlives the thread, so that sums never go down. */
  readonly counters: DnsCounters;
  worker: Worker;
  /** Version of the snapshot that it uses; -1 until its socket is bound. */
  using: number;
  /** Why it does not answer; null: it does, or is about to. */
  error: string | null;
  /** Deaths since it last took a snapshot. */
  failures: number;
  ended: Promise<void>;
  respawn: Timer | null;
}

interface Waiter {
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** The engine that this machine can run, given the one that is wished for. */
export function usableEngine(wish: UdpEngine): UdpEngine {
  return wish === 'batch' && loadLibc() ? 'batch' : 'dgram';
}

export class UdpPool {
  readonly engine: UdpEngine;
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #log: Log;
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL.WORDS * 4));
  #snapshot: Snapshot;
  #members: Member[] = [];
  #waiters: Waiter[] = [];
  #stopping = false;

  /** Answers will come from `snapshot`. */
  constructor(engine: UdpEngine, snapshot: Snapshot, clock: Clock, random: Prng, log: Log) {
    this.engine = usableEngine(engine);
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#prng = random;
    this.#log = log;
  }

  /** Resolves when every worker has bound its socket and answers; rejects if one cannot. */
  async start(listen: readonly HostPort[], workers: number): Promise<void> {
    if (this.#stopping) throw new Error(STOPPED);
    const each = this.engine === 'batch' ? workers : 1;
    for (const address of listen) {
      for (let i = 0; i < each; i++) this.#members.push(this.#member(address));
    }
    await this.#allUse(0);
  }

  /** Resolves when every worker answers from `snapshot`; rejects if one has died, or at a stop. */
  async use(snapshot: Snapshot): Promise<void> {
    const version = this.#control[CONTROL.SNAPSHOT]! + 1;
    this.#snapshot = snapshot;
    // The message is posted first, so that a worker which sees the version finds it.
    for (const { worker } of this.#members) worker.postMessage({ version, snapshot });
    Atomics.store(this.#control, CONTROL.SNAPSHOT, version);
    await this.#allUse(version);
  }

  /** Resolves when every thread has ended; packets that a worker had taken are answered. */
  async stop(): Promise<void> {
    this.#stopping = true;
    Atomics.store(this.#control, CONTROL.STOP, 1);
    for (const { worker, respawn } of this.#members) {
      respawn?.cancel();
      if (this.engine === 'dgram') worker.postMessage('stop');
    }
    await Promise.all(this.#members.map(({ ended }) => ended));
    this.#settle();
  }

  /** The counters of all workers; each set has one writer. */
  counters(): readonly DnsCounters[] {
    return this.#members.map(({ counters }) => counters);
  }

  #member(listen: HostPort): Member {
    const counters = dnsCounters();
    const member: Member = {
      listen,
      counters,
      ...this.#thread(listen, counters),
      using: -1,
      error: null,
      failures: 0,
      respawn: null,
    };
    this.#watch(member);
    return member;
  }

  #thread(listen: HostPort, counters: DnsCounters): Pick<Member, 'worker' | 'ended'> {
    const workerData: WorkerStart = {
      listen,
      engine: this.engine,
      seed: this.#prng.int(0x7fffffff),
      control: this.#control.buffer as SharedArrayBuffer,
      counters: counters.buffer,
      snapshot: this.#snapshot,
      version: this.#control[CONTROL.SNAPSHOT]!,
    };
    const worker = new Worker(new URL('./udp-worker.js', import.meta.url), { workerData });
    const ended = new Promise<void>((resolve) => worker.on('exit', () => resolve()));
    return { worker, ended };
  }

  #watch(member: Member): void {
    const { worker } = member;
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'failed') {
        member.error = message.error;
      } else {
        member.using = message.version;
        member.failures = 0;
      }
      this.#settle();
    });
    worker.on('error', (error) => {
      member.error = `a UDP worker failed: ${(error as Error).message}`;
    });
    worker.on('exit', () => {
      if (!this.#stopping) this.#onDeath(member);
    });
  }

  #onDeath(member: Member): void {
    member.error ??= 'a UDP worker ended';
    const bound = member.using >= 0;
    this.#settle();
    // One that never bound its socket is the operator's to mend: start() has said so.
    if (!bound && member.failures === 0) return;
    const again_ms = backoff_ms(RESPAWN, member.failures++, this.#prng);
    const { listen, error } = member;
    this.#log.error({ listen, error, again_ms }, 'a DNS worker died and will be replaced');
    member.respawn = this.#clock.timer(again_ms, () => {
      Object.assign(member, this.#thread(listen, member.counters), { using: -1, error: null });
      this.#watch(member);
    });
  }

  #allUse(version: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ version, resolve, reject });
      this.#settle();
    });
  }

  #settle(): void {
    const failed = this.#members.find(({ error }) => error !== null);
    const oldest = Math.min(...this.#members.map(({ using }) => using));
    this.#waiters = this.#waiters.filter(({ version, resolve, reject }) => {
      if (failed?.error) reject(new Error(failed.error));
      else if (oldest >= version) resolve();
      else if (this.#stopping) reject(new Error(STOPPED));
      else return true;
      return false;
    });
  }
}
