/**
 * What a site sees of its own endpoints. Probes each of their targets on its interval, never twice at
 * once, never more than `probes_in_flight_max` together, and keeps a verdict on each target and on each
 * endpoint. Only endpoints whose home is this site are probed.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { ProbeTarget } from '../model/check.ts';
import type { Config, Endpoint } from '../model/config.ts';
import type { EndpointSight } from '../model/report.ts';
import { evaluateHealth, targetsOf } from './health.ts';
import { type Probe, probe } from './probe.ts';
import { judge, type ProbeResult, sight, UNKNOWN, type VerdictState } from './verdict.ts';

export const PROBES_IN_FLIGHT_MAX = 128;

export interface ObserverOptions {
  readonly config: Config;
  /** Name of this agent's site. */
  readonly site: string;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  readonly probe?: Probe;
  readonly probes_in_flight_max?: number;
}

interface Watch {
  target: ProbeTarget;
  state: VerdictState;
  /** When the last probe began, in milliseconds; null before the first. */
  begun: number | null;
  /** The wait for the next probe. */
  timer: Timer | null;
  /** Set while a probe is under way. */
  probing: AbortController | null;
}

/** An endpoint of this site; `targets` are ids. */
interface Subject {
  readonly endpoint: Endpoint;
  readonly targets: readonly string[];
  state: VerdictState;
}

/** An endpoint's verdict follows its targets at once: they have been counted. */
const AT_ONCE = { rise: 1, fall: 1 };

/** What is probed, without how often: while this stays, the verdict stays valid. */
function questionOf({ address, port, check }: ProbeTarget): string {
  const { interval_ms, interval_failing_ms, timeout_ms, rise, fall, jitter, name, ...question } =
    check;
  return JSON.stringify([address, port, question]);
}

