/**
 * Which part of this site's new flows goes to which other site, and how much this site takes from
 * whom. Demand is controlled, not load: demand is what a site's own clients would load it with if
 * it kept all of them, so a sender's relief does not hide its need and nothing can swing.
 *
 * Must hold: grants add up to no more than the room below `fill`; shares add up to no more than
 * `share_max`, and grow only towards what is needed; a site that sends grants nothing (a guest is
 * never sent on); guests, being no part of demand, never make a site send; deciding twice at one
 * instant is the same as deciding once, so it does not matter how often the agent decides.
 */
import type { Site, SpillPolicy } from '../model/config.ts';
import type { Reason, SiteVerdict, SpillPlan } from '../model/plan.ts';
import type { LoadSight, SpillStance } from '../model/report.ts';
import { IDLE_STANCE } from '../model/report.ts';
import type { View } from './view.ts';
import { percent } from './view.ts';

type Amounts = Readonly<Record<string, number>>;

/** A smaller change of what is aimed for is noise: points of share, and part of a falling share. */
const BAND_POINTS = 0.015;
const BAND_FALLING = 0.15;
/** What is wanted is published anew only when it differs by this part: it splits others' room. */
const BAND_WANTED = 0.2;
/** A grant rises only by more than this part: its noise would be obeyed at once in each fall. */
const BAND_GRANT = 0.05;

/** A site that takes part in spill, as its newest report tells. */
interface Party {
  readonly site: Site;
  readonly load: LoadSight;
  readonly stance: SpillStance;
  /** Since that stance was decided, in milliseconds. */
  readonly age_ms: number;
}

/** `sites` is parallel to Config.sites. */
export function planSpill(view: View, sites: readonly SiteVerdict[]): SpillPlan {
  const policy = view.config.policy.spill;
  const parties = view.config.sites.flatMap((site, i) => partyOf(view, site, sites[i]!) ?? []);
  const self = parties.find(({ site }) => site.name === view.world.self);
  if (self === undefined) return standAside(view, sites);
  const peers = parties.filter((party) => party !== self && isCurrent(view, party));

  const { over_for_ms, sending } = overload(view, self);
  const excess = Math.max(0, self.load.demand - policy.target * self.load.capacity);
  const need = sending ? excess : 0;
  const grants = grantsTo(self.site.name, peers);
  const aims = aimsOf(policy, self, need, grants);
  const shares = stepShares(policy, self, aims, grants);
  const sent = total(shares) * self.load.demand;
  if (!sameAmounts(aims, shares)) view.wake.after(policy.tick_ms);

  const isSender = sending || total(shares) > 0;
  const open = !isSender && opens(policy, self);
  const given = open ? giveRoom(policy, self, peers) : {};
  return {
    shares,
    lease_ms: policy.lease_ms,
    stance: {
      for_ms: 0,
      over_for_ms,
      sending,
      open,
      // Asked for as soon as demand is over, so that grants are there when the onset ends; and
      // while shares run out, or all their flows would return at once.
      wanted: steady(self.stance.wanted, Math.max(over_for_ms === null ? need : excess, sent)),
      grants: given,
      shares,
      aims,
    },
    reason: explainSpill({ policy, self, sending, over_for_ms, shares, aims, given }),
  };
}

/**
 * A site takes part while it is up, reachable by tunnel, and knows its load. A draining site neither
 * sends nor takes; the traffic of a dead one is for DNS and BGP to move.
 */
function partyOf(view: View, site: Site, verdict: SiteVerdict): Party | null {
  const sighting = view.world.sightings.get(site.name);
  if (sighting === undefined || !takesPart(verdict) || site.spill === null) return null;
  const { load, spill } = sighting.report;
  if (load === null) return null;
  const age_ms = spill.for_ms + Math.max(0, view.now - sighting.received_at);
  return { site, load, stance: spill, age_ms };
}

