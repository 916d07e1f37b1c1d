/**
 * The UDP workers: for each listen address as many threads as configured, each with a socket of its
 * own on the same port. With Node's own sockets (no koffi, or not Linux) a port cannot be shared, so
 * there is one thread for each address.
 */
import { formatHostPort, type HostPort } from '../net/ip.ts';
import { loadLibc } from '../net/libc.ts';
import type { UdpEngine, UdpPlace } from './udp-shared.ts';
import type { Member, Place, WorkerPool } from './worker-pool.ts';

/** The engine that this machine can run, given the one that is wished for. */
export function usableEngine(wish: UdpEngine): UdpEngine {
  return wish === 'batch' && loadLibc() ? 'batch' : 'dgram';
}

export class UdpPool {
  readonly engine: UdpEngine;
  readonly #pool: WorkerPool;
  /** By address. */
  readonly #members = new Map<string, Member[]>();

  /** Its threads run in `pool`. */
  constructor(engine: UdpEngine, pool: WorkerPool) {
    this.engine = usableEngine(engine);
    this.#pool = pool;
  }

  /**
   * Makes it `workers` threads on each of `addresses` and none elsewhere. Resolves when all of them
   * have bound their sockets and answer; rejects if some cannot, which then are given up.
   */
  async listen(addresses: readonly HostPort[], workers: number): Promise<void> {
    const each = this.engine === 'batch' ? workers : 1;
    const wanted = new Map(addresses.map((address) => [formatHostPort(address), address]));
    const added: Member[] = [];
    const gone: Member[] = [];
    for (const [key, members] of this.#members) {
      gone.push(...members.splice(wanted.has(key) ? each : 0));
      if (members.length === 0) this.#members.delete(key);
    }
    for (const [key, address] of wanted) {
      const members = this.#members.get(key) ?? [];
      this.#members.set(key, members);
      while (members.length < each) {
        const member = this.#pool.add(this.#place(address));
        members.push(member);
        added.push(member);
      }
    }
    // The new ones answer before the old ones leave: on one address no query finds nobody. Each is
    // waited for, since one that never bound and stayed would fail every later reload.
    const bound = await Promise.allSettled(added.map((member) => this.#pool.ready([member])));
    const failed = new Set(added.filter((_, i) => bound[i]!.status === 'rejected'));
    for (const [key, members] of this.#members) {
      const left = members.filter((member) => !failed.has(member));
      if (left.length > 0) this.#members.set(key, left);
      else this.#members.delete(key);
    }
    await Promise.all([...gone, ...failed].map((member) => this.#pool.remove(member)));
    const failure = bound.find((result) => result.status === 'rejected');
    if (failure) throw failure.reason;
  }

  #place(listen: HostPort): Place {
    const own: UdpPlace = { listen, engine: this.engine };
    return {
      name: 'UDP worker',
      script: new URL('./udp-worker.js', import.meta.url),
      events: this.engine === 'dgram',
      own: () => own,
    };
  }
}
