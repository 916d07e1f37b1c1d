/**
 * The rooms that carry out a plan: DNS, BGP and spill. Made, started, replaced and stopped here.
 *
 * What must always hold: one that fails is logged and never stops the others; routes are withdrawn
 * before the servers that answer the traffic stop.
 */
import { DnsServer } from '../dns/server.ts';
import type { TsigSecret } from '../dns/transfer/signing.ts';
import type { GeoMap } from '../geo/map.ts';
import type { Config, Site } from '../model/config.ts';
import type { Happening } from '../model/event.ts';
import type { Plan } from '../model/plan.ts';
import { SpillController } from '../spill/controller.ts';
import type { SpillDrivers } from '../spill/drivers.ts';
import type { FlowCounts } from '../spill/port.ts';
import { BgpActor, type BgpActorOptions } from './bgp-actor.ts';
import { sameSpill, siteOf } from './config-parts.ts';
import { act, contain } from './contain.ts';

export interface ActorOptions extends BgpActorOptions {
  readonly geo: GeoMap;
  /** The data plane of spill for a configuration; throws a sentence when it cannot be laid out. */
  readonly drivers: (config: Config) => SpillDrivers;
  /** For server cookies (RFC 9018), at least one; without them, one that nobody knows. */
  readonly cookieSecrets?: readonly Uint8Array[];
  /** The keys of the configuration with their secrets; by default none. */
  readonly tsigKeys?: readonly TsigSecret[];
  /** True: DNS starts beside another process that serves the same addresses, until that stops. */
  readonly takeOver?: boolean;
}

/** What the agent wants to hear, and what it says. */
export interface ActorPorts {
  /** False once the agent is to stop: a change that is under way ends early. */
  readonly wanted: () => boolean;
  readonly onEvent: (event: Happening) => void;
  readonly onCounts: (flows: FlowCounts) => void;
}

export class Actors {
  readonly #options: ActorOptions;
  readonly #ports: ActorPorts;
  readonly #dns: DnsServer;
  #config: Config;
  readonly #bgp: BgpActor;
  #spill: SpillController;

  constructor(options: ActorOptions, ports: ActorPorts) {
    const { config, site, geo, clock, prng, log } = options;
    this.#options = options;
    this.#ports = ports;
    this.#config = config;
    this.#bgp = new BgpActor(options, ports.onEvent);
    const { cookieSecrets, tsigKeys = [], takeOver = false } = options;
    const secrets = { ...(cookieSecrets && { cookieSecrets }), tsigKeys };
    this.#dns = new DnsServer({ config, site, geo, clock, prng, log, takeOver, ...secrets });
    this.#spill = this.#newSpill(config);
  }

  get dns(): DnsServer {
    return this.#dns;
  }

  get bgp(): BgpActor {
    return this.#bgp;
  }

  /** Rejects when an address cannot be bound. */
  startBgp(): Promise<void> {
    return this.#bgp.start(this.#config);
  }

  startSpill(): Promise<void> {
    return this.#spill.start();
  }

  /**
   * Routes first: what they carry is on its way here now, an answer counts from the next query on,
   * and DNS may have to compare whole zones to know whether secondaries must hear of it.
   */
  apply(plan: Plan): void {
    const { log } = this.#options;
    act(log, 'bgp', () => this.#bgp.apply(plan));
    act(log, 'dns', () => this.#dns.apply(plan));
    act(log, 'spill', () => this.#spill.apply(plan.spill));
  }

  /**
   * Looks at a new configuration, changes nothing, and throws when the site is not in it or its
   * spill cannot be laid out. What it returns makes the change: a room that fails keeps its old
   * configuration, and there is a sentence about each in what that resolves to.
   */
  prepare(config: Config, geo: GeoMap): () => Promise<readonly string[]> {
    const [site, before] = [this.#site(config), this.#site(this.#config)];
    const spill = sameSpill(config, this.#config) ? null : this.#newSpill(config);
    return async () => {
      this.#config = config;
      const problems: string[] = [];
      await this.#change('dns', problems, async () => {
        problems.push(...(await this.#dns.reload(config, geo)));
      });
      await this.#change('bgp', problems, () => this.#bgp.reload(config));
      if (spill) {
        await this.#change('spill', problems, () => this.#replaceSpill(spill, site, before));
      }
      return problems;
    };
  }

  /** `succeeded`: another process goes on with the VIPs' addresses, so they stay. */
  async stop(text: string, succeeded: boolean): Promise<void> {
    const { log } = this.#options;
    // Routes first: traffic must have left before the servers that answer it do.
    await contain(log, 'bgp', () => this.#bgp.stop(text, succeeded));
    await contain(log, 'dns', () => this.#dns.stop());
    await contain(log, 'spill', () => this.#spill.stop());
  }

  flows(): FlowCounts {
    return this.#spill.counts();
  }

  #site(config: Config): Site {
    return siteOf(config, this.#options.site);
  }

  async #change(room: string, problems: string[], work: () => Promise<void>): Promise<void> {
    if (!this.#ports.wanted() || (await contain(this.#options.log, room, work))) return;
    const text = `${room} could not take the new configuration and keeps the old one`;
    problems.push(text);
    this.#ports.onEvent({ kind: 'config', subject: this.#options.site, text, reason: null });
  }

  #newSpill(config: Config): SpillController {
    const { drivers, site, clock, log } = this.#options;
    const { onEvent, onCounts } = this.#ports;
    return new SpillController({
      config,
      site,
      ...drivers(config),
      clock,
      log,
      onEvent,
      onCounts,
    });
  }

  async #replaceSpill(next: SpillController, site: Site, before: Site): Promise<void> {
    // A site that spills no more leaves nothing of it in the kernel.
    const stays = site.spill?.driver === before.spill?.driver;
    await (stays ? this.#spill.stop() : this.#spill.remove());
    this.#spill = next;
    await next.start();
  }
}
