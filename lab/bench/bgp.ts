/**
 * `bench -- bgp`: how fast a route of one site comes to, and goes from, the kernel of a BIRD router on
 * the same cable, with isobar and its peers as the speaker. Every round has every speaker once.
 */
import type { ChildProcess } from 'node:child_process';
import process from 'node:process';
import { BirdRouter } from '../bgp/bird.ts';
import { RouteWatch, wall_ms, wallOffset_ms } from '../bgp/route-watch.ts';
import { layScene, routerSettings, type Scene, THEIR_LINK } from '../bgp/scene.ts';
import { end, withNetLab } from '../netns.ts';
import { monotonic_ms, pause, until } from '../wait.ts';
import {
  ANNOUNCERS,
  type Announcer,
  type AnnouncerKind,
  SETS,
  type SetName,
} from './bgp-announcers.ts';
import { type Row, summary, table } from './report.ts';

export interface BgpOptions {
  readonly speaker: readonly string[];
  readonly rounds: number;
  /** Times that the one VIP is announced and withdrawn in a round. */
  readonly flips: number;
}

/** Between two commands: peers that collect changes for a while have nothing left to collect. */
const REST_MS = 150;
const SESSION_MS = 60_000;
const MANY_FLIPS = 3;
/** How long BFD must hold under load before the neighbour is lost. */
const BUSY_MS = 5_000;

const DROP =
  'add table inet loss; add chain inet loss in { type filter hook input priority -10; policy drop; }';

/** What is measured, in the order of the tables; each a time in milliseconds. */
const MEASURES = {
  start: 'start of the process to Established',
  announce: 'one VIP announced, to the kernel’s table',
  withdraw: 'one VIP withdrawn, from the kernel’s table',
  announce_many: '1,000 VIPs announced, to the last in the table',
  withdraw_many: '1,000 VIPs withdrawn, to the last from the table',
  kill: 'kill -9 to the route gone',
  frozen: 'SIGSTOP to the route gone, with BFD 3 × 100 ms',
  lost: 'every packet dropped to the route gone, with BFD 3 × 100 ms',
  lost_busy: 'the same while its DNS server answers as much as it can',
} as const;
type Measure = keyof typeof MEASURES;
type Samples = Record<Measure, Record<string, number[]>>;

/** The router's side, which lives through the whole benchmark. */
class Bench {
  readonly scene: Scene;
  readonly router: BirdRouter;
  readonly watch: RouteWatch;
  /** Started before, since the start of a program takes some milliseconds. */
  readonly #nft: ChildProcess;

  private constructor(scene: Scene) {
    this.scene = scene;
    this.router = new BirdRouter(
      routerSettings(scene, 'router', {
        globalLines: [
          'timeformat log iso long us;',
          `protocol bfd { interface "${THEIR_LINK}" { interval 100 ms; multiplier 3; }; }`,
        ],
        neighborLines: ['bfd yes;', 'debug { events };'],
        peer: { passive: false },
      }),
    );
    this.watch = new RouteWatch(scene.router);
    this.#nft = scene.router.spawnWithInput('nft', '-i');
  }

  static async open(scene: Scene): Promise<Bench> {
    const bench = new Bench(scene);
    await bench.router.start();
    const poke = async (): Promise<void> => {
      await scene.router.ip('route add 198.51.100.1 dev lo');
      await scene.router.ip('route del 198.51.100.1 dev lo');
    };
    await bench.watch.ready(poke);
    return bench;
  }

  /** From `from_ms` to the last time that BIRD has noted a session as up. */
  async established(from_ms: number): Promise<number> {
    const up = (): boolean => this.#last(/^(\S+ \S+) .*BGP session established$/gm) > from_ms;
    await until('the session', SESSION_MS, up, 5);
    return this.#last(/^(\S+ \S+) .*BGP session established$/gm) - from_ms;
  }

  /** When BIRD last noted the end of a session. */
  lastDown(): number {
    return this.#last(/^(\S+ \S+) .*BGP session closed$/gm);
  }

  #last(line: RegExp): number {
    const offset_ms = wallOffset_ms();
    const stamps = [...this.router.log().matchAll(line)].map(([, stamp]) => stamp!);
    return Math.max(-1, ...stamps.map((stamp) => wall_ms(stamp.replace(' ', 'T')) - offset_ms));
  }

  /** Has the router lose all that comes to it, or no more; the time just before. */
  async drop(all: boolean): Promise<number> {
    const at_ms = monotonic_ms();
    this.#nft.stdin?.write(`${all ? DROP : 'delete table inet loss'}\n`);
    return at_ms;
  }

  /** Until the router would take a new session: it waits a little after each that has ended. */
  async idle(): Promise<void> {
    await until('the router to be ready', SESSION_MS, async () =>
      /\b(Active|Connect)\b/.test(await this.router.ask('show protocols site')),
    );
  }

  async time(command: () => Promise<number>, set: SetName, there: boolean): Promise<number> {
    const taken_ms = await this.watch.after(command, SETS[set], there);
    await pause(REST_MS);
    return taken_ms;
  }
}

