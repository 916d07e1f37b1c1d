/** Steps 5–7 of the exercise: a drain, an overload, and a site that is cut off from the store. */
import { CALM_RATIO, OVERLOAD_RATIO } from './control.ts';
import {
  answer,
  answersEverywhere,
  balancersAt,
  type Cast,
  callApi,
  eventWhere,
  pause,
  prefixesOf,
  record,
  type Scene,
  SETTLED_WITHIN_MS,
  type Step,
  same,
  until,
  WAITING_MS,
} from './outside.ts';
import type { DemoSite } from './ports.ts';

/** Load is looked at this often, and judged by its mean over the last `LOAD_MEAN_MS`. */
const LOAD_EVERY_MS = 100;
const LOAD_MEAN_MS = 2_000;
/** A site whose load is above this has its own clients back. */
const HOME_AGAIN = 0.9 * CALM_RATIO;
/** What is measured over two seconds scatters by a few hundredths around what the plan aims at. */
const LOAD_SLACK = 0.05;
const SPILL_WITHIN_MS = 20_000;
const GUESTS_SEEN = 50;
/** A turn of the share counts when it goes back by more than this, from its last extreme. */
const TURN_MIN = 0.05;
/** One turn is the end of the overload itself. */
const TURNS_MAX = 3;
const ALONE_MS = 2_000;
const STORE_EVENT_WITHIN_MS = 3_000;

const drained: Step = {
  title: 'it is drained',
  async play(cast) {
    const { scene, victim, region, check } = cast;
    const own = balancersAt(scene.config, victim);
    const site = siteOf(scene, victim);
    const changes = record(scene.router.changes);
    const failed_before = scene.generator.failed;
    const ok_before = okOf(scene);
    const started = scene.clock.now();
    await callApi(site, '/v1/drain', { by: 'the exercise', reason: 'step 5' });
    const elsewhere = (seen: readonly string[]): boolean =>
      seen.length > 0 && !seen.some((one) => own.includes(one));
    const left = await answersEverywhere(scene, region, elsewhere, WAITING_MS, SETTLED_WITHIN_MS);
    check(
      left !== null,
      'answers leave first',
      left?.balancers.join(' ') ?? 'they stay',
      left && left.at_ms - started,
    );
    const withdrawn = await until(scene, WAITING_MS, scene.config.policy.drain_ms * 2, () =>
      prefixesOf(scene.config, victim).some((one) => scene.router.announcers(one).includes(victim))
        ? null
        : true,
    );
    const first = changes.all.find((change) => change.site === victim && !change.announced);
    check(
      withdrawn !== null && first !== undefined && left !== null && first.at_ms > left.at_ms,
      `routes withdrawn last, ${scene.config.policy.drain_ms} ms after the drain began`,
      first ? 'withdrawn, after the answers' : 'still announced',
      first ? first.at_ms - started : null,
    );
    changes.stop();
    checkUnbroken(cast, ok_before, failed_before);
    await callApi(site, '/v1/undrain', { by: 'the exercise' });
    await checkReturn(cast, own);
  },
};

async function checkReturn({ scene, victim, region, check }: Cast, own: string[]): Promise<void> {
  const started = scene.clock.now();
  const within_ms = scene.config.policy.health.hold_down_ms + SETTLED_WITHIN_MS;
  const all = (seen: readonly string[]): boolean => same(seen, own);
  const back = await answersEverywhere(scene, region, all, WAITING_MS, within_ms);
  const routes = await until(scene, WAITING_MS, within_ms, () =>
    prefixesOf(scene.config, victim).every((one) => scene.router.announcers(one).includes(victim))
      ? true
      : null,
  );
  check(
    back !== null && routes !== null,
    'undrain: answers and routes back',
    `${back ? 'answers' : 'no answers'}, ${routes ? 'routes' : 'no routes'}`,
    scene.clock.now() - started,
  );
  const ttl_ms = scene.config.services[0]!.ttl_s * 1_000;
  const home = await until(scene, WAITING_MS, ttl_ms + SETTLED_WITHIN_MS, () =>
    scene.load(victim) >= HOME_AGAIN ? scene.load(victim) : null,
  );
  check(
    home !== null,
    'its clients come back as their TTLs end',
    `load ${(home ?? scene.load(victim)).toFixed(2)}`,
    scene.clock.now() - started,
  );
}

