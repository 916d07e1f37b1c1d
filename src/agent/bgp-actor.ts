/**
 * All of a site that acts for its routes: the speaker, the VIPs' addresses, and the thread that runs
 * BFD and withdraws in place of this one.
 *
 * What must always hold: withdrawals leave before addresses do, and addresses stand before routes are
 * announced; the guard's lease is renewed only when a plan has been applied whole.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { WatchThread } from '../bgp/bfd/watch.ts';
import { TcpDialler } from '../bgp/dial.ts';
import { type EvidenceHost, EvidenceSource } from '../bgp/evidence.ts';
import type { BgpKeys } from '../bgp/ports.ts';
import { type NeighborStatus, Speaker } from '../bgp/speaker.ts';
import { IpVipDriver } from '../bgp/vip-driver.ts';
import { type VipDriver, VipHolder } from '../bgp/vip-holder.ts';
import type { BgpSite } from '../model/bgp.ts';
import type { Config } from '../model/config.ts';
import type { Happening } from '../model/event.ts';
import type { Plan, RoutePlan } from '../model/plan.ts';
import { systemHost } from '../net/host.ts';
import { BgpDesk } from './bgp-desk.ts';
import { siteOf } from './config-parts.ts';
import { act } from './contain.ts';
import { VipAddresses } from './vip-addresses.ts';

export interface BgpActorOptions {
  readonly config: Config;
  /** Name of the site. */
  readonly site: string;
  /** The keys of the site's BGP sessions and their BFD; by default none. */
  readonly bgpKeys?: BgpKeys;
  /** The machine, to be looked at when a session is not up; by default this one. */
  readonly host?: EvidenceHost;
  /** How addresses get onto an interface; by default as the system has it. */
  readonly vipDriver?: (interfaceName: string) => VipDriver;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

type Tell = (event: Happening) => void;

/** A stop or reload waits at most this long between withdrawals and the end of the addresses. */
const LEAVE_MAX_MS = 1_000;

export class BgpActor {
  /** Answers why a session is not up. */
  readonly desk: BgpDesk;
  readonly #options: BgpActorOptions;
  readonly #tell: Tell;
  readonly #watch: WatchThread;
  readonly #dialler = new TcpDialler();
  readonly #evidence: EvidenceSource;
  /** By its configuration; there may be no speaker yet. */
  #speaksBgp: boolean;
  #keys: BgpKeys;
  #settle_ms = 0;
  #speaker: Speaker | null = null;
  /** Nothing is announced before the site may be sent clients. */
  #begun = false;
  #deadMan_ms = 0;
  #addresses: VipAddresses | null = null;
  /** Interface and settling time that `#addresses` was made with. */
  #held = '';
  #plan: Plan | null = null;