/** One speaker in one round, without BFD. */
async function plainRound(
  bench: Bench,
  announcer: Announcer,
  flips: number,
  note: (measure: Measure, taken_ms: number) => void,
): Promise<void> {
  note('start', await up(bench, announcer));
  const announce = (set: SetName) => bench.time(() => announcer.announce(set), set, true);
  const withdraw = (set: SetName) => bench.time(() => announcer.withdraw(set), set, false);
  for (let i = 0; i < flips; i++) {
    note('announce', await announce('one'));
    note('withdraw', await withdraw('one'));
  }
  await announce('one');
  const kill = async (): Promise<number> => {
    const at_ms = monotonic_ms();
    announcer.signal('SIGKILL');
    return at_ms;
  };
  note('kill', await bench.time(kill, 'one', false));
}

/** Many routes at once. */
async function manyRound(
  bench: Bench,
  announcer: Announcer,
  note: (measure: Measure, taken_ms: number) => void,
): Promise<void> {
  await up(bench, announcer);
  for (let i = 0; i < MANY_FLIPS; i++) {
    note('announce_many', await bench.time(() => announcer.announce('many'), 'many', true));
    note('withdraw_many', await bench.time(() => announcer.withdraw('many'), 'many', false));
  }
}

/** Starts it, and waits until its session is up and quiet; how long the session took. */
async function up(bench: Bench, announcer: Announcer): Promise<number> {
  await announcer.prepare?.();
  await bench.idle();
  const started_ms = monotonic_ms();
  await announcer.start();
  const taken_ms = await bench.established(started_ms);
  await pause(2_000); // FRR sends its first UPDATE only after a second
  return taken_ms;
}

/** With BFD, and the neighbour lost in two ways. */
async function bfdRound(
  bench: Bench,
  announcer: Announcer,
  note: (measure: Measure, taken_ms: number) => void,
): Promise<void> {
  await up(bench, announcer);
  const ready = async (): Promise<void> => {
    await until('BFD to be up', SESSION_MS, async () =>
      /\bUp\b/.test(await bench.router.ask('show bfd sessions')),
    );
    await pause(2_000);
  };
  await ready();
  await bench.time(() => announcer.announce('one'), 'one', true);
  const lose = async (measure: Measure): Promise<void> => {
    note(measure, await bench.time(() => bench.drop(true), 'one', false));
    const again_ms = await bench.drop(false);
    await bench.established(again_ms);
    await ready();
  };
  await lose('lost');
  const load = announcer.busy?.();
  if (load) {
    const loaded_ms = monotonic_ms();
    await pause(BUSY_MS);
    if (bench.lastDown() > loaded_ms) throw new Error('the session did not survive the load');
    await lose('lost_busy');
    await end(load);
  }
  const freeze = async (): Promise<number> => {
    const at_ms = monotonic_ms();
    announcer.signal('SIGSTOP');
    return at_ms;
  };
  note('frozen', await bench.time(freeze, 'one', false));
}

export async function benchBgp(options: BgpOptions): Promise<void> {
  const kinds = ANNOUNCERS.filter(
    ({ name, installed }) => installed && options.speaker.includes(name),
  );
  const samples = Object.fromEntries(
    Object.keys(MEASURES).map((measure) => [measure, {}]),
  ) as Samples;
  await withNetLab('bbgp', async (lab) => {
    const bench = await Bench.open(await layScene(lab));
    for (let round = 0; round < options.rounds; round++) {
      for (const kind of kinds) await oneTurn(bench, kind, round, options.flips, samples);
    }
    bench.watch.close();
    await bench.router.kill();
  });
  report(samples, options);
}

async function oneTurn(
  bench: Bench,
  kind: AnnouncerKind,
  round: number,
  flips: number,
  samples: Samples,
): Promise<void> {
  const note = (measure: Measure, taken_ms: number): void => {
    samples[measure][kind.name] ??= [];
    samples[measure][kind.name]!.push(taken_ms);
  };
  const turns = [
    ['plain', true, (one: Announcer) => plainRound(bench, one, flips, note)],
    ['many', kind.many, (one: Announcer) => manyRound(bench, one, note)],
    ['bfd', kind.bfd, (one: Announcer) => bfdRound(bench, one, note)],
  ] as const;
  for (const [name, able, run] of turns) {
    if (!able) continue;
    const set = name === 'many' ? 'many' : 'one';
    const dir = `${kind.name}-${round}-${name}`;
    const announcer = kind.make({ scene: bench.scene, dir, bfd: name === 'bfd', set });
    try {
      await run(announcer);
    } catch (error) {
      const { message } = error as Error;
      throw new Error(`${kind.name}, ${name}: ${message}\n${announcer.log()}`);
    } finally {
      await announcer.kill();
    }
  }
}

function report(samples: Samples, { rounds, flips }: BgpOptions): void {
  const figures: Record<string, Record<string, Row>> = {};
  for (const measure of Object.keys(MEASURES) as Measure[]) {
    const rows = Object.entries(samples[measure]).map(([name, all]) => [name, spread(all)]);
    if (rows.length === 0) continue;
    figures[measure] = Object.fromEntries(rows) as Record<string, Row>;
    process.stdout.write(`\n${measure}: ${MEASURES[measure]}\n${table(figures[measure], 'p50')}\n`);
  }
  process.stdout.write(`${summary('bgp', { rounds, flips }, figures, 'p50')}\n`);
}

/** In milliseconds. */
function spread(samples: readonly number[]): Row {
  const sorted = [...samples].sort((a, b) => a - b);
  const p50 = sorted[Math.floor((sorted.length - 1) / 2)]!;
  return { p50, max: sorted.at(-1)!, samples: sorted.length };
}