function takesPart({ state }: SiteVerdict): boolean {
  return state === 'healthy' || state === 'degraded';
}

/** What a peer wants or grants counts for one lease; so a cut store ends spill, but not at once. */
function isCurrent(view: View, peer: Party): boolean {
  const left_ms = view.config.policy.spill.lease_ms - peer.age_ms;
  view.wake.after(left_ms);
  return left_ms > 0;
}

/** Hysteresis of the sender: on after `onset_ms` above `overload`, off below `relief`. */
function overload(view: View, self: Party): Pick<SpillStance, 'over_for_ms' | 'sending'> {
  const policy = view.config.policy.spill;
  const demand = self.load.demand / self.load.capacity;
  const before_ms = self.stance.over_for_ms;
  if (demand <= policy.overload) {
    return { over_for_ms: null, sending: self.stance.sending && demand >= policy.relief };
  }
  const over_for_ms = before_ms === null ? 0 : before_ms + self.age_ms;
  const left_ms = policy.onset_ms - over_for_ms;
  if (!self.stance.sending) view.wake.after(left_ms);
  return { over_for_ms, sending: self.stance.sending || left_ms <= 0 };
}

/** Hysteresis of the receiver, on what its own clients load it with. */
function opens(policy: SpillPolicy, self: Party): boolean {
  const own = self.load.own / self.load.capacity;
  // Guests that weigh more than thought shut it too, or it would be overloaded by helping.
  if (self.load.used > policy.target * self.load.capacity) return false;
  return self.stance.open ? own <= policy.quiet_end : own < policy.quiet;
}

function steady(before: number, wanted: number): number {
  return Math.abs(wanted - before) <= BAND_WANTED * wanted ? before : wanted;
}

/**
 * The room is split in proportion to what is wanted, and wholly: a sender takes no more than it
 * needs, and a grant cut to the wanted amount would hand its noise back to the sender.
 */
function giveRoom(policy: SpillPolicy, self: Party, peers: readonly Party[]): Amounts {
  const room = Math.max(0, policy.fill * self.load.capacity - self.load.own);
  const asking = peers.filter(({ stance }) => stance.wanted > 0);
  const wanted = asking.reduce((sum, { stance }) => sum + stance.wanted, 0);
  return Object.fromEntries(
    asking.map(({ site, stance }) => {
      const before = self.stance.grants[site.name] ?? 0;
      const fair = room * (stance.wanted / wanted);
      return [site.name, fair > before * (1 + BAND_GRANT) ? fair : Math.min(fair, before)];
    }),
  );
}

function grantsTo(self: string, peers: readonly Party[]): Amounts {
  return Object.fromEntries(
    peers
      .map(({ site, stance }) => [site.name, stance.grants[self] ?? 0] as const)
      .filter(([, grant]) => grant > 0),
  );
}

/** The shares that would put `need` on the grants, held still against noise by the dead band. */
function aimsOf(policy: SpillPolicy, self: Party, need: number, grants: Amounts): Amounts {
  const { demand } = self.load;
  const takeable = Math.min(need, policy.share_max * demand, total(grants));
  const part = takeable > 0 ? takeable / total(grants) : 0;
  const targets: Record<string, number> = {};
  const held: Record<string, number> = {};
  for (const [site, grant] of Object.entries(grants)) {
    const target = demand > 0 ? (grant * part) / demand : 0;
    const before = self.stance.aims[site] ?? 0;
    // A fall waits for a bigger change than a rise: too small a share leaves this site overloaded,
    // one that is a little too big only keeps a helper busier below `fill`.
    const fall_min = Math.max(BAND_POINTS, BAND_FALLING * before);
    const holds = target > 0 && target < before + BAND_POINTS && target > before - fall_min;
    targets[site] = target;
    held[site] = holds ? Math.min(before, shareOf(grant, demand)) : target;
  }
  return total(held) <= policy.share_max ? held : targets;
}

