/**
 * Carries out the plan's spill part through a tunnel and a steering driver, whichever they are.
 *
 * What always holds: at most one driver call is under way; of several plans that arrive meanwhile
 * only the newest is applied; a share in force is renewed well before its lease ends, and ends with
 * the lease when nobody renews it. A driver that fails is reported once, set up anew every tick
 * (a firewall's reload may have flushed what it made), and reported once more when it works again.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Config } from '../model/config.ts';
import type { SiteEvent } from '../model/event.ts';
import type { Reason, SpillPlan } from '../model/plan.ts';
import type { FlowCounts, SpillPeer, SteeringDriver, TunnelDriver } from './port.ts';

export interface SpillControllerOptions {
  readonly config: Config;
  readonly site: string;
  readonly tunnel: TunnelDriver;
  readonly steering: SteeringDriver;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEvent: (event: SiteEvent) => void;
  /** Called every tick, just after the counters were read (or could not be). */
  readonly onCounts: (counts: FlowCounts) => void;
}

type Shares = Readonly<Record<string, number>>;

/** A smaller move of a share is carried out but not told. */
const EVENT_STEP = 0.05;
/** A share that begins is told once it is as big as this. */
const EVENT_MIN = 0.01;
const RENEWALS_PER_LEASE = 3;

interface Wanted {
  readonly shares: Shares;
  readonly lease_ms: number;
  readonly reason: Reason | null;
}

/** Peers that `site` may have tunnels to. */
export function spillPeers(config: Config, site: string): SpillPeer[] {
  return config.sites.flatMap(({ name, spill }) =>
    name !== site && spill?.driver === 'kernel' ? [{ site: name, address: spill.address }] : [],
  );
}

function sameShares(a: Shares, b: Shares): boolean {
  const sites = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...sites].every((site) => (a[site] ?? 0) === (b[site] ?? 0));
}

const anyShare = (shares: Shares): boolean => Object.values(shares).some((share) => share > 0);
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

export class SpillController {
  readonly #options: SpillControllerOptions;
  readonly #tick_ms: number;
  #wanted: Wanted;
  /** What the driver accepted last; null: nothing yet, or it failed. */
  #applied: { readonly shares: Shares; readonly at: number } | null = null;
  #told: Record<string, number> = {};
  #tunnelsStand = false;
  #counts: FlowCounts = { kept: 0, sent: {}, guests: {} };
  #failing = false;
  #working: Promise<void> | null = null;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: SpillControllerOptions) {
    this.#options = options;
    const { tick_ms, lease_ms } = options.config.policy.spill;
    this.#tick_ms = tick_ms;
    this.#wanted = { shares: {}, lease_ms, reason: null };
  }

  /** The last counts read, at most one tick old. */
  counts(): FlowCounts {
    return this.#counts;
  }

  /**
   * Brings tunnels and steering up, with all shares 0. A failure is reported as an event and tried
   * again every tick, since the site serves without spill too; this never rejects.
   */
  async start(): Promise<void> {
    await this.#work();
    if (!this.#stopped) this.#schedule();
  }

  /** Takes effect now, or as soon as the driver call under way has ended. */
  apply(plan: SpillPlan): void {
    const { shares, lease_ms, reason } = plan;
    this.#wanted = { shares, lease_ms, reason };
    if (this.#timer && !this.#working && this.#isDue()) void this.#work();
  }

  /**
   * Ends spilling: all shares 0. Tunnels and flow memory stay, so that flows under way end in peace
   * and the next start takes over.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#wanted = { ...this.#wanted, shares: {}, reason: null };
    await this.#working;
    if (this.#applied && anyShare(this.#applied.shares)) await this.#report(() => this.#steer());
  }

  /**
   * `stop`, and everything that the drivers made is removed: flows under way break. A failure is
   * reported as an event; this never rejects.
   */
  async remove(): Promise<void> {
    const { steering, tunnel } = this.#options;
    await this.stop();
    await this.#report(async () => {
      await steering.close();
      await tunnel.remove();
    });
  }

  #schedule(): void {
    const { lease_ms } = this.#wanted;
    const wait_ms = Math.min(this.#tick_ms, lease_ms / RENEWALS_PER_LEASE);
    this.#timer = this.#options.clock.timer(wait_ms, () => {
      void this.#work().then(() => {
        if (this.#stopped) return;
        this.#options.onCounts(this.#counts);
        this.#schedule();
      });
    });
  }

  /** True when what the driver holds is not what is wanted, or needs renewal before the next tick. */
  #isDue(): boolean {
    if (!this.#applied || !sameShares(this.#applied.shares, this.#wanted.shares)) return true;
    const age_ms = this.#options.clock.now() - this.#applied.at;
    return anyShare(this.#wanted.shares) && age_ms * RENEWALS_PER_LEASE >= this.#wanted.lease_ms;
  }

  /** One round of driver calls; a round that is under way is shared by all who ask for one. */
  #work(): Promise<void> {
    this.#working ??= this.#report(() => this.#round()).finally(() => {
      this.#working = null;
    });
    return this.#working;
  }

  async #round(): Promise<void> {
    do {
      if (this.#isDue()) await this.#steer();
      this.#counts = await this.#options.steering.counts();
    } while (!this.#stopped && this.#isDue());
  }

  async #steer(): Promise<void> {
    const { tunnel, steering, config, site, clock } = this.#options;
    if (!this.#tunnelsStand) await tunnel.ensure(spillPeers(config, site));
    this.#tunnelsStand = true;
    const { shares, lease_ms, reason } = this.#wanted;
    const at = clock.now();
    await steering.apply(shares, lease_ms);
    this.#applied = { shares, at };
    this.#tell(shares, reason);
  }

  /** Runs driver calls; only changes between working and not working are told. */
  async #report(calls: () => Promise<void>): Promise<void> {
    const { steering, log } = this.#options;
    try {
      await calls();
    } catch (error) {
      this.#applied = null;
      this.#tunnelsStand = false;
      const text = error instanceof Error ? error.message : String(error);
      if (!this.#failing) {
        log.error({ driver: steering.kind, error: text }, 'spill driver failed');
        this.#event(steering.kind, `cannot spill: ${text}`, null);
      }
      this.#failing = true;
      return;
    }
    if (this.#failing) {
      log.info({ driver: steering.kind }, 'spill driver works again');
      this.#event(steering.kind, 'can spill again', null);
    }
    this.#failing = false;
  }

  #tell(shares: Shares, reason: Reason | null): void {
    for (const site of new Set([...Object.keys(this.#told), ...Object.keys(shares)])) {
      const before = this.#told[site] ?? 0;
      const after = shares[site] ?? 0;
      const ended = before > 0 && after === 0;
      const begun = before === 0 && after >= EVENT_MIN;
      if (!ended && !begun && Math.abs(after - before) < EVENT_STEP) continue;
      this.#told = { ...this.#told, [site]: after };
      const text = after > 0 ? `spilling ${percent(after)} to ${site}` : `spill to ${site} ended`;
      this.#event(site, text, reason);
    }
  }

  #event(subject: string, text: string, reason: Reason | null): void {
    const { site, clock, onEvent } = this.#options;
    onEvent({ site, kind: 'spill', at_ms: clock.now(), subject, text, reason });
  }
}
