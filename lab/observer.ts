/**
 * What the lab sees of the sites from outside: their events, the DNS answers that clients get, and
 * the routes in the routers' kernels, each stamped with the machine's monotonic clock.
 */
import type { SiteEvent } from '../src/model/event.ts';
import { API_PORT, DNS_PORT, NAME, plan, SITES, type SiteName, VIP } from './deployment.ts';
import { labProgram, type World } from './topology.ts';
import { monotonic_ms, onLine, until, WaitedInVain } from './wait.ts';

export interface Sight {
  readonly at: number;
  readonly event?: SiteEvent;
  /** Of a DNS server: its address, and the answer's addresses joined by commas. */
  readonly server?: string;
  readonly answer?: string;
  /** Requests under way at the load balancer of `server`. */
  readonly load?: number;
  /** Of a router: the site whose region it is, and the next hop of the VIP ("" for none). */
  readonly router?: SiteName;
  readonly via?: string;
}

export class Observer {
  readonly #sights: Sight[] = [];
  readonly #answers = new Map<string, string>();

  /** Watches from where the clients of fra are. */
  constructor(world: World) {
    const servers = SITES.map(plan.site);
    const args = [NAME, String(DNS_PORT), String(API_PORT), ...servers];
    onLine(labProgram(world.sites.fra.clients, 'watch', ...args), (line) => {
      const sight = JSON.parse(line) as Sight;
      if (sight.answer !== undefined) this.#answers.set(sight.server!, sight.answer);
      this.#sights.push(sight);
    });
    for (const name of SITES) this.#watchRoutes(world, name);
  }

  /** The answer that the site's DNS server gives to the clients of fra now. */
  answerOf(site: SiteName): string {
    return this.#answers.get(plan.site(site)) ?? '';
  }

  /** Requests under way at the site's load balancer, newest last. */
  loads(since: number, site: SiteName): number[] {
    const server = plan.site(site);
    return this.#sights.flatMap((sight) =>
      sight.load !== undefined && sight.at >= since && sight.server === server ? [sight.load] : [],
    );
  }

  /** The first sight since `since` that `matches`, or null when there is none yet. */
  first(since: number, matches: (sight: Sight) => boolean): Sight | null {
    return this.#sights.find((sight) => sight.at >= since && matches(sight)) ?? null;
  }

  events(since: number, kind: SiteEvent['kind'], site: SiteName): SiteEvent[] {
    return this.#sights.flatMap(({ at, event }) =>
      event && at >= since && event.kind === kind && event.site === site ? [event] : [],
    );
  }

  /**
   * Milliseconds from `since` to the first sight that `matches`, waiting for it at most `limit_ms`;
   * null when it did not come.
   */
  async after(
    since: number,
    limit_ms: number,
    matches: (sight: Sight) => boolean,
  ): Promise<number | null> {
    const left_ms = Math.max(0, limit_ms - (monotonic_ms() - since));
    const found = (): Sight | undefined => this.first(since, matches) ?? undefined;
    try {
      return (await until('a sight', left_ms, found)).at - since;
    } catch (error) {
      if (error instanceof WaitedInVain) return null;
      throw error;
    }
  }

  #watchRoutes(world: World, router: SiteName): void {
    const child = world.sites[router].router.spawn('ip', 'monitor', 'route');
    onLine(child, (line) => {
      if (!line.includes(`${VIP} `)) return;
      const via = line.startsWith('Deleted') ? '' : (/ via (\S+)/.exec(line)?.[1] ?? '');
      this.#sights.push({ at: monotonic_ms(), router, via });
    });
  }
}
