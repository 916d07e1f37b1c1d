/**
 * Keeps the VIPs' addresses on an interface (usually the loopback) in step with what is wanted. It
 * looks at what stands, changes only the difference, and looks again; so it takes over what a daemon
 * before it left, and mends what somebody took away. An address that it did not put is never removed,
 * and counts as present if a VIP needs it.
 *
 * Only host prefixes (/32, /128) are put: of a larger one, which address a machine should have is the
 * operator's choice, and such a VIP is present as soon as its host prefixes are.
 */
import { backoff_ms } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { family, formatAddress, parsePrefix } from '../net/ip.ts';

/** An address on the interface, in canonical text. */
export interface StandingAddress {
  readonly address: string;
  /** It carries our mark: a holder put it, this one or one before a restart. */
  readonly ours: boolean;
}

/** How addresses get onto the interface. Both reject with one line on what went wrong. */
export interface VipDriver {
  list(): Promise<readonly StandingAddress[]>;
  /** Adds with our mark; what is done when it rejects is found by `list`. */
  change(add: readonly string[], remove: readonly string[]): Promise<void>;
}

export interface WantedVip {
  readonly name: string;
  readonly prefixes: readonly string[];
  /** False: it may leave, once `settle_ms` has passed. */
  readonly present: boolean;
}

export interface VipHolderOptions {
  /** For the log. */
  readonly interface: string;
  readonly driver: VipDriver;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  /** How long an address stays after it is not wanted any more, for packets on their way. */
  readonly settle_ms: number;
}

export interface VipStatus {
  readonly name: string;
  readonly wanted: boolean;
  readonly present: boolean;
  readonly addresses: readonly string[];
}

/** How soon an address that somebody took away is put back. */
const CHECK_MS = 10_000;
const RETRY = { first_ms: 250, max_ms: 30_000 };

interface Vip extends WantedVip {
  readonly addresses: readonly string[];
}

interface Waiting {
  readonly name: string;
  readonly done: (present: boolean) => void;
}

export class VipHolder {
  readonly #options: VipHolderOptions;
  #vips: ReadonlyMap<string, Vip> = new Map();
  /** What stood when we last looked; null: we have not seen it yet. */
  #standing: ReadonlySet<string> | null = null;
  /** When an address of ours was first seen without a VIP that wants it. */
  readonly #unwanted = new Map<string, number>();
  #waiting: Waiting[] = [];
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  /** Something changed while a run was under way. */
  #again = false;
  #failures = 0;
  #error: string | null = null;
  /** Set by the first `want`: before it nothing is known to be unwanted. */
  #told = false;
  #closed = false;

  constructor(options: VipHolderOptions) {
    this.#options = options;
  }

  /** Why the interface is not as it should be, or null. */
  get error(): string | null {
    return this.#error;
  }

  /** Replaces what is wanted. A prefix that cannot be read throws a RangeError: config checks them. */
  want(vips: readonly WantedVip[]): void {
    this.#vips = new Map(vips.map((vip) => [vip.name, { ...vip, addresses: hostAddresses(vip) }]));
    this.#told = true;
    this.#answer();
    this.#run();
  }

  /** True if all of the VIP's addresses stood when we last looked. */
  isPresent(name: string): boolean {
    const vip = this.#vips.get(name);
    return vip !== undefined && this.#stands(vip);
  }

  /** Resolves with true once the VIP is present, with false once it is not wanted any more. */
  whenPresent(name: string): Promise<boolean> {
    return new Promise((done) => {
      this.#waiting.push({ name, done });
      this.#answer();
    });
  }

