/** Steps 1–4 of the exercise: all is well, a load balancer dies, its site dies, it returns. */
import type { SiteEvent } from '../../model/event.ts';
import { AnswerWatch } from './answer-watch.ts';
import {
  answer,
  answersEverywhere,
  balancersAt,
  type Cast,
  eventWhere,
  prefixesOf,
  record,
  type Scene,
  SETTLED_WITHIN_MS,
  type Step,
  same,
  until,
  WAITING_MS,
} from './outside.ts';
import type { RouteChange } from './ports.ts';

/** A DNS answer and a withdrawal may come this long after the verdict at most. */
const REACTION_MAX_MS = 20;
const TRIES_MAX = 3;
const VERDICT_WITHIN_MS = 5_000;
const REACTION_WITHIN_MS = 2_000;
/** DNS is watched from before the failure, so that the first changed answer is not missed. */
const WATCHED_MS = VERDICT_WITHIN_MS + REACTION_WITHIN_MS;
/** Requests of each region that are looked at in step 1. */
const REQUESTS_SEEN = 20;
const allHealthy: Step = {
  title: 'all sites healthy',
  async play(cast) {
    await eachRegionAtHome(cast);
    await allRoutes(cast);
    await requestsAtHome(cast);
  },
};

async function eachRegionAtHome({ scene, check }: Cast): Promise<void> {
  const { config, clock } = scene;
  const started = clock.now();
  const homes = config.regions.map((region) => config.sites[region.order[0]!]!.name);
  const seen = await Promise.all(
    homes.map((home, region) => {
      const own = balancersAt(config, home);
      const wanted = (balancers: readonly string[]): boolean => same(balancers, own);
      return answersEverywhere(scene, region, wanted, WAITING_MS, SETTLED_WITHIN_MS);
    }),
  );
  const texts = await Promise.all(
    config.regions.map(async ({ name }, region) => {
      const got = seen[region]?.balancers ?? (await answer(scene, scene.sites[0]!, region));
      return `${name}: ${got.join(' ') || 'nothing'}`;
    }),
  );
  check(
    seen.every((one) => one !== null),
    `from ${scene.sites.length} servers: ${config.regions
      .map(({ name }, region) => `${name} → ${homes[region]}`)
      .join(', ')}`,
    texts.join(', '),
    clock.now() - started,
  );
}

async function allRoutes({ scene, check }: Cast): Promise<void> {
  const { config, router, clock } = scene;
  const started = clock.now();
  const wanted = config.sites.flatMap(({ name }) =>
    prefixesOf(config, name).map((prefix) => ({ site: name, prefix })),
  );
  const there = (): number =>
    wanted.filter((one) => router.announcers(one.prefix).includes(one.site)).length;
  await until(scene, WAITING_MS, SETTLED_WITHIN_MS, () =>
    there() === wanted.length ? true : null,
  );
  check(
    there() === wanted.length && wanted.length > 0,
    `${wanted.length} routes at the collector`,
    `${there()} routes`,
    clock.now() - started,
  );
}

async function requestsAtHome({ scene, check }: Cast): Promise<void> {
  const { config, generator, clock } = scene;
  const started = clock.now();
  const before = generator.regions.map((region) => generator.counts(region));
  const since = (index: number): { ok: number; failed: number; home: number } => {
    const now = generator.counts(generator.regions[index]!);
    const home = config.sites[config.regions[index]!.order[0]!]!.name;
    return {
      ok: now.ok - before[index]!.ok,
      failed: now.failed - before[index]!.failed,
      home: (now.served[home] ?? 0) - (before[index]!.served[home] ?? 0),
    };
  };
  const all = (): ReturnType<typeof since>[] => generator.regions.map((_, index) => since(index));
  await until(scene, WAITING_MS, SETTLED_WITHIN_MS, () =>
    all().every(({ ok }) => ok >= REQUESTS_SEEN) ? true : null,
  );
  const seen = all();
  const total = seen.reduce((sum, one) => sum + one.ok, 0);
  const home = seen.reduce((sum, one) => sum + one.home, 0);
  const failed = seen.reduce((sum, one) => sum + one.failed, 0);
  check(
    seen.every((one) => one.ok >= REQUESTS_SEEN && one.home === one.ok && one.failed === 0),
    'every request served by its own site',
    `${home} of ${total} at home, ${failed} failed`,
    clock.now() - started,
  );
}

