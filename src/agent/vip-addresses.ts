/**
 * The order between the VIPs' addresses on the interface and their routes, as far as it is a matter of
 * what is rather than of what was decided.
 *
 * Must hold: no route is announced while its address does not stand; it is announced as soon as it
 * does. That an address outlives its route is the holder's work.
 */
import type { VipHolder, WantedVip } from '../bgp/vip-holder.ts';
import type { Plan, RouteOffer, RoutePlan } from '../model/plan.ts';

export class VipAddresses {
  readonly #interface: string;
  readonly #holder: VipHolder;
  readonly #stood: (vips: readonly string[]) => void;
  /** What the holder was told last, as text. */
  #told = '';
  /** VIPs whose addresses are waited for. */
  readonly #awaited = new Set<string>();
  /** VIPs that stand, and that nobody has been told of yet. */
  readonly #new: string[] = [];

  /** `stood`: VIPs that had been waited for stand now. */
  constructor(interfaceName: string, holder: VipHolder, stood: (vips: readonly string[]) => void) {
    this.#interface = interfaceName;
    this.#holder = holder;
    this.#stood = stood;
  }

  /** The routes, with those kept back whose addresses do not stand. */
  standing(routes: readonly RoutePlan[]): readonly RoutePlan[] {
    return routes.map((route) =>
      route.announce && !this.#holder.isPresent(route.vip) ? this.#keptBack(route) : route,
    );
  }

  /** Has the addresses follow the plan: a withdrawn VIP's leaves once it has settled. */
  apply({ routes, memory }: Plan): void {
    const wanted = routes.map(({ vip, prefixes }): WantedVip => {
      const phase = memory.routes[vip]?.phase;
      return { name: vip, prefixes, present: phase === 'coming' || phase === 'on' };
    });
    const text = JSON.stringify(wanted);
    // Each word to the holder has it look at the interface.
    if (text !== this.#told) this.#holder.want(wanted);
    this.#told = text;
    for (const { name, present } of wanted) if (present) this.#await(name);
  }

  /** Ends; what stands stays. */
  close(): Promise<void> {
    return this.#holder.close();
  }

  /** Ends, and takes the addresses off at once. */
  clear(): Promise<void> {
    return this.#holder.clear();
  }

  #await(vip: string): void {
    if (this.#awaited.has(vip) || this.#holder.isPresent(vip)) return;
    this.#awaited.add(vip);
    void this.#holder.whenPresent(vip).then((present) => {
      this.#awaited.delete(vip);
      if (present) this.#tell(vip);
    });
  }

  /** All that one look at the interface has found are told at once. */
  #tell(vip: string): void {
    if (this.#new.push(vip) > 1) return;
    queueMicrotask(() => this.#stood(this.#new.splice(0)));
  }

  #keptBack(route: RoutePlan): RoutePlan {
    const text = `its address does not stand on ${this.#interface}: ${this.#holder.error ?? 'yet'}`;
    const reason = { code: 'address-settles', text } as const;
    const offers = route.offers.map((one): RouteOffer => ({ ...one, announce: false, reason }));
    return { ...route, announce: false, fitness: null, reason, offers };
  }
}