const okOf = (scene: Scene): number =>
  scene.generator.regions.reduce((sum, region) => sum + scene.generator.counts(region).ok, 0);

function checkUnbroken({ scene, check }: Cast, ok_before: number, failed_before: number): void {
  const failed = scene.generator.failed - failed_before;
  const ok = okOf(scene) - ok_before;
  check(failed === 0 && ok > 0, 'no request breaks', `${failed} of ${ok + failed} failed`);
}

/** What was seen of load and share while an overload was on. */
interface Watch {
  readonly shares: number[];
  readonly loads: Map<string, number[]>;
}

function sample(scene: Scene, victim: string, watch: Watch): void {
  watch.shares.push(scene.share(victim));
  for (const { name } of scene.sites) {
    const loads = watch.loads.get(name) ?? [];
    loads.push(scene.load(name));
    watch.loads.set(name, loads);
  }
}

/** Mean of the newest samples; Infinity while there are too few. */
function recentLoad(watch: Watch, site: string): number {
  const count = LOAD_MEAN_MS / LOAD_EVERY_MS;
  const recent = (watch.loads.get(site) ?? []).slice(-count);
  if (recent.length < count) return Number.POSITIVE_INFINITY;
  return recent.reduce((sum, load) => sum + load, 0) / count;
}

const overloaded: Step = {
  title: 'it is overloaded',
  async play(cast) {
    const { scene, victim, region, check } = cast;
    const { generator, clock } = scene;
    const watch: Watch = { shares: [], loads: new Map() };
    const watched = <Seen>(look: () => Seen | null): Promise<Seen | null> =>
      until(scene, LOAD_EVERY_MS, SPILL_WITHIN_MS, () => {
        sample(scene, victim, watch);
        return look();
      });
    const name = scene.config.regions[region]!.name;
    const before = generator.counts(name);
    const failed_before = generator.failed;
    const ok_before = okOf(scene);
    const started = clock.now();
    scene.levers.setLoad(victim, OVERLOAD_RATIO);
    const spilled = (): number => generator.counts(name).spilled - before.spilled;
    const guests = await watched(() => (spilled() >= GUESTS_SEEN ? spilled() : null));
    check(
      guests !== null,
      'requests reach a quiet site',
      `${spilled()} of ${victim}’s answered by ${guestsOf(scene, name, before.served, victim)}`,
      clock.now() - started,
    );
    const peak = Math.max(...(watch.loads.get(victim) ?? [0]));
    const below = scene.config.policy.spill.target + LOAD_SLACK;
    const load = await watched(() => {
      const now = recentLoad(watch, victim);
      return now < below && scene.share(victim) > 0 ? now : null;
    });
    check(
      load !== null && peak > load,
      `load of ${victim} falls below ${below.toFixed(2)}`,
      `${peak.toFixed(2)} → ${(load ?? recentLoad(watch, victim)).toFixed(3)}`,
      clock.now() - started,
    );
    await checkBalanceAndEnd(cast, watch, watched);
    checkUnbroken(cast, ok_before, failed_before);
  },
};

async function checkBalanceAndEnd(
  { scene, victim, check }: Cast,
  watch: Watch,
  watched: <Seen>(look: () => Seen | null) => Promise<Seen | null>,
): Promise<void> {
  // Some time at the new balance: here is where a loop that is not stable would swing.
  for (let i = 0; i < LOAD_MEAN_MS / LOAD_EVERY_MS; i++) {
    sample(scene, victim, watch);
    await pause(scene, LOAD_EVERY_MS);
  }
  const fill = scene.config.policy.spill.fill + LOAD_SLACK;
  const helpers = scene.sites.filter(({ name }) => name !== victim);
  const loads = helpers.map(({ name }) => recentLoad(watch, name));
  check(
    loads.every((load) => load < fill),
    `nobody who helps is filled above ${fill.toFixed(2)}`,
    helpers.map(({ name }, i) => `${name} ${loads[i]!.toFixed(2)}`).join(', '),
  );
  const ended_at = scene.clock.now();
  scene.levers.setLoad(victim, CALM_RATIO);
  const over = await watched(() => (scene.share(victim) === 0 ? true : null));
  check(
    over !== null,
    'the overload ends, and so does the spill',
    `share ${Math.max(...watch.shares).toFixed(2)} → ${scene.share(victim).toFixed(2)}`,
    scene.clock.now() - ended_at,
  );
  const turns = turnsOf(watch.shares);
  const swung = `${turns} ${turns === 1 ? 'turn' : 'turns'} of the share`;
  check(turns <= TURNS_MAX, `no flapping (≤ ${TURNS_MAX} turns of the share)`, swung);
}

