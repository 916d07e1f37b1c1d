/**
 * Whose turn it is to probe: bounds the probes in flight, in total and to one address, and shares the
 * slots out so that targets that hang cannot keep those that answer from being probed.
 *
 * Must hold: probes that hang have half of the slots at most. A probe of which nobody knew that it
 * would hang is moved to that half when others wait, or put back, once its patience is over; so a
 * target that answers waits for its turn no longer than that.
 */
import type { Clock, Timer } from '../base/clock.ts';

/** While probes wait, so often it is looked for those that are overdue. */
const PRESSURE_TICK_MS = 50;

export interface Job {
  /** Where its probe goes. */
  readonly address: string;
  /** True if its last probe is known to have hung. */
  slow: boolean;
  /** How long its probe may take while others wait, in milliseconds. */
  patience_ms: number;
  /** When its last probe began; null before the first. */
  begun: number | null;
  /** Kept by the queue: only a job that stands `idle` may be added. */
  standing: 'idle' | 'waiting' | 'probing';
}

export interface ProbeQueueOptions<J extends Job> {
  readonly clock: Clock;
  /** Probes in flight at most (at least 2: one for those that hang), and to one address. */
  readonly in_flight_max: number;
  readonly per_address_max: number;
  /** Sends the probe of a job; `ended` must follow. */
  readonly begin: (job: J) => void;
  /** Ends the probe of a job without a result; `ended` must follow, and then `add` again. */
  readonly putBack: (job: J) => void;
}

interface Host<J> {
  probing: number;
  readonly waiting: J[];
}

export class ProbeQueue<J extends Job> {
  readonly #options: ProbeQueueOptions<J>;
  readonly #slowMax: number;
  readonly #quick = new Lane<J>();
  readonly #slow = new Lane<J>();
  /** By address; only those that are being probed. */
  readonly #hosts = new Map<string, Host<J>>();
  #pressure: Timer | null = null;

  constructor(options: ProbeQueueOptions<J>) {
    this.#options = options;
    this.#slowMax = Math.floor(options.in_flight_max / 2);
  }

  /** The job is due. */
  add(job: J): void {
    job.standing = 'waiting';
    this.#enqueue(job);
    this.#fill();
  }

  /** The job is not due any more. If its probe is under way, `ended` is still to come. */
  remove(job: J): void {
    // Its place in the queue stays and is skipped: to search for it would take long.
    if (job.standing === 'waiting') job.standing = 'idle';
  }

  /** The job's probe has ended and its slot is free. */
  ended(job: J): void {
    job.standing = 'idle';
    this.#quick.probing.delete(job);
    this.#slow.probing.delete(job);
    this.#leave(job.address);
    this.#fill();
  }

  /** Forgets all who wait. */
  clear(): void {
    this.#quick.waiting.clear();
    this.#slow.waiting.clear();
    for (const { waiting } of this.#hosts.values()) waiting.length = 0;
    this.#pressure?.cancel();
    this.#pressure = null;
  }

  #enqueue(job: J): void {
    (job.slow ? this.#slow : this.#quick).waiting.put(job);
  }

  #fill(): void {
    while (this.#hasSlot()) {
      const slow = this.#slow.probing.size < this.#slowMax ? this.#next(this.#slow) : null;
      const job = slow ?? this.#next(this.#quick);
      if (job === null) return;
      job.standing = 'probing';
      (slow ? this.#slow : this.#quick).probing.add(job);
      this.#options.begin(job);
    }
    if (this.#quick.waiting.size > 0) this.#press();
  }

  #hasSlot(): boolean {
    return this.#quick.probing.size + this.#slow.probing.size < this.#options.in_flight_max;
  }

  /** The first who waits and whose address has room; others on the way wait at theirs. */
  #next(lane: Lane<J>): J | null {
    for (;;) {
      const job = lane.waiting.take();
      if (job === undefined) return null;
      if (job.standing !== 'waiting') this.#unpark(job.address);
      else if (this.#enter(job)) return job;
    }
  }

  #enter(job: J): boolean {
    const host = this.#hosts.get(job.address);
    if (host === undefined) {
      this.#hosts.set(job.address, { probing: 1, waiting: [] });
      return true;
    }
    if (host.probing >= this.#options.per_address_max) {
      host.waiting.push(job);
      return false;
    }
    host.probing++;
    return true;
  }

  #leave(address: string): void {
    this.#hosts.get(address)!.probing--;
    this.#unpark(address);
  }

  /** Lets the next one who waits for room at the address have a turn. */
  #unpark(address: string): void {
    const host = this.#hosts.get(address);
    if (host === undefined) return;
    for (let job = host.waiting.shift(); job !== undefined; job = host.waiting.shift()) {
      if (job.standing !== 'waiting') continue;
      this.#enqueue(job);
      break;
    }
    if (host.probing === 0 && host.waiting.length === 0) this.#hosts.delete(address);
  }

  #press(): void {
    this.#pressure ??= this.#options.clock.timer(PRESSURE_TICK_MS, () => {
      this.#pressure = null;
      this.#relieve();
      this.#fill();
    });
  }

  #relieve(): void {
    const now = this.#options.clock.now();
    for (const job of [...this.#quick.probing]) {
      if (now - job.begun! <= job.patience_ms) continue;
      job.slow = true;
      if (this.#slow.probing.size >= this.#slowMax) {
        this.#options.putBack(job);
        continue;
      }
      this.#quick.probing.delete(job);
      this.#slow.probing.add(job);
    }
  }
}

class Lane<J> {
  readonly waiting = new Fifo<J>();
  readonly probing = new Set<J>();
}

/** First in, first out; neither end costs more as it grows. */
class Fifo<Item> {
  #items: Item[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  put(item: Item): void {
    this.#items.push(item);
  }

  take(): Item | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head * 2 < this.#items.length) return item;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
