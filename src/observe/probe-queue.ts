/**
 * Whose turn it is to probe: bounds the probes in flight, in total and to one address, and shares the
 * slots out so that targets that hang cannot keep those that answer from being probed.
 *
 * Must hold: probes that hang have half of the slots at most, in total and at each address. A probe of
 * which nobody knew that it would hang is moved to that half when others wait for a slot, or put back,
 * once its patience is over. Among those that hang, and among the others, who waits longest is next, so
 * nobody waits for ever.
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
  /** Probes in flight at most, and to one address; each at least 2: one for those that hang. */
  readonly in_flight_max: number;
  readonly per_address_max: number;
  /** Sends the probe of a job; `ended` must follow. */
  readonly begin: (job: J) => void;
  /** Ends the probe of a job without a result; `ended` must follow, and then `add` again. */
  readonly putBack: (job: J) => void;
}

type Kind = 'slow' | 'quick';

/** In the order in which they are served: those that hang are content with their half. */
const KINDS = ['slow', 'quick'] as const;

/** Slots of which those that hang may have half. */
class Slots {
  readonly #max: number;
  readonly #slowMax: number;
  #quick = 0;
  #slow = 0;

  constructor(max: number) {
    this.#max = max;
    this.#slowMax = Math.floor(max / 2);
  }

  get free(): boolean {
    return this.#quick + this.#slow === 0;
  }

  /** Whether one more of those that hang stays within their half. */
  get roomForSlow(): boolean {
    return this.#slow < this.#slowMax;
  }

  room(kind: Kind): boolean {
    if (this.#quick + this.#slow >= this.#max) return false;
    return kind === 'quick' || this.roomForSlow;
  }

  take(kind: Kind): void {
    this.#count(kind, 1);
  }

  release(kind: Kind): void {
    this.#count(kind, -1);
  }

  #count(kind: Kind, sign: 1 | -1): void {
    if (kind === 'slow') this.#slow += sign;
    else this.#quick += sign;
  }
}

interface Host<J> {
  readonly slots: Slots;
  /** Who came to the head of its lane while there was no room here. */
  readonly parked: { readonly [Each in Kind]: J[] };
}

export class ProbeQueue<J extends Job> {
  readonly #options: ProbeQueueOptions<J>;
  readonly #slots: Slots;
  readonly #lanes = { slow: new Lane<J>(), quick: new Lane<J>() };
  /** By address; only those that are being probed, or are about to be. */
  readonly #hosts = new Map<string, Host<J>>();
  #pressure: Timer | null = null;

  constructor(options: ProbeQueueOptions<J>) {
    this.#options = options;
    this.#slots = new Slots(options.in_flight_max);
  }

  /** The job is due. */
  add(job: J): void {
    job.standing = 'waiting';
    this.#lanes[job.slow ? 'slow' : 'quick'].waiting.put(job);
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
    const kind = this.#lanes.slow.probing.delete(job) ? 'slow' : 'quick';
    this.#lanes.quick.probing.delete(job);
    this.#slots.release(kind);
    this.#leave(job.address, kind);
    this.#fill();
  }

  /** Forgets all who wait. */
  clear(): void {
    for (const { parked } of this.#hosts.values()) {
      for (const kind of KINDS) parked[kind].length = 0;
    }
    for (const kind of KINDS) {
      const { called, waiting } = this.#lanes[kind];
      waiting.clear();
      for (let job = called.take(); job; job = called.take()) this.#leave(job.address, kind);
    }
    this.#pressure?.cancel();
    this.#pressure = null;
  }

  #fill(): void {
    for (let next = this.#next(); next; next = this.#next()) {
      const [job, kind] = next;
      this.#slots.take(kind);
      this.#lanes[kind].probing.add(job);
      job.standing = 'probing';
      this.#options.begin(job);
    }
    const { called, waiting } = this.#lanes.quick;
    if (called.size + waiting.size > 0) this.#press();
  }

  /** The next job that has a place at its address, if there is a slot for it. */
  #next(): [job: J, kind: Kind] | null {
    for (const kind of KINDS) {
      const job = this.#slots.room(kind) ? this.#head(kind) : null;
      if (job) return [job, kind];
    }
    return null;
  }

  /** Those on the way whose address has no room wait there. */
  #head(kind: Kind): J | null {
    const { called, waiting } = this.#lanes[kind];
    for (let job = called.take(); job; job = called.take()) {
      if (job.standing === 'waiting') return job;
      this.#leave(job.address, kind);
    }
    for (let job = waiting.take(); job; job = waiting.take()) {
      if (job.standing === 'waiting' && this.#enter(job, kind)) return job;
    }
    return null;
  }

  #enter(job: J, kind: Kind): boolean {
    let host = this.#hosts.get(job.address);
    if (host === undefined) {
      const slots = new Slots(this.#options.per_address_max);
      host = { slots, parked: { slow: [], quick: [] } };
      this.#hosts.set(job.address, host);
    }
    const room = host.slots.room(kind);
    if (room) host.slots.take(kind);
    else host.parked[kind].push(job);
    return room;
  }

  /** Hands a place at an address on to who has waited for it longest, ahead of all who come later. */
  #leave(address: string, left: Kind): void {
    const host = this.#hosts.get(address)!;
    const { slots, parked } = host;
    slots.release(left);
    for (const kind of KINDS) {
      while (slots.room(kind)) {
        const job = parked[kind].shift();
        if (job === undefined) break;
        if (job.standing !== 'waiting') continue;
        slots.take(kind);
        this.#lanes[kind].called.put(job);
      }
    }
    if (slots.free) this.#hosts.delete(address);
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
    const { slow, quick } = this.#lanes;
    for (const job of [...quick.probing]) {
      if (now - job.begun! <= job.patience_ms) continue;
      job.slow = true;
      if (!this.#slots.roomForSlow) {
        this.#options.putBack(job);
        continue;
      }
      quick.probing.delete(job);
      slow.probing.add(job);
      for (const slots of [this.#slots, this.#hosts.get(job.address)!.slots]) {
        slots.release('quick');
        slots.take('slow');
      }
    }
  }
}

class Lane<J> {
  readonly waiting = new Fifo<J>();
  /** Came to the head before those who wait, and has a place at its address since. */
  readonly called = new Fifo<J>();
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
