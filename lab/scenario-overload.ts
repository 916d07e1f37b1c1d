/**
 * `overload`: the clients of fra bring it to 1.4 of its capacity while iad and sin stand at 0.4.
 * New flows cross the tunnel, reach the other site's load balancer and are answered from there
 * straight to the client; no transfer under way breaks while the share goes up and down.
 *
 * Shares come from the kernel's own map, sites and losses from the clients, loads from the load
 * balancers, replies from the routers: nothing is judged by what an agent says of itself.
 */
import { plan, SITES, type SiteName, TIMING, VIP } from './deployment.ts';
import type { Judge } from './judge.ts';
import { awayShare, type Load, steady, transfers } from './load.ts';
import { Observer } from './observer.ts';
import { ShareWatch } from './share-watch.ts';
import type { World } from './topology.ts';
import { monotonic_ms, pause, until } from './wait.ts';

/** Requests under way that a site has room for. */
export const CAPACITY = 60;
const HOLD_MS = 1_000;
const OVERLOAD = 1.4;
const QUIET = 0.4;
/** Transfers that are under way from before the first spilled flow until after the last. */
const EARLY_TRANSFERS = 12;
/** Transfers begun while flows are spilled: with 24, one run in 10,000 would spill none of them. */
const LATE_TRANSFERS = 24;
/** They end when told, which is long before. */
const TRANSFER_MAX_MS = 120_000;
const MEASURE_MS = 8_000;
/** Clients that a busy machine held up come all at once: the loop is given time to follow. */
const WINDOWS_MAX = 3;

/** A smoothed value has come close enough to a step after this many of its time constants. */
const SETTLE = 3;
/** What a busy machine adds to a chain of steps. */
const BUSY_MS = 1_500;
/**
 * The overload must build up, be seen, last, and be granted; then the first flow is answered.
 */
const ONSET_LIMIT_MS =
  HOLD_MS +
  SETTLE * TIMING.load_smoothing_ms +
  TIMING.spill_onset_ms +
  2 * (TIMING.spill_tick_ms + TIMING.report_interval_ms) +
  HOLD_MS +
  BUSY_MS;
/** Then the share rises, and the flows that were there before must end. */
const RELIEF_LIMIT_MS =
  ONSET_LIMIT_MS +
  ((OVERLOAD - TIMING.spill_target) / OVERLOAD / TIMING.spill_rise_per_s) * 1_000 +
  SETTLE * TIMING.load_smoothing_ms +
  HOLD_MS;
/** The flows end, the load is seen to have fallen, and the share falls at its own speed. */
const END_LIMIT_MS =
  HOLD_MS +
  SETTLE * TIMING.load_smoothing_ms +
  1_000 / TIMING.spill_fall_per_s +
  TIMING.spill_tick_ms +
  BUSY_MS;
/** A fair hash misses the share asked by more than this many standard deviations once in 2,000. */
const SIGMAS = 3.5;