const balancerDies: Step = {
  title: 'a load balancer dies',
  async play(cast) {
    const { scene, victim, check } = cast;
    const [lost = '', ...left] = balancersAt(scene.config, victim);
    const reaction = await timedBreak(cast, lost, (seen) => same(seen, left));
    checkVerdict(cast, lost, reaction);
    checkReaction(cast, 'changed answer', `only ${left.join(' ')}`, reaction, 'changed_ms');
    const all = prefixesOf(scene.config, victim);
    const kept = all.filter((prefix) => scene.router.announcers(prefix).includes(victim));
    check(same(kept, all), `${victim} stays at the collector`, `${kept.length} routes of it there`);
  },
};

const siteDies: Step = {
  title: 'the whole site dies',
  async play(cast) {
    const { scene, victim } = cast;
    const own = balancersAt(scene.config, victim);
    const gone = (seen: readonly string[]): boolean =>
      seen.length > 0 && !seen.some((one) => own.includes(one));
    const reaction = await timedBreak(cast, victim, gone);
    checkVerdict(cast, victim, reaction);
    const where = `${reaction.balancers.join(' ')} instead`;
    checkReaction(cast, 'changed answer', where, reaction, 'changed_ms');
    checkReaction(cast, 'withdraw at the collector', 'withdrawn', reaction, 'withdrawn_ms');
  },
};

const siteReturns: Step = {
  title: 'it returns',
  async play({ scene, victim, region, check }) {
    const { hold_down_ms } = scene.config.policy.health;
    const within_ms = hold_down_ms + SETTLED_WITHIN_MS;
    const own = balancersAt(scene.config, victim);
    const changes = record(scene.router.changes);
    const repaired_at = scene.clock.now();
    await scene.levers.repair(victim);
    const some = (seen: readonly string[]): boolean => seen.some((one) => own.includes(one));
    const back = await answersEverywhere(scene, region, some, WAITING_MS, within_ms);
    const back_ms = back && back.at_ms - repaired_at;
    check(
      back_ms !== null && back_ms >= hold_down_ms,
      `answers back, not before the hold-down of ${hold_down_ms} ms`,
      back_ms === null ? 'not back' : 'back, counted from the repair',
      back_ms,
    );
    const routes_at = await routesAre(scene, victim, true, changes.all, SETTLED_WITHIN_MS);
    check(
      routes_at !== null,
      `its ${prefixesOf(scene.config, victim).length} routes back at the collector`,
      routes_at === null ? 'not back' : 'announced again',
      routes_at && routes_at - repaired_at,
    );
    const all = (seen: readonly string[]): boolean => same(seen, own);
    const whole = await answersEverywhere(scene, region, all, WAITING_MS, within_ms);
    check(
      whole !== null,
      `${own.join(' ')} in the answers`,
      whole?.balancers.join(' ') ?? 'never all',
      whole && whole.at_ms - repaired_at,
    );
    changes.stop();
  },
};

/** What followed when something was broken; null for what did not come in time. */
interface Reaction {
  /** From the break to the home site's verdict. */
  readonly verdict_ms: number | null;
  /** From the verdict to the last site's changed answer, and what that is. */
  readonly changed_ms: number | null;
  readonly balancers: readonly string[];
  /** From the verdict to the last withdrawal; 0 where nothing is to be withdrawn. */
  readonly withdrawn_ms: number | null;
  /** The slower part of each earlier try that exceeded the limit: shown, never hidden. */
  readonly slower_ms: readonly number[];
}

/**
 * Breaks `target` and times what follows, until every site gives an answer that `wanted` accepts.
 * A reaction that was too slow is repaired and timed again, a few times at most: a machine that is
 * busy with something else may keep any program waiting for longer than the limit.
 */
async function timedBreak(
  cast: Cast,
  target: string,
  wanted: (balancers: readonly string[]) => boolean,
): Promise<Reaction> {
  const { scene, victim, region } = cast;
  const own = balancersAt(scene.config, victim);
  const whole = (seen: readonly string[]): boolean => same(seen, own);
  for (const slower_ms: number[] = []; ; ) {
    const reaction = { ...(await breakOnce(cast, target, wanted)), slower_ms };
    const { changed_ms, withdrawn_ms } = reaction;
    if (changed_ms === null || withdrawn_ms === null) return reaction;
    const slower = Math.max(changed_ms, withdrawn_ms);
    if (slower <= REACTION_MAX_MS || slower_ms.length + 1 === TRIES_MAX) return reaction;
    slower_ms.push(slower);
    await scene.levers.repair(target);
    const within_ms = scene.config.policy.health.hold_down_ms + SETTLED_WITHIN_MS;
    await answersEverywhere(scene, region, whole, WAITING_MS, within_ms);
    await routesSettle(scene, victim, true, within_ms);
  }
}