/** Shares move to their aims at a limited speed; only a smaller grant is obeyed at once. */
function stepShares(policy: SpillPolicy, self: Party, aims: Amounts, grants: Amounts): Amounts {
  const dt_s = self.age_ms / 1000;
  const before = self.stance.shares;
  const shares: Record<string, number> = {};
  for (const [site, grant] of Object.entries(grants)) {
    const from = before[site] ?? 0;
    const rise = from + policy.rise_per_s * dt_s;
    const fall = from - policy.fall_per_s * dt_s;
    const moved = Math.max(fall, Math.min(rise, aims[site] ?? 0));
    const share = Math.min(moved, shareOf(grant, self.load.demand));
    if (share > 0) shares[site] = share;
  }
  return withinMax(policy, shares);
}

/** A grant as a part of the flows that it relieves this site of; never more than all of them. */
function shareOf(grant: number, demand: number): number {
  return demand > grant ? grant / demand : 1;
}

/** While shares move from one peer to another they may overlap; together they stay legal. */
function withinMax(policy: SpillPolicy, shares: Amounts): Amounts {
  const scale = policy.share_max / total(shares);
  if (scale >= 1 || Number.isNaN(scale)) return shares;
  return Object.fromEntries(Object.entries(shares).map(([site, share]) => [site, share * scale]));
}

function total(amounts: Amounts): number {
  return Object.values(amounts).reduce((sum, amount) => sum + amount, 0);
}

function sameAmounts(a: Amounts, b: Amounts): boolean {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(
    (k) => (a[k] ?? 0) === (b[k] ?? 0),
  );
}

function standAside(view: View, sites: readonly SiteVerdict[]): SpillPlan {
  const { lease_ms } = view.config.policy.spill;
  const index = view.config.sites.findIndex(({ name }) => name === view.world.self);
  return { shares: {}, lease_ms, stance: IDLE_STANCE, reason: whyAside(view, sites[index], index) };
}

function whyAside(view: View, verdict: SiteVerdict | undefined, index: number): Reason {
  if (view.config.sites[index]?.spill == null) {
    return { code: 'no-grant', text: 'this site has no tunnel end configured' };
  }
  if (verdict !== undefined && !takesPart(verdict)) return verdict.reason;
  return { code: 'load-unknown', text: 'the load is unknown: nothing is sent or granted' };
}

interface Outcome {
  readonly policy: SpillPolicy;
  readonly self: Party;
  readonly sending: boolean;
  readonly over_for_ms: number | null;
  readonly shares: Amounts;
  readonly aims: Amounts;
  readonly given: Amounts;
}

function explainSpill(outcome: Outcome): Reason {
  const { policy, self, sending, over_for_ms, shares, aims, given } = outcome;
  const demand = percent(self.load.demand / self.load.capacity);
  const list = (amounts: Amounts, word: (amount: number) => string): string =>
    Object.entries(amounts)
      .map(([site, amount]) => `${word(amount)} to ${site}`)
      .join(', ');
  if (total(shares) > 0) {
    const code = sameAmounts(shares, aims) ? 'spilling' : 'spill-ramping';
    const aim = code === 'spilling' ? '' : `, moving to ${percent(total(aims))}`;
    return { code, text: `demand is ${demand}: ${list(shares, percent)}${aim}` };
  }
  if (total(aims) > 0) {
    return {
      code: 'spill-ramping',
      text: `demand is ${demand}: moving to ${percent(total(aims))}`,
    };
  }
  if (sending && Object.keys(aims).length === 0) {
    return { code: 'no-grant', text: `demand is ${demand}, but no other site grants any` };
  }
  if (total(given) > 0) {
    const text = `room up to ${percent(policy.fill)}: ${list(given, (n) => n.toFixed(1))}`;
    return { code: 'receiving', text };
  }
  const over = over_for_ms === null ? '' : '; waits whether it lasts';
  return { code: 'not-overloaded', text: `demand is ${demand}${over}` };
}
