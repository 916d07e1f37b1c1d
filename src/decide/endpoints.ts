/**
 * Which endpoints DNS may answer with. The home joins the votes on its endpoints into rulings, which
 * all others follow while they hear it; when it is silent they judge by the observers' votes. Hold-down,
 * damping and the guard of capacity come on top.
 *
 * Must hold: sites that have the same reports and overrides come to the same verdicts, but for what each
 * one's own guard keeps; an endpoint is eligible only if it is forced up, or its ruling is up and nothing
 * holds it back, and it is not draining; or if the guard keeps it. The guard of the last answer is in steering.ts, of the last
 * announcement in routes.ts.
 */
import type { DecisionMemory, EndpointVerdict, Fault, Reason } from '../model/plan.ts';
import type { EndpointRuling } from '../model/report.ts';
import { siteFactors } from './damping.ts';
import { keptInUse, type OutOfUse } from './eviction.ts';
import { type EndpointOrders, orderReason } from './overrides.ts';
import {
  firstRuling,
  type HealthTimes,
  healthTimes,
  heldBack,
  rulingIn,
  stepRuling,
} from './rulings.ts';
import type { Hearing, View } from './view.ts';
import { seconds } from './view.ts';
import { Tally } from './votes.ts';

export interface EndpointsDecided {
  /** Parallel to Config.endpoints. */
  readonly verdicts: EndpointVerdict[];
  readonly memory: Pick<DecisionMemory, 'rulings' | 'evicted'>;
}

/** `hearings` is parallel to Config.sites. */
export function judgeEndpoints(view: View, hearings: readonly Hearing[]): EndpointsDecided {
  const { config, world } = view;
  const times = siteFactors(config.sites).map((one) => healthTimes(config.policy.health, one));
  const tally = new Tally(view, hearings);
  const rulings: Record<string, EndpointRuling> = {};
  const out: OutOfUse[] = [];
  const apart: number[] = [];
  const verdicts = config.endpoints.map(({ id, site }, index): EndpointVerdict => {
    const hearing = hearings[site]!;
    tally.count(index);
    const the: Case = { view, index, hearing, tally, times: times[site]! };
    const ruling = rule(the);
    if (ruling !== null && config.sites[site]!.name === world.self) rulings[id] = ruling;
    const finding = find(the, ruling);
    const orders = view.overrides.ordersOf(index);
    const verdict = verdictOf(view, id, finding, orders, tally.fault);
    if (isApart(verdict, finding, orders)) apart.push(index);
    else if (!verdict.eligible) out.push(outOfUse(the, finding));
    return verdict;
  });
  return { verdicts, memory: { rulings, evicted: guard(view, verdicts, out, apart) } };
}

/** What operators order takes the place of what health says, and of hold-down and damping. */
function verdictOf(
  { now }: View,
  id: string,
  { health, reason, for_ms, next_ms }: Finding,
  orders: EndpointOrders | null,
  fault: Fault | null,
): EndpointVerdict {
  const forced = orders?.health ?? null;
  const isUp = forced === null ? health === 'up' : forced.override.action === 'up';
  // Health comes before the drain, so that 'draining' tells "would serve, if it were asked to".
  const order = isUp && orders?.drain ? orders.drain : forced;
  if (order === null) return { id, eligible: isUp, reason, fault, for_ms, next_ms };
  return {
    id,
    eligible: isUp && order === forced,
    reason: orderReason(order, now),
    fault,
    for_ms: now - order.since,
    next_ms: order.until === null ? null : order.until - now,
  };
}

/** True if the guard has no say in it: operators have taken it out, or nobody has known it yet. */
function isApart(
  { eligible }: EndpointVerdict,
  { health }: Finding,
  orders: EndpointOrders | null,
): boolean {
  return !eligible && (orders !== null || health === 'unknown');
}

/** True if its health is good: it may be draining, which takes answers but not traffic away. */
export function serves({ eligible, reason }: EndpointVerdict): boolean {
  return (eligible && reason.code !== 'eviction-guard') || reason.code === 'draining';
}

/** True if it may be answered for its own sake, and not only since too little else is left. */
export function isSound({ eligible, reason }: EndpointVerdict): boolean {
  return eligible && reason.code !== 'eviction-guard';
}

/** Puts what must stay in use back, in place; returns the ids of those that are out. */
function guard(
  { config, world }: View,
  verdicts: EndpointVerdict[],
  out: readonly OutOfUse[],
  apart: readonly number[],
): string[] {
  if (out.length === 0) return [];
  const before = world.sightings.get(world.self)?.report.evicted ?? [];
  const kept = keptInUse(config, out, apart, before);
  for (const [index, why] of kept) {
    const verdict = verdicts[index]!;
    const { code, text } = verdict.reason;
    const reason = {
      code: 'eviction-guard',
      text: `kept in use (${code}: ${text}): ${why}`,
    } as const;
    verdicts[index] = { ...verdict, eligible: true, reason };
  }
  return out.flatMap(({ endpoint }) =>
    kept.has(endpoint) ? [] : [config.endpoints[endpoint]!.id],
  );
}

/** One endpoint; its votes have been counted. */
interface Case {
  readonly view: View;
  /** In Config.endpoints. */
  readonly index: number;
  /** Of its home. */
  readonly hearing: Hearing;
  readonly tally: Tally;
  /** Of its home. */
  readonly times: HealthTimes;
}