export async function overload(world: World, judge: Judge): Promise<void> {
  const observer = new Observer(world);
  await countReplies(world);
  const quiet = (['iad', 'sin'] as const).map((site) =>
    steady(world, site, (QUIET * CAPACITY * 1000) / HOLD_MS, HOLD_MS),
  );
  const early = transfers(world, 'fra', EARLY_TRANSFERS, TRANSFER_MAX_MS);
  await pause(2_000);
  const shares = new ShareWatch(world.sites.fra.space);
  const began = monotonic_ms();
  const rate = ((OVERLOAD * CAPACITY - EARLY_TRANSFERS) * 1000) / HOLD_MS;
  const load = steady(world, 'fra', rate, HOLD_MS);
  await judgeOnset(observer, judge, load, began);
  await judgeShare(observer, judge, load, shares);

  const late = transfers(world, 'fra', LATE_TRANSFERS, TRANSFER_MAX_MS);
  await pause(HOLD_MS);
  const ended = monotonic_ms();
  const report = await load.stop();
  const over = (): number | undefined => shares.first(ended, (share) => share === 0);
  const stopped = await until('the share to end', END_LIMIT_MS, over).catch(() => null);
  judge.time('overload ends → nothing spilled any more', stopped && stopped - ended, END_LIMIT_MS);
  await pause(TIMING.spill_lease_ms);
  judge.range('  times that spilling began, all in all', shares.beginnings(), 1, 1);
  await shares.stop();

  for (const site of SITES) world.sites[site].backend.kill('SIGUSR2');
  const [before, meanwhile] = [await early.done, await late.done];
  const own = [report, before, meanwhile];
  judge.noneLost('requests of fra lost', report.lost, report.errors);
  judge.noneLost('transfers begun before the first spill, cut', before.lost, before.errors);
  judge.noneLost('transfers begun while spilling, cut', meanwhile.lost, meanwhile.errors);
  const outlived = awayOf(meanwhile.bySite);
  judge.atLeast('  of them spilled, and ended after the last spill', outlived, 1);
  judge.range('flows that two sites answered', sum(own.map(({ mixed }) => mixed)), 0, 0);
  for (const [i, site] of (['iad', 'sin'] as const).entries()) {
    const { lost, errors } = await quiet[i]!.stop();
    judge.noneLost(`requests of ${site} lost`, lost, errors);
  }
  for (const site of ['iad', 'sin'] as const) {
    await judgePath(world, judge, site, sum(own.map(({ bySite }) => bySite[site] ?? 0)));
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
const mean = (numbers: readonly number[]): number => sum(numbers) / numbers.length;
const awayOf = (bySite: Readonly<Record<string, number>>): number =>
  sum(Object.entries(bySite).map(([site, count]) => (site === 'fra' ? 0 : count)));

/** The time to the first flow answered elsewhere, and until the overload is over. */
async function judgeOnset(
  observer: Observer,
  judge: Judge,
  load: Load,
  began: number,
): Promise<void> {
  const away = (): number | undefined => load.firstAway('fra');
  const first = await until('a spilled flow', ONSET_LIMIT_MS, away).catch(() => null);
  judge.time(
    'overload begins → first flow answered elsewhere',
    first && first - began,
    ONSET_LIMIT_MS,
  );
  // It must have risen above capacity before it can have been brought below.
  const isFra = (server: string | undefined): boolean => server === plan.site('fra');
  const risen = await observer.after(began, RELIEF_LIMIT_MS, (sight) => {
    return isFra(sight.server) && sight.load !== undefined && sight.load > CAPACITY;
  });
  const relieved =
    risen &&
    (await observer.after(began + risen, RELIEF_LIMIT_MS, (sight) => {
      return isFra(sight.server) && sight.load !== undefined && sight.load <= CAPACITY;
    }));
  judge.time('overload begins → load above 1.0', risen, ONSET_LIMIT_MS);
  judge.time('  → load below 1.0 again', risen && relieved && risen + relieved, RELIEF_LIMIT_MS);
  // The last step of the share shows in the answers one hold time later.
  await pause(SETTLE * TIMING.load_smoothing_ms);
}

interface Window {
  readonly from: number;
  readonly flows: number;
  readonly asked: number;
  readonly achieved: number;
  /** Of fra, on average, in parts of its capacity. */
  readonly load: number;
}

/** Share asked of the kernel against share seen by the clients, and the loads meanwhile. */
async function judgeShare(
  observer: Observer,
  judge: Judge,
  load: Load,
  shares: ShareWatch,
): Promise<void> {
  let window = await measure(observer, load, shares);
  for (let i = 1; window.load > 1 && i < WINDOWS_MAX; i++) {
    window = await measure(observer, load, shares);
  }
  const { flows, asked, achieved } = window;
  const noise = SIGMAS * Math.sqrt((asked * (1 - asked)) / flows);
  const points = (share: number): number => Math.round(share * 1000) / 10;
  judge.note(`share asked, of ${flows} new flows`, `${points(asked)} %`);
  judge.range('  achieved', points(achieved), points(asked - noise), points(asked + noise), ' %');
  judge.range('load of fra meanwhile, on average', window.load, 0.5, 1);
  for (const site of ['iad', 'sin'] as const) {
    const highest = Math.max(...observer.loads(window.from, site)) / CAPACITY;
    judge.range(`highest load of ${site}`, highest, 0, 1);
  }
}

async function measure(observer: Observer, load: Load, shares: ShareWatch): Promise<Window> {
  const [before, from] = [load.latest, load.latestAt];
  await pause(MEASURE_MS);
  const [after, to] = [load.latest, load.latestAt];
  const { share, flows } = awayShare(before, after, 'fra');
  return {
    from,
    flows,
    // What is answered now was decided a hold time ago.
    asked: mean(shares.between(from - HOLD_MS, to - HOLD_MS)),
    achieved: share,
    load: mean(observer.loads(from, 'fra')) / CAPACITY,
  };
}

/** Counts, at each router, the connections that its site accepts from fra's clients as the VIP. */
async function countReplies(world: World): Promise<void> {
  for (const site of SITES) {
    const match = `iifname "site" ip saddr ${VIP} ip daddr ${plan.client('fra')}`;
    const syn = 'tcp flags & (syn|ack) == (syn|ack)';
    const text = `table ip seen {
  counter replies {
  }
  chain prerouting {
    type filter hook prerouting priority 0;
    ${match} ${syn} counter name replies
  }
}
`;
    await world.sites[site].router.host().run('nft', ['-f', '-'], text);
  }
}

/** `flows` of fra's clients came to `site` through the tunnel, and left by its own router. */
async function judgePath(world: World, judge: Judge, site: SiteName, flows: number): Promise<void> {
  const link = await world.sites[site].space.ip('-json -s link show dev t-fra');
  const [device] = JSON.parse(link) as [{ stats64: { rx: { packets: number } } }];
  // A TCP connection has at least a SYN, a request and a FIN.
  judge.atLeast(`packets from fra's tunnel at ${site}`, device.stats64.rx.packets, 3 * flows);
  const args = ['-j', 'list', 'counter', 'ip', 'seen', 'replies'];
  const text = await world.sites[site].router.exec('nft', ...args);
  const { nftables } = JSON.parse(text) as { nftables: { counter?: { packets: number } }[] };
  const replies = nftables.find(({ counter }) => counter)!.counter!.packets;
  judge.atLeast(`  answered by ${site} straight to the clients`, replies, flows);
}
