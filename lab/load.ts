/** The lab's clients at work: steady load and long transfers, and what became of them. */
import type { ChildProcess } from 'node:child_process';
import type { ClientReport } from './client.ts';
import { type SiteName, VIP, WEB_PORT } from './deployment.ts';
import { labProgram, type World } from './topology.ts';
import { monotonic_ms, onLine } from './wait.ts';

const TARGET = `${VIP}:${WEB_PORT}`;
const NOTHING: ClientReport = { bySite: {}, lost: 0, mixed: 0, errors: [] };

/** A client process: `latest` is its newest report, `done` its last one. */
export class Load {
  readonly #child: ChildProcess;
  readonly done: Promise<ClientReport>;
  latest: ClientReport = NOTHING;
  /** When `latest` came, on the monotonic clock. */
  latestAt = 0;
  readonly #firstAnswers = new Map<string, number>();

  constructor(world: World, site: SiteName, mode: string, ...args: number[]) {
    const { clients } = world.sites[site];
    this.#child = labProgram(clients, 'client', mode, TARGET, ...args.map(String));
    onLine(this.#child, (line) => {
      this.latest = JSON.parse(line) as ClientReport;
      this.latestAt = monotonic_ms();
      for (const site of Object.keys(this.latest.bySite)) {
        if (!this.#firstAnswers.has(site)) this.#firstAnswers.set(site, this.latestAt);
      }
    });
    this.done = new Promise((resolve) => {
      this.#child.once('close', () => resolve(this.latest));
    });
  }

  /** When the first answer of another site than `home` came; undefined: not yet. */
  firstAway(home: SiteName): number | undefined {
    const away = [...this.#firstAnswers].filter(([site]) => site !== home).map(([, at]) => at);
    return away.length > 0 ? Math.min(...away) : undefined;
  }

  /** Ends a steady load: no new requests; resolves when those under way have ended. */
  stop(): Promise<ClientReport> {
    this.#child.kill('SIGTERM');
    return this.done;
  }
}

/** `rate` requests a second from the clients of `site`, each answered after `hold_ms`. */
export function steady(world: World, site: SiteName, rate: number, hold_ms: number): Load {
  return new Load(world, site, 'steady', rate, hold_ms);
}

/** `count` transfers of `ms` milliseconds each, all at once. */
export function transfers(world: World, site: SiteName, count: number, ms: number): Load {
  return new Load(world, site, 'long', count, ms);
}

/** Between two reports: how many flows were answered, and which part of them not by `home`. */
export function awayShare(
  before: ClientReport,
  after: ClientReport,
  home: SiteName,
): { readonly share: number; readonly flows: number } {
  const more = (site: string): number => (after.bySite[site] ?? 0) - (before.bySite[site] ?? 0);
  const flows = Object.keys(after.bySite).reduce((sum, site) => sum + more(site), 0);
  return { share: flows === 0 ? 0 : 1 - more(home) / flows, flows };
}