  constructor(options: BgpActorOptions, tell: Tell) {
    const { config, clock, prng, log, bgpKeys, site, host = systemHost } = options;
    this.#options = options;
    this.#speaksBgp = siteOf(config, site).bgp !== null;
    this.#tell = tell;
    this.#keys = bgpKeys ?? new Map();
    this.desk = new BgpDesk(() => this.#speaker);
    this.#evidence = new EvidenceSource({ host, dialler: this.#dialler, clock });
    this.#watch = new WatchThread({
      clock,
      prng,
      log,
      onProblem: (problem) => {
        const text = problem ?? 'BFD and the dead man work again';
        tell({ kind: 'bgp', subject: `site ${site}`, text, reason: null });
      },
    });
  }

  /** Null where the site does not speak BGP. */
  get speaker(): Speaker | null {
    return this.#speaker;
  }

  /** Has sessions come up, without routes until `begin`. Rejects when an address cannot be bound. */
  async start(config: Config): Promise<void> {
    const { bgp } = siteOf(config, this.#options.site);
    if (!bgp) return;
    await this.#prepare(config, bgp);
    const { clock, prng, log } = this.#options;
    const speaker = new Speaker({
      bgp,
      keys: this.#keys,
      dialler: this.#dialler,
      bfd: this.#watch,
      guard: this.#watch,
      evidence: this.#evidence,
      clock,
      prng,
      log,
      onEvent: ({ neighbor, text }) =>
        this.#tell({ kind: 'bgp', subject: `neighbor ${neighbor}`, text, reason: null }),
    });
    await speaker.start();
    this.#speaker = speaker;
    this.#announce();
  }

  /** From here on plans are carried out, and come regularly: the guard of the sessions expects them. */
  begin(): void {
    this.#begun = true;
    this.#watch.setDeadMan(this.#deadMan_ms);
    this.#announce();
  }

  async useKeys(keys: BgpKeys): Promise<void> {
    this.#keys = keys;
    await this.#speaker?.useKeys(keys);
  }

  /** Written to the neighbours' sockets before it returns. */
  apply(plan: Plan): void {
    this.#plan = plan;
    this.#announce();
    this.#watch.renew();
  }

  async reload(config: Config): Promise<void> {
    const { bgp } = siteOf(config, this.#options.site);
    this.#speaksBgp = bgp !== null;
    if (bgp && this.#speaker) {
      await this.#prepare(config, bgp);
      await this.#speaker.reload(bgp);
      this.#announce();
    } else if (bgp) {
      await this.start(config);
    } else {
      await this.#end('no longer configured', false);
    }
  }

  /** `succeeded`: another process goes on with the VIPs' addresses, so they stay. */
  async stop(text: string, succeeded: boolean): Promise<void> {
    // From here on nothing is decided any more, and all is withdrawn.
    this.#begun = false;
    this.#watch.setDeadMan(0);
    await this.#end(text, succeeded);
    await this.#watch.stop();
  }

  neighbors(): readonly NeighborStatus[] {
    return this.#speaker?.neighbors() ?? [];
  }

  /**
   * The VIPs that neighbours have all of, by established sessions: whatever the plan says, the others
   * are nowhere. Where the site speaks no BGP it is not our task, and they count.
   */
  heard(): ReadonlySet<string> {
    if (!this.#speaksBgp) return new Set(this.#plan?.routes.map(({ vip }) => vip));
    return this.#speaker?.heard() ?? new Set();
  }

  /** The routes of a plan as they can be announced: those without their addresses are kept back. */
  standing(routes: readonly RoutePlan[]): readonly RoutePlan[] {
    return this.#addresses?.standing(routes) ?? routes;
  }

  #announce(): void {
    if (!this.#begun || this.#plan === null || this.#speaker === null) return;
    this.#speaker.apply(this.standing(this.#plan.routes));
    this.#addresses?.apply(this.#plan);
  }

  async #prepare(config: Config, { vip_interface, dead_man_ms }: BgpSite): Promise<void> {
    this.#deadMan_ms = dead_man_ms;
    if (this.#begun) this.#watch.setDeadMan(dead_man_ms);
    this.#settle_ms = config.policy.routes.settle_ms;
    const held = `${vip_interface} ${this.#settle_ms}`;
    if (held === this.#held) return;
    const before = this.#addresses;
    const stays = this.#held.split(' ')[0] === vip_interface;
    this.#held = held;
    this.#addresses = vip_interface === null ? null : this.#newAddresses(vip_interface);
    // What is no longer our task stays as it is: its route may still lead here.
    if (stays || vip_interface === null) await before?.close();
    else if (before) await this.#leave(before);
  }

  /** The VIPs have another interface: those that are not on it yet are withdrawn first. */
  async #leave(before: VipAddresses): Promise<void> {
    this.#announce();
    try {
      await this.#takeOff(before);
    } catch (error) {
      this.#options.log.error({ error: String(error) }, 'VIPs stay on the interface before');
    }
  }

  /** Once routers have acted on a withdrawal: what they sent before still finds its address. */
  async #takeOff(addresses: VipAddresses): Promise<void> {
    const ms = Math.min(this.#settle_ms, LEAVE_MAX_MS);
    await new Promise<void>((resolve) => void this.#options.clock.timer(ms, resolve));
    await addresses.clear();
  }

  #newAddresses(interfaceName: string): VipAddresses {
    const { clock, prng, log, vipDriver } = this.#options;
    const driver = vipDriver?.(interfaceName) ?? new IpVipDriver(systemHost, interfaceName);
    const settle_ms = this.#settle_ms;
    const holder = new VipHolder({ interface: interfaceName, driver, clock, prng, log, settle_ms });
    const stood = (vips: readonly string[]): void => {
      act(log, 'bgp', () => this.#announce());
      const subject = vips.length === 1 ? `vip ${vips[0]}` : `${vips.length} vips`;
      this.#tell({ kind: 'bgp', subject, text: `on ${interfaceName}`, reason: null });
    };
    return new VipAddresses(interfaceName, holder, stood);
  }

  async #end(text: string, succeeded: boolean): Promise<void> {
    const [speaker, addresses] = [this.#speaker, this.#addresses];
    this.#speaker = null;
    this.#addresses = null;
    this.#held = '';
    await speaker?.stop(text);
    if (succeeded || !addresses) {
      await addresses?.close();
      return;
    }
    await this.#takeOff(addresses);
  }
}