/** The sites that answered spilled requests, by name. */
function guestsOf(
  scene: Scene,
  region: string,
  before: Readonly<Record<string, number>>,
  victim: string,
): string {
  const now = scene.generator.counts(region).served;
  const sites = Object.keys(now).filter(
    (site) => site !== victim && now[site]! > (before[site] ?? 0),
  );
  return sites.join(' ') || 'nobody';
}

/** How often `shares` turns from rising to falling or back, small movements aside. */
export function turnsOf(shares: readonly number[]): number {
  let turns = 0;
  let direction = 0;
  let extreme = shares[0] ?? 0;
  for (const share of shares) {
    const step = Math.sign(share - extreme);
    if (step !== 0 && step === direction) {
      extreme = share;
    } else if (Math.abs(share - extreme) > TURN_MIN) {
      if (direction !== 0) turns++;
      direction = step;
      extreme = share;
    }
  }
  return turns;
}

const siteOf = (scene: Scene, name: string): DemoSite =>
  scene.sites.find((site) => site.name === name)!;

/** What the site says of itself: whether it reaches the store. */
async function connected(site: DemoSite): Promise<boolean> {
  return (await callApi<{ connected: boolean }>(site, '/v1/status')).connected;
}

const alone: Step = {
  title: 'cut from the store',
  async play(cast) {
    const { scene, victim, check } = cast;
    const site = siteOf(scene, victim);
    const started = scene.clock.now();
    const told = eventWhere(
      scene,
      STORE_EVENT_WITHIN_MS,
      (event) => event.site === victim && event.kind === 'store',
    );
    scene.levers.cut(victim);
    const event = await told;
    check(
      event !== null && !(await connected(site)),
      `${victim} says that it is on its own`,
      event ? event.text : 'it says nothing',
      event && event.at_ms - started,
    );
    await checkAnswersAlone(cast);
    await checkOwnEyes(cast);
    const healed_at = scene.clock.now();
    scene.levers.heal(victim);
    const back = await until(scene, WAITING_MS, STORE_EVENT_WITHIN_MS, async () =>
      (await connected(site)) ? true : null,
    );
    check(
      back !== null,
      'healed: it says that it is connected',
      back ? 'connected' : 'still on its own',
      scene.clock.now() - healed_at,
    );
  },
};

/** Every region is answered as before by the site that is alone, for `ALONE_MS`. */
async function checkAnswersAlone({ scene, victim, check }: Cast): Promise<void> {
  const site = siteOf(scene, victim);
  let asked = 0;
  let wrong = 0;
  const started = scene.clock.now();
  while (scene.clock.now() - started < ALONE_MS) {
    for (const [region, { order }] of scene.config.regions.entries()) {
      const home = scene.config.sites[order[0]!]!.name;
      const seen = await answer(scene, site, region);
      asked++;
      if (!same(seen, balancersAt(scene.config, home))) wrong++;
    }
    await pause(scene, WAITING_MS);
  }
  check(wrong === 0, 'it goes on answering each region', `${asked - wrong} of ${asked} answers`);
}

/** What dies at the site that is alone leaves its answers all the same. */
async function checkOwnEyes({ scene, victim, region, check }: Cast): Promise<void> {
  const site = siteOf(scene, victim);
  const [lost = '', ...left] = balancersAt(scene.config, victim);
  const started = scene.clock.now();
  await scene.levers.break(lost);
  const gone = await until(scene, WAITING_MS, SETTLED_WITHIN_MS, async () =>
    same(await answer(scene, site, region), left) ? true : null,
  );
  check(
    gone !== null,
    `it sees with its own eyes that ${lost} dies`,
    gone ? `answers ${left.join(' ')}` : `still answers ${lost}`,
    scene.clock.now() - started,
  );
  await scene.levers.repair(lost);
}

export const OPERATION_STEPS: readonly Step[] = [drained, overloaded, alone];
