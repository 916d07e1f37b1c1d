/** The stream thread's place in the pool: what it shall have open, and what it has. */
import type { DnsListen } from '../model/config.ts';
import { readCertificate } from './stream-certificate.ts';
import {
  type Bind,
  type StreamCounters,
  type StreamPlace,
  type StreamSettings,
  streamCounters,
} from './stream-shared.ts';
import type { WorkerPool } from './worker-pool.ts';
import type { Listening, StreamState } from './worker-shared.ts';

export class StreamPool {
  readonly #pool: WorkerPool;
  /** Outlives the thread. */
  readonly counters: StreamCounters = streamCounters();
  #bind: Bind;
  #settings: StreamSettings;
  #state: StreamState = { listening: [], problems: [] };

  /** Its thread runs in `pool`. `takeOver`: its addresses may be those of another process. */
  constructor(pool: WorkerPool, dns: DnsListen, takeOver: boolean) {
    this.#pool = pool;
    this.#settings = settingsOf(dns);
    this.#bind = takeOver ? 'beside' : 'alone';
  }

  get listening(): readonly Listening[] {
    return this.#state.listening;
  }

  /** What the thread could not have open, one sentence each. */
  get problems(): readonly string[] {
    return this.#state.problems;
  }

  /** Resolves when every address is listened on; rejects with one clear sentence if one cannot be. */
  async start(): Promise<void> {
    const { tls } = this.#settings;
    if (tls) await readCertificate(tls);
    const member = this.#pool.add({
      name: 'stream thread',
      script: new URL('./stream-worker.js', import.meta.url),
      events: true,
      own: (): StreamPlace => ({
        settings: this.#settings,
        bind: this.#bind,
        counters: this.counters.buffer,
      }),
      onStreams: (state) => this.#take(state),
    });
    await this.#pool.ready([member]);
    const [problem] = this.#state.problems;
    if (problem) throw new Error(problem);
  }

  /** To be in use with the pool's next snapshot. */
  set(dns: DnsListen): void {
    this.#settings = this.#bound(settingsOf(dns));
  }

  /** A thread in this one's place has the same ports, and what it leaves behind is no obstacle. */
  #take(state: StreamState): void {
    this.#state = state;
    this.#settings = this.#bound(this.#settings);
    this.#bind = 'again';
  }

  /** With the real ports where 0 was asked for and one is had. */
  #bound(settings: StreamSettings): StreamSettings {
    const { tls } = settings;
    const real = (kind: Listening['kind'], addresses: DnsListen['listen']): DnsListen['listen'] =>
      addresses.map((at) => {
        const had = this.#state.listening.find(
          (one) =>
            one.kind === kind && one.asked.address === at.address && one.asked.port === at.port,
        );
        return had?.bound ?? at;
      });
    return {
      ...settings,
      listen: real('tcp', settings.listen),
      tls: tls && {
        ...tls,
        listen: real('tls', tls.listen),
        https_listen: real('https', tls.https_listen),
      },
    };
  }
}

function settingsOf(dns: DnsListen): StreamSettings {
  const { listen, tls, tcp_clients_max, tcp_clients_per_address_max, tcp_idle_ms } = dns;
  return { listen, tls, tcp_clients_max, tcp_clients_per_address_max, tcp_idle_ms };
}
