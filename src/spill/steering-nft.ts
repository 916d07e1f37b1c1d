/**
 * Steering by nftables marks and policy routing: the driver of SteeringDriver for one machine that
 * is router and load balancer of its site.
 *
 * What always holds: flow sets are never listed (that costs seconds at 250,000 flows) and the table
 * is never replaced while it is in use. What stands in the kernel is taken over by the next start.
 */
import type { Host } from '../net/host.ts';
import type { SpillLayout } from './layout.ts';
import { SPILL_TABLE, shareTransaction, spillRuleset } from './nft-ruleset.ts';
import { enterRouting, leaveRouting, readRouting } from './policy-routing.ts';
import type { FlowCounts, SteeringDriver } from './port.ts';
import { prepareSysctls, spillProblems } from './preflight.ts';

interface NftObject {
  readonly counter?: { readonly name: string; readonly packets: number };
}

type Notice = (sentence: string) => void;

export class NftSteering implements SteeringDriver {
  readonly kind = 'nftables';
  readonly #layout: SpillLayout;
  readonly #host: Host;
  readonly #notice: Notice;
  #loaded = false;
  #kept = 0;
  readonly #sent: Record<string, number> = {};
  readonly #guests: Record<string, number> = {};

  /** `notice` is told each change that was made to the machine, as a sentence for its operator. */
  constructor(layout: SpillLayout, host: Host, notice: Notice = () => {}) {
    this.#layout = layout;
    this.#host = host;
    this.#notice = notice;
    for (const { site } of layout.peers) {
      this.#sent[site] = 0;
      this.#guests[site] = 0;
    }
  }

  /**
   * The first call, and the first after a failure, loads the ruleset and the policy routes; the
   * tunnels must stand by then.
   */
  async apply(shares: Readonly<Record<string, number>>, lease_ms: number): Promise<void> {
    await this.#load();
    const text = shareTransaction(this.#layout, shares, lease_ms);
    await this.#whileLoaded(() => this.#nft(text));
  }

  async counts(): Promise<FlowCounts> {
    if (this.#loaded) await this.#whileLoaded(() => this.#readCounters());
    return { kept: this.#kept, sent: { ...this.#sent }, guests: { ...this.#guests } };
  }

  /** The order matters: first nothing is marked any more, then no mark is followed. */
  async close(): Promise<void> {
    const table = `ip ${SPILL_TABLE}`;
    await this.#nft(`add table ${table}\ndelete table ${table}\n`);
    await this.#ip(leaveRouting(await readRouting(this.#host)));
    this.#loaded = false;
  }

  async #load(): Promise<void> {
    if (this.#loaded) return;
    const routing = await readRouting(this.#host);
    const problems = await spillProblems(this.#layout, routing, this.#host);
    if (problems.length > 0) throw new Error(problems.join('; '));
    for (const change of await prepareSysctls(this.#layout, this.#host)) this.#notice(change);
    await this.#nft(spillRuleset(this.#layout));
    await this.#ip(enterRouting(this.#layout, routing));
    // Flows that an earlier agent did not read any more are not ours to report.
    await this.#resetCounters();
    this.#loaded = true;
  }

  /** Whoever flushes the machine's whole ruleset takes ours too: a failure means to load it anew. */
  async #whileLoaded(use: () => Promise<void>): Promise<void> {
    try {
      await use();
    } catch (error) {
      this.#loaded = false;
      throw error;
    }
  }

  async #readCounters(): Promise<void> {
    for (const [name, packets] of await this.#resetCounters()) {
      if (name === 'kept') this.#kept += packets;
      for (const { site } of this.#layout.peers) {
        if (name === `sent_${site}`) this.#sent[site]! += packets;
        if (name === `guests_${site}`) this.#guests[site]! += packets;
      }
    }
  }

  /** Reads and zeroes in one step: 8 ms at any number of flows, where listing takes seconds. */
  async #resetCounters(): Promise<[name: string, packets: number][]> {
    const args = ['-j', 'reset', 'counters', 'table', 'ip', SPILL_TABLE];
    const answer = JSON.parse(await this.#host.run('nft', args)) as { nftables: NftObject[] };
    return answer.nftables.flatMap(({ counter }) =>
      counter ? [[counter.name, counter.packets] as [string, number]] : [],
    );
  }

  async #nft(text: string): Promise<void> {
    await this.#host.run('nft', ['-f', '-'], text);
  }

  async #ip(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#host.run('ip', ['-batch', '-'], `${lines.join('\n')}\n`);
  }
}
