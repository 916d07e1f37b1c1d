/**
 * Probes targets, each on its own interval, and keeps a verdict on each of them.
 *
 * Must hold: a target is never probed twice at once; no probe or timer outlives its target; what a
 * result costs does not depend on how many targets there are.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Prng } from '../base/prng.ts';
import type { Check, ProbeTarget } from '../model/check.ts';
import type { Probe } from './probe.ts';
import { type Job, ProbeQueue } from './probe-queue.ts';
import { judge, type ProbeResult, UNKNOWN, type VerdictState } from './verdict.ts';

export const PROBES_IN_FLIGHT_MAX = 1024;
/** To one address, which is a load balancer that many checks may ask. */
export const PROBES_PER_ADDRESS_MAX = 8;

/** A probe that fails later than this has hung; see `ProbeQueue`. */
const PATIENCE_MS = 100;

export interface ProberOptions {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly probe: Probe;
  readonly in_flight_max?: number;
  readonly per_address_max?: number;
  /** A probe has ended; what is known of its target has changed from `before`. */
  readonly onResult: (targetId: string, now: TargetSight, before: TargetSight) => void;
}

/** What is known of one target. */
export interface TargetSight {
  readonly verdict: VerdictState;
  /** Whether its last probe succeeded; null before the first. */
  readonly ok: boolean | null;
}

const UNSEEN: TargetSight = { verdict: UNKNOWN, ok: null };

interface Watch extends Job {
  target: ProbeTarget;
  sight: TargetSight;
  /** So many intervals after the beginning of the last probe the next is due. */
  intervals: number;
  /** The wait for the next probe. */
  timer: Timer | null;
  /** Set while a probe is under way. */
  probing: AbortController | null;
  /** Its probe was ended and is to be made again. */
  again: boolean;
}

const questions = new WeakMap<Check, string>();

/** What is asked, without how often: while this and the address stay, the verdict stays valid. */
function questionOf(check: Check): string {
  const { interval_ms, interval_failing_ms, timeout_ms, rise, fall, jitter, name, ...question } =
    check;
  const known = questions.get(check) ?? JSON.stringify(question);
  questions.set(check, known);
  return known;
}

function sameQuestion(a: ProbeTarget, b: ProbeTarget): boolean {
  if (a.address !== b.address || a.port !== b.port) return false;
  return a.check === b.check || questionOf(a.check) === questionOf(b.check);
}

export class Prober {
  readonly #options: ProberOptions;
  /** By target id. */
  #watches = new Map<string, Watch>();
  readonly #queue: ProbeQueue<Watch>;
  #running = false;

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#queue = new ProbeQueue({
      clock: options.clock,
      in_flight_max: options.in_flight_max ?? PROBES_IN_FLIGHT_MAX,
      per_address_max: options.per_address_max ?? PROBES_PER_ADDRESS_MAX,
      begin: (watch) => void this.#begin(watch),
      putBack: (watch) => this.#again(watch),
    });
  }

  /** Begins to probe; the first probe of each target goes out at once, the first targets first. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const watch of this.#watches.values()) this.#queue.add(watch);
  }

  /** Ends every probe and timer at once; nothing is told afterwards. */
  stop(): void {
    this.#running = false;
    for (const watch of this.#watches.values()) this.#drop(watch);
    this.#queue.clear();
  }

  /**
   * From now on probes these targets, in place of those before. One of which the same is asked as
   * before keeps its verdict; a new one is probed at once.
   */
  watch(targets: readonly ProbeTarget[]): void {
    const before = this.#watches;
    this.#watches = new Map();
    const fresh: Watch[] = [];
    for (const target of targets) {
      const old = before.get(target.id);
      if (old && sameQuestion(old.target, target)) {
        before.delete(target.id);
        this.#watches.set(target.id, old);
        const { interval_ms, interval_failing_ms } = old.target.check;
        old.target = target;
        const { check } = target;
        const same =
          check.interval_ms === interval_ms && check.interval_failing_ms === interval_failing_ms;
        if (old.timer && !same) this.#schedule(old);
      } else {
        const watch = begin(target);
        this.#watches.set(target.id, watch);
        fresh.push(watch);
      }
    }
    for (const gone of before.values()) this.#drop(gone);
    if (this.#running) for (const watch of fresh) this.#queue.add(watch);
  }

  sight(targetId: string): TargetSight {
    return this.#watches.get(targetId)?.sight ?? UNSEEN;
  }

  /**
   * Forgets the verdict on a target: its next result settles it at once. What is under way began when
   * things may have been otherwise, so it is made again.
   */
  forget(targetId: string): void {
    const watch = this.#watches.get(targetId);
    if (!watch) return;
    watch.sight = { ...watch.sight, verdict: UNKNOWN };
    this.#again(watch);
  }

  /** Ends a probe to make it once more, unless it is being ended already, perhaps for good. */
  #again(watch: Watch): void {
    if (watch.probing === null || watch.probing.signal.aborted) return;
    watch.again = true;
    watch.probing.abort();
  }

  #drop(watch: Watch): void {
    watch.timer?.cancel();
    watch.timer = null;
    watch.again = false;
    watch.probing?.abort();
    this.#queue.remove(watch);
  }

  async #begin(watch: Watch): Promise<void> {
    const { clock, probe } = this.#options;
    const { target } = watch;
    const probing = new AbortController();
    watch.probing = probing;
    watch.begun = clock.now();
    let result: ProbeResult;
    try {
      result = await probe(target, clock, probing.signal);
    } catch (error) {
      result = { ok: false, detail: `the probe itself failed: ${String(error)}` };
    }
    watch.probing = null;
    this.#queue.ended(watch);
    if (!probing.signal.aborted) this.#end(watch, result);
    if (watch.again) {
      watch.again = false;
      this.#queue.add(watch);
    }
  }

  #end(watch: Watch, result: ProbeResult): void {
    const now = this.#options.clock.now();
    const before = watch.sight;
    const took_ms = now - watch.begun!;
    watch.slow = !result.ok && took_ms > PATIENCE_MS;
    if (result.ok) watch.patience_ms = PATIENCE_MS + 2 * took_ms;
    const [verdict] = judge(before.verdict, result, now, watch.target.check);
    watch.sight = { verdict, ok: result.ok };
    // All first probes go out together. The second comes anywhere within the interval, so that from
    // there on the load on the targets is spread.
    const { jitter } = watch.target.check;
    const random = this.#options.prng.next();
    watch.intervals = before.ok === null ? random : 1 + jitter * (2 * random - 1);
    this.#schedule(watch);
    this.#options.onResult(watch.target.id, watch.sight, before);
  }

  /** Sets the timer for the next probe. */
  #schedule(watch: Watch): void {
    const { clock } = this.#options;
    const { interval_ms, interval_failing_ms } = watch.target.check;
    const { up, against } = watch.sight.verdict;
    const settled = up === true && against === 0;
    watch.timer?.cancel();
    const wait_ms = watch.begun! + watch.intervals * (settled ? interval_ms : interval_failing_ms);
    watch.timer = clock.timer(wait_ms - clock.now(), () => {
      watch.timer = null;
      this.#queue.add(watch);
    });
  }
}

function begin(target: ProbeTarget): Watch {
  return {
    target,
    address: target.address,
    sight: UNSEEN,
    intervals: 0,
    slow: false,
    patience_ms: PATIENCE_MS,
    begun: null,
    standing: 'idle',
    timer: null,
    probing: null,
    again: false,
  };
}