async function breakOnce(
  { scene, victim, region }: Cast,
  target: string,
  wanted: (balancers: readonly string[]) => boolean,
): Promise<Omit<Reaction, 'slower_ms'>> {
  const dying = balancersAt(scene.config, victim).filter((one) => [one, victim].includes(target));
  const answered = await answer(scene, scene.sites[0]!, region);
  const changes = record(scene.router.changes);
  const watch = await AnswerWatch.start(scene, region, SETTLED_WITHIN_MS);
  try {
    const watching = watch.everywhere(wanted, WATCHED_MS);
    const broken_at = scene.clock.now();
    const verdict = lastVerdict(
      scene,
      victim,
      dying.filter((one) => answered.includes(one)),
    );
    await scene.levers.break(target);
    const verdict_at = (await verdict)?.at_ms ?? null;
    const changed = await watching;
    const withdrawn_at =
      target === victim
        ? await routesAre(scene, victim, false, changes.all, REACTION_WITHIN_MS)
        : verdict_at;
    const since = (at_ms: number | null | undefined): number | null =>
      at_ms == null || verdict_at === null ? null : at_ms - verdict_at;
    return {
      verdict_ms: verdict_at && verdict_at - broken_at,
      changed_ms: since(changed?.at_ms),
      balancers: changed?.balancers ?? [],
      withdrawn_ms: since(withdrawn_at),
    };
  } finally {
    changes.stop();
    await watch.stop();
  }
}

/** The event by which the last of `balancers` is down, as its site sees it; null if there is none. */
function lastVerdict(
  scene: Scene,
  site: string,
  balancers: readonly string[],
): Promise<SiteEvent | null> {
  const endpoints = scene.config.endpoints.filter((one) => balancers.includes(one.load_balancer));
  const waiting = new Set(endpoints.map(({ id }) => id));
  return eventWhere(scene, VERDICT_WITHIN_MS, (event) => {
    if (event.site !== site || event.kind !== 'health') return false;
    return event.text.startsWith('down') && waiting.delete(event.subject) && waiting.size === 0;
  });
}

function checkVerdict({ check }: Cast, target: string, { verdict_ms }: Reaction): void {
  const seen = verdict_ms === null ? 'none' : 'down, counted from its death';
  check(verdict_ms !== null, `the verdict that ${target} is down`, seen, verdict_ms);
}

/** When the last of `site`'s routes came, or went, at the collector; null if one did not. */
async function routesAre(
  scene: Scene,
  site: string,
  announced: boolean,
  changes: readonly RouteChange[],
  within_ms: number,
): Promise<number | null> {
  const done = await routesSettle(scene, site, announced, within_ms);
  const own = changes.filter((one) => one.site === site && one.announced === announced);
  return done && own.length > 0 ? own.at(-1)!.at_ms : null;
}

/** Whether all of `site`'s routes are, or none is, at the collector before `within_ms` have passed. */
async function routesSettle(
  scene: Scene,
  site: string,
  announced: boolean,
  within_ms: number,
): Promise<boolean> {
  const prefixes = prefixesOf(scene.config, site);
  const settled = (): boolean =>
    prefixes.every((one) => scene.router.announcers(one).includes(site) === announced);
  const done = await until(scene, WAITING_MS, within_ms, () => (settled() ? true : null));
  return done !== null;
}

function checkReaction(
  { check }: Cast,
  what: string,
  seen: string,
  reaction: Reaction,
  part: 'changed_ms' | 'withdrawn_ms',
): void {
  const took_ms = reaction[part];
  const before = reaction.slower_ms.map((ms) => `${ms.toFixed(1)} ms`).join(', ');
  const again = before ? ` (again, after ${before})` : '';
  check(
    took_ms !== null && took_ms <= REACTION_MAX_MS,
    `verdict → ${what} (≤ ${REACTION_MAX_MS} ms)`,
    took_ms === null ? 'never' : `${seen}${again}`,
    took_ms,
  );
}

export const FAILURE_STEPS: readonly Step[] = [allHealthy, balancerDies, siteDies, siteReturns];
