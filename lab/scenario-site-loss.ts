/**
 * `site-loss`: first the load balancer of fra dies, which fra's own agent sees; it returns; then
 * the whole of fra dies at once, agent included, which only the other sites can see. Clients of fra
 * ask without a pause through both.
 */
import { plan, TIMING } from './deployment.ts';
import type { Judge } from './judge.ts';
import { Lateness } from './lateness.ts';
import { steady } from './load.ts';
import { Observer, type Sight } from './observer.ts';
import { announced, startBackend, type World } from './topology.ts';
import { monotonic_ms, pause, until } from './wait.ts';

/** The worst moment for a failure is just after a probe has passed. */
const VERDICT_MAX_MS =
  TIMING.probe_fall * TIMING.probe_interval_ms * (1 + TIMING.probe_jitter) +
  TIMING.probe_timeout_ms;
/** From a change to what it changes at the same site, and by way of Redis at another. */
const ACT_MS = 100;
const SHARE_MS = 250;
/** The others miss the report that a dead site would have sent next. */
const SITE_VERDICT_MAX_MS = TIMING.report_stale_ms + ACT_MS;
/** A dead speaker's session is reset at once; the hold time that this must not wait for is 9 s. */
const RESET_MAX_MS = 500;
/** Probes must pass again, and then go on passing. */
const RETURN_MAX_MS = VERDICT_MAX_MS + TIMING.hold_down_ms + ACT_MS;
/** A request takes no longer than this from SYN to FIN. */
const IN_FLIGHT_MS = 50;
const LIMIT_MS = 10_000;
const REQUESTS_PER_S = 100;

const home = plan.site('fra');
/** Sights of a server's load have no answer; an empty answer is no address elsewhere. */
const answersElsewhere = (server: string) => (sight: Sight) =>
  sight.server === server && !!sight.answer && !sight.answer.includes(home);
const routeLeftHome = (sight: Sight): boolean => sight.router === 'fra' && sight.via !== home;

export async function siteLoss(world: World, judge: Judge): Promise<void> {
  const observer = new Observer(world);
  const ready = () => observer.answerOf('fra') === home && observer.answerOf('iad') === home;
  await until('both DNS servers to answer with fra', LIMIT_MS, ready);
  const lateness = new Lateness();
  await balancerDies({ world, observer, judge, lateness });
  await balancerReturns({ world, observer, judge, lateness });
  await siteDies({ world, observer, judge, lateness });
  judge.note('this machine was late by up to', `${Math.round(lateness.worst_ms)} ms`);
}

interface Stage {
  readonly world: World;
  readonly observer: Observer;
  readonly judge: Judge;
  readonly lateness: Lateness;
}

async function balancerDies({ world, observer, judge, lateness }: Stage): Promise<void> {
  const load = steady(world, 'fra', REQUESTS_PER_S, 0);
  await pause(1_500);
  const failed = monotonic_ms();
  world.sites.fra.backend.kill('SIGKILL');
  const verdict = await observer.after(failed, LIMIT_MS, ({ event }) => {
    return event?.site === 'fra' && event.kind === 'health' && event.subject.startsWith('fra-lb1');
  });
  const answer = await observer.after(failed, LIMIT_MS, answersElsewhere(home));
  const remote = await observer.after(failed, LIMIT_MS, answersElsewhere(plan.site('iad')));
  const route = await observer.after(failed, LIMIT_MS, routeLeftHome);
  await pause(500);
  const report = await load.stop();
  const late = lateness.allowance_ms;
  const since = (max_ms: number): number => (verdict ?? VERDICT_MAX_MS) + max_ms + late;
  judge.time('load balancer dies → verdict at fra', verdict, VERDICT_MAX_MS + late);
  judge.time('  → new answer at fra', answer, since(ACT_MS));
  judge.time('  → new answer at iad', remote, since(SHARE_MS));
  judge.time("  → route gone from the router's kernel", route, since(ACT_MS));
  judge.range('  requests lost', report.lost, 0, lostMax(route, late));
  judge.atLeast('  requests answered elsewhere', elsewhere(report.bySite), 1);
}

/** Nothing can answer while the site is dead and the route still leads there. */
function lostMax(route_ms: number | null, late_ms: number): number {
  return Math.ceil((((route_ms ?? 0) + IN_FLIGHT_MS + late_ms) / 1000) * REQUESTS_PER_S);
}

async function balancerReturns({ world, observer, judge, lateness }: Stage): Promise<void> {
  const load = steady(world, 'fra', REQUESTS_PER_S, 0);
  await startBackend(world.sites.fra.space, 'fra');
  const returned = monotonic_ms();
  await announced(world.sites.fra);
  judge.time('load balancer returns → route back', monotonic_ms() - returned, RETURN_MAX_MS);
  const ready = () => observer.answerOf('fra') === home && observer.answerOf('iad') === home;
  await until('both DNS servers to answer with fra again', LIMIT_MS, ready);
  const report = await load.stop();
  // The route takes flows under way from the site that answered them.
  judge.range('  requests lost', report.lost, 0, lostMax(0, lateness.allowance_ms));
}

async function siteDies({ world, observer, judge, lateness }: Stage): Promise<void> {
  const load = steady(world, 'fra', REQUESTS_PER_S, 0);
  await pause(1_500);
  const failed = monotonic_ms();
  world.sites.fra.agent.kill('SIGKILL');
  world.sites.fra.backend.kill('SIGKILL');
  const route = await observer.after(failed, LIMIT_MS, routeLeftHome);
  const lost = await observer.after(failed, LIMIT_MS, ({ event }) => {
    return event?.site === 'iad' && event.reason?.code === 'site-lost';
  });
  const answer = await observer.after(failed, LIMIT_MS, answersElsewhere(plan.site('iad')));
  await pause(500);
  const report = await load.stop();
  const late = lateness.allowance_ms;
  judge.time("site dies → route gone from the router's kernel", route, RESET_MAX_MS + late);
  judge.time('  → verdict at iad', lost, SITE_VERDICT_MAX_MS + late);
  judge.time('  → new answer at iad', answer, (lost ?? SITE_VERDICT_MAX_MS) + ACT_MS + late);
  judge.range('  requests lost', report.lost, 0, lostMax(route, late));
  judge.atLeast('  requests answered elsewhere', elsewhere(report.bySite), 1);
}

function elsewhere(bySite: Readonly<Record<string, number>>): number {
  return (bySite.iad ?? 0) + (bySite.sin ?? 0);
}