export class Observer {
  /**
   * Resolves when every endpoint has had its first result, which is within the longest timeout
   * unless there are more than `probes_in_flight_max`. Also when the observer is stopped before.
   */
  readonly ready: Promise<void>;
  readonly #options: ObserverOptions;
  readonly #inFlightMax: number;
  readonly #probe: Probe;
  /** By target id. */
  readonly #watches = new Map<string, Watch>();
  /** By endpoint id. */
  #subjects = new Map<string, Subject>();
  #config: Config;
  readonly #verdicts: Listeners<{ id: string; sight: EndpointSight }>;
  /** Due, but held back by `probes_in_flight_max`; first come, first served. */
  #waiting: Watch[] = [];
  #inFlight = 0;
  #running = false;
  #resolveReady: () => void = () => {};

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#inFlightMax = options.probes_in_flight_max ?? PROBES_IN_FLIGHT_MAX;
    this.#probe = options.probe ?? probe;
    this.#verdicts = new Listeners((error) => {
      options.log.error({ error: String(error) }, 'a listener for verdicts failed');
    });
    this.ready = new Promise((resolve) => {
      this.#resolveReady = resolve;
    });
    this.#watch(options.config);
  }

  /** Begins to probe; the first probe of each endpoint goes out at once. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const watch of this.#watches.values()) this.#due(watch);
    this.#checkReady();
  }

  /** Endpoint id → what is known of it at `now`; an endpoint without a verdict is left out. */
  sights(now: number): Record<string, EndpointSight> {
    const sights: Record<string, EndpointSight> = {};
    for (const [id, { state }] of this.#subjects) {
      const seen = sight(state, now);
      if (seen) sights[id] = seen;
    }
    return sights;
  }

  /** Calls `listener` at each change of a verdict, the first one of an endpoint included. */
  onVerdict(listener: (endpointId: string, sight: EndpointSight) => void): () => void {
    return this.#verdicts.add(({ id, sight }) => listener(id, sight));
  }

  /**
   * Takes over a new configuration. An endpoint keeps its verdict while its address and what is
   * asked of it stay; new endpoints are probed at once; endpoints that are gone are probed no more.
   */
  reconfigure(config: Config): void {
    const before = new Map(this.#watches);
    this.#watches.clear();
    this.#watch(config);
    for (const [id, watch] of this.#watches) {
      const old = before.get(id);
      if (!old || questionOf(old.target) !== questionOf(watch.target)) continue;
      old.target = watch.target;
      this.#watches.set(id, old);
      before.delete(id);
      if (old.timer) this.#schedule(old);
    }
    for (const gone of before.values()) this.#drop(gone);
    for (const subject of this.#subjects.values()) {
      const isNew = subject.targets.some((id) => this.#watches.get(id)!.state.up === null);
      if (isNew) subject.state = UNKNOWN;
    }
    if (!this.#running) return;
    for (const watch of this.#watches.values()) {
      const fresh = watch.begun === null && !watch.probing && !this.#waiting.includes(watch);
      if (fresh) this.#due(watch);
    }
    this.#checkReady();
  }

  /** Ends every probe and timer at once; nothing is reported afterwards. */
  stop(): void {
    this.#running = false;
    for (const watch of this.#watches.values()) this.#drop(watch);
    this.#waiting = [];
    this.#resolveReady();
  }

  #watch(config: Config): void {
    this.#config = config;
    const before = this.#subjects;
    this.#subjects = new Map();
    const home = config.sites.findIndex(({ name }) => name === this.#options.site);
    for (const endpoint of config.endpoints) {
      if (endpoint.site !== home) continue;
      const targets = targetsOf(endpoint.health).map((index) => config.targets[index]!);
      const ids = targets.map(({ id }) => id);
      const old = before.get(endpoint.id);
      const state = old?.targets.join() === ids.join() ? old.state : UNKNOWN;
      this.#subjects.set(endpoint.id, { endpoint, targets: ids, state });
      for (const target of targets) {
        const watch = { target, state: UNKNOWN, begun: null, timer: null, probing: null };
        this.#watches.set(target.id, watch);
      }
    }
  }

  #drop(watch: Watch): void {
    watch.timer?.cancel();
    watch.timer = null;
    watch.probing?.abort();
    this.#waiting = this.#waiting.filter((other) => other !== watch);
  }

  #due(watch: Watch): void {
    watch.timer = null;
    this.#waiting.push(watch);
    this.#fill();
  }

  #fill(): void {
    while (this.#running && this.#inFlight < this.#inFlightMax) {
      const watch = this.#waiting.shift();
      if (!watch) return;
      this.#begin(watch);
    }
  }

  #begin(watch: Watch): void {
    const { clock } = this.#options;
    const probing = new AbortController();
    watch.probing = probing;
    watch.begun = clock.now();
    this.#inFlight++;
    void this.#probe(watch.target, clock, probing.signal).then((result) => {
      this.#inFlight--;
      watch.probing = null;
      if (!probing.signal.aborted) this.#end(watch, result);
      this.#fill();
    });
  }

  #end(watch: Watch, result: ProbeResult): void {
    const now = this.#options.clock.now();
    const first = watch.state.up === null;
    watch.state = judge(watch.state, result, now, watch.target.check)[0];
    this.#schedule(watch, first);
    for (const subject of this.#subjects.values()) {
      if (subject.targets.includes(watch.target.id)) this.#judge(subject, result.detail, now);
    }
    if (first) this.#checkReady();
  }

  #judge(subject: Subject, detail: string, now: number): void {
    const { targets } = this.#config;
    const up = (index: number) => this.#watches.get(targets[index]!.id)?.state.up ?? null;
    const ok = evaluateHealth(subject.endpoint.health, up);
    if (ok === null) return;
    const [state, changed] = judge(subject.state, { ok, detail }, now, AT_ONCE);
    subject.state = state;
    if (changed) this.#announce(subject.endpoint.id, state, now);
  }

  #announce(id: string, state: VerdictState, now: number): void {
    const seen = sight(state, now)!;
    const fields = { endpoint: id, up: seen.up, detail: seen.detail };
    this.#options.log.info(fields, seen.up ? 'endpoint is up' : 'endpoint is down');
    this.#verdicts.emit({ id, sight: seen });
  }

  /**
   * Sets the timer for the next probe, one interval after the beginning of the last, moved by the
   * jitter. The second probe comes anywhere within the interval: the first went out together with
   * all others, and from there on the load on the targets is spread.
   */
  #schedule(watch: Watch, second = false): void {
    const { clock, prng } = this.#options;
    const { interval_ms, jitter } = watch.target.check;
    const factor = second ? 0.5 + prng.next() / 2 : 1 + jitter * (2 * prng.next() - 1);
    watch.timer?.cancel();
    const wait_ms = watch.begun! + interval_ms * factor - clock.now();
    watch.timer = clock.timer(wait_ms, () => this.#due(watch));
  }

  #checkReady(): void {
    if (!this.#running) return;
    for (const { state } of this.#watches.values()) if (state.up === null) return;
    this.#resolveReady();
  }
}