/** What is ruled on the endpoint, now; null: nothing that anybody could go by. */
function rule({ view, index, hearing, tally, times }: Case): EndpointRuling | null {
  const { id, site, vantage } = view.config.endpoints[index]!;
  const isOwn = view.config.sites[site]!.name === view.world.self;
  const joined = tally.joined(vantage.rule);
  if (hearing.state === 'unheard') return isOwn || joined === null ? null : first(joined, 0, tally);
  const { report, age_ms } = hearing;
  const before = rulingIn(report, id, age_ms, times);
  const sight = report.endpoints[id];
  if (hearing.state === 'lost') {
    // What it ruled last is no word on an endpoint of which nobody says anything.
    if (joined === null) return null;
    return before?.up === joined ? before : first(joined, before?.downs ?? 0, tally);
  }
  // Without the home's own probe, as after a new check, all stays as it was.
  if (sight === undefined || joined === null) return before;
  if (before === null) return first(joined, sight.downs, tally);
  return isOwn ? stepRuling(before, joined, times.damping) : before;
}

function first(up: boolean, downs: number, { upFor_ms, downFor_ms }: Tally): EndpointRuling {
  return firstRuling(up, up ? upFor_ms : downFor_ms, downs);
}

/** As an endpoint stands by its health alone. */
interface Finding {
  /** `held`: up, but not used yet. */
  readonly health: 'unknown' | 'down' | 'held' | 'up';
  readonly reason: Reason;
  readonly for_ms: number | null;
  readonly next_ms: number | null;
}

function find(the: Case, ruling: EndpointRuling | null): Finding {
  if (ruling === null) return unruled(the);
  const { for_ms, up, penalty } = ruling;
  if (!up) return { health: 'down', reason: whyDown(the, for_ms), for_ms, next_ms: null };
  const held = heldBack(ruling, the.times);
  if (held === null) return { health: 'up', reason: whyUp(the, for_ms), for_ms, next_ms: null };
  const { code, left_ms } = held;
  the.view.wake.after(left_ms);
  const when =
    code === 'damped' ? `suppressed ${seconds(left_ms)} more` : `used in ${seconds(left_ms)}`;
  const reproach = penalty === 0 ? '' : `, penalty ${Math.round(penalty)}`;
  const text = `up again; ${when} if it stays so${reproach}`;
  return { health: 'held', reason: { code, text }, for_ms, next_ms: left_ms };
}

function unruled({ view, index, hearing }: Case): Finding {
  const home = view.config.sites[view.config.endpoints[index]!.site]!.name;
  const unknown = { health: 'unknown', for_ms: null, next_ms: null } as const;
  if (hearing.state === 'lost') {
    const text = `${home} has been silent for ${seconds(hearing.age_ms)}`;
    const reason = { code: 'site-lost', text } as const;
    return { health: 'down', reason, for_ms: hearing.age_ms, next_ms: null };
  }
  if (hearing.state !== 'unheard') {
    const text = `${home} has not finished probing it`;
    return { ...unknown, reason: { code: 'not-probed-yet', text } };
  }
  const reason =
    home === view.world.self
      ? ({ code: 'not-probed-yet', text: 'no probe has ended yet' } as const)
      : ({ code: 'site-unheard', text: `${home} has not been heard of yet` } as const);
  return { ...unknown, reason };
}

function whyDown({ view, index, hearing, tally }: Case, for_ms: number): Reason {
  const since = `down for ${seconds(for_ms)}`;
  const { id } = view.config.endpoints[index]!;
  const isSilent = hearing.state === 'unheard' || hearing.state === 'lost';
  const sight = isSilent ? undefined : hearing.report.endpoints[id];
  if (sight?.up === false) {
    const count = tally.assigned === 1 ? '' : `, as ${tally.downs} of ${tally.assigned} say`;
    return { code: 'probe-failed', text: `${since}: ${sight.detail}${count}` };
  }
  return { code: 'vote-failed', text: `${since} by the votes: ${tally.text(index)}` };
}

function whyUp({ view, index, hearing, tally }: Case, for_ms: number): Reason {
  const { id, site } = view.config.endpoints[index]!;
  const home = view.config.sites[site]!.name;
  if (hearing.state === 'kept') {
    const text = `up when ${home} was last heard, ${seconds(hearing.age_ms)} ago, before a cut`;
    return { code: 'on-its-own', text };
  }
  const since = `up for ${seconds(for_ms)}`;
  const isSilent = hearing.state !== 'heard';
  if (!isSilent && hearing.report.endpoints[id] === undefined) {
    return { code: 'healthy', text: `${since}; ${home} has not finished probing it anew` };
  }
  if (!isSilent && tally.downs === 0) return { code: 'healthy', text: since };
  return { code: 'healthy', text: `${since} by the votes: ${tally.text(index)}` };
}

function outOfUse({ index, tally }: Case, { health, reason, for_ms, next_ms }: Finding): OutOfUse {
  const held = health === 'held';
  return {
    endpoint: index,
    agreed: !held && tally.agreedDown,
    silent: reason.code === 'site-lost',
    held,
    ms: (held ? next_ms : for_ms) ?? 0,
  };
}