  status(): VipStatus[] {
    return [...this.#vips.values()].map((vip) => ({
      name: vip.name,
      wanted: vip.present,
      present: this.#stands(vip),
      addresses: vip.addresses,
    }));
  }

  /** Changes nothing more; what stands stays, for the daemon that comes next. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#answer();
    await this.#running;
  }

  /**
   * Takes all that is ours off, at once, and changes nothing more: where no daemon comes next. Rejects
   * with one line if something is left.
   */
  async clear(): Promise<void> {
    await this.close();
    const { driver } = this.#options;
    const ours = (await driver.list()).flatMap(({ address, ours }) => (ours ? [address] : []));
    if (ours.length > 0) await driver.change([], ours);
  }

  #stands({ addresses }: Vip): boolean {
    const standing = this.#standing;
    return standing !== null && addresses.every((address) => standing.has(address));
  }

  /** Tells those who wait what has become certain. */
  #answer(): void {
    this.#waiting = this.#waiting.filter(({ name, done }) => {
      const vip = this.#vips.get(name);
      const wanted = !this.#closed && vip?.present === true;
      const present = wanted && this.#stands(vip);
      if (wanted && !present) return true;
      done(present);
      return false;
    });
  }

  #run(): void {
    this.#again = true;
    this.#running ??= this.#reconcile().finally(() => {
      this.#running = null;
      // Asked for after the last look, but before this.
      if (this.#again && !this.#closed) this.#run();
    });
  }

  async #reconcile(): Promise<void> {
    let wait_ms = CHECK_MS;
    while (this.#again && !this.#closed) {
      this.#again = false;
      this.#timer?.cancel();
      try {
        wait_ms = await this.#step();
        if (this.#error !== null) this.#options.log.info(this.#fields(), 'VIPs stand again');
        this.#error = null;
        this.#failures = 0;
      } catch (error) {
        wait_ms = this.#failed(error instanceof Error ? error.message : String(error));
      }
    }
    if (!this.#closed) this.#timer = this.#options.clock.timer(wait_ms, () => this.#run());
  }

  /** Looks, changes the difference, looks again. When to look next, in milliseconds. */
  async #step(): Promise<number> {
    const { driver, log } = this.#options;
    const { add, remove, due_ms } = this.#difference(await this.#look());
    if (add.length + remove.length === 0) return due_ms;
    if (this.#closed) return due_ms;
    const wrong = await driver.change(add, remove).then(
      () => null,
      (error: Error) => error,
    );
    const left = this.#difference(await this.#look());
    if (wrong && left.add.length + left.remove.length > 0) throw wrong;
    for (const address of remove) this.#unwanted.delete(address);
    log.info({ ...this.#fields(), add, remove }, 'VIPs put on and taken off');
    return left.due_ms;
  }

  async #look(): Promise<readonly StandingAddress[]> {
    const standing = await this.#options.driver.list();
    this.#standing = new Set(standing.map(({ address }) => address));
    this.#answer();
    return standing;
  }

  #difference(standing: readonly StandingAddress[]): {
    readonly add: readonly string[];
    readonly remove: readonly string[];
    /** Until the next address may leave, or the next look. */
    readonly due_ms: number;
  } {
    const { clock, settle_ms } = this.#options;
    const there = new Set(standing.map(({ address }) => address));
    const wanted = new Set(
      [...this.#vips.values()]
        .filter(({ present }) => present)
        .flatMap(({ addresses }) => addresses),
    );
    const remove: string[] = [];
    let due_ms = CHECK_MS;
    for (const address of this.#unwanted.keys()) {
      if (wanted.has(address) || !there.has(address)) this.#unwanted.delete(address);
    }
    for (const { address, ours } of standing) {
      if (!ours || !this.#told || wanted.has(address)) continue;
      const since = this.#unwanted.get(address) ?? clock.now();
      this.#unwanted.set(address, since);
      const left_ms = since + settle_ms - clock.now();
      if (left_ms <= 0) remove.push(address);
      else due_ms = Math.min(due_ms, left_ms);
    }
    return { add: [...wanted].filter((address) => !there.has(address)), remove, due_ms };
  }

  #failed(text: string): number {
    const { prng, log } = this.#options;
    if (this.#error === null) log.error({ ...this.#fields(), error: text }, 'VIPs cannot be set');
    this.#error = text;
    return backoff_ms(RETRY, this.#failures++, prng);
  }

  #fields(): object {
    return { interface: this.#options.interface };
  }
}

/** The addresses of a VIP's host prefixes, in canonical text. */
function hostAddresses({ name, prefixes }: WantedVip): string[] {
  return prefixes.flatMap((text) => {
    const prefix = parsePrefix(text);
    if (!prefix) throw new RangeError(`${name}: prefix "${text}"`);
    const host = prefix.length === (family(prefix.address) === 4 ? 32 : 128);
    return host ? [formatAddress(prefix.address)] : [];
  });
}
