/**
 * The speakers that are compared, each at the speaker's end of the scene, told to announce and to
 * withdraw in the quickest way that it offers. A time is the one just before the command is given.
 */
import type { ChildProcess } from 'node:child_process';
import { BirdRouter } from '../bgp/bird.ts';
import { ControlSocket } from '../bgp/control-socket.ts';
import type { DaemonSettings, Router } from '../bgp/daemon.ts';
import { ExabgpRouter } from '../bgp/exabgp.ts';
import { FrrRouter } from '../bgp/frr.ts';
import { GobgpRouter } from '../bgp/gobgp.ts';
import { OUR_AS, OURS, routerSettings, type Scene, THEIR_AS, THEIRS } from '../bgp/scene.ts';
import { isThere } from '../tools.ts';
import { monotonic_ms } from '../wait.ts';
import { isobarAnnouncer } from './bgp-isobar.ts';

/** How much of a log an error shows, in characters. */
export const LOG_SHOWN = 2_000;

/** The routes of one measurement: one VIP that comes and goes, and many at once. */
export const SETS = { one: addresses(1, 0), many: addresses(1000, 1) } as const;
export type SetName = keyof typeof SETS;

/** `count` addresses of 198.18.0.0/15, from the block'th 256 × 256 on. */
function addresses(count: number, block: number): string[] {
  return Array.from({ length: count }, (_, i) => `198.${18 + block}.${i >> 8}.${i & 255}`);
}

export interface Announcer {
  /** Starts what it needs beside itself. */
  prepare?(): Promise<void>;
  /** Resolves when it can take commands; its session need not be up. */
  start(): Promise<void>;
  announce(set: SetName): Promise<number>;
  withdraw(set: SetName): Promise<number>;
  signal(name: NodeJS.Signals): void;
  kill(): Promise<void>;
  /** The end of its log. */
  log(): string;
  /** Has other work of its process take all of a core, until what is returned is ended. */
  busy?(): ChildProcess;
}

export interface AnnouncerKind {
  readonly name: string;
  /** Can detect a loss of its neighbour by BFD, and be detected. */
  readonly bfd: boolean;
  /** Takes the many routes as one command. */
  readonly many: boolean;
  readonly installed: boolean;
  make(turn: Turn): Announcer;
}

/** One start of one speaker. */
export interface Turn {
  readonly scene: Scene;
  /** Name of the folder for its files. */
  readonly dir: string;
  readonly bfd: boolean;
  /** What it is going to be told. */
  readonly set: SetName;
}

function settings(scene: Scene, dir: string, more: Partial<DaemonSettings>): DaemonSettings {
  const peer = { local: OURS, address: THEIRS, as: THEIR_AS, passive: false };
  const own = { space: scene.speaker, as: OUR_AS, id: '10.77.0.1', kernel: false, peer };
  return routerSettings(scene, dir, { ...more, ...own });
}

/** A daemon of somebody else, with a way to tell it. */
class DaemonAnnouncer implements Announcer {
  readonly #daemon: Router;
  readonly #tell: (set: SetName, announce: boolean) => Promise<unknown>;

  constructor(daemon: Router, tell: (set: SetName, announce: boolean) => Promise<unknown>) {
    this.#daemon = daemon;
    this.#tell = tell;
  }

  start(): Promise<void> {
    return this.#daemon.start();
  }

  announce(set: SetName): Promise<number> {
    return this.#timed(set, true);
  }

  withdraw(set: SetName): Promise<number> {
    return this.#timed(set, false);
  }

  signal(name: NodeJS.Signals): void {
    this.#daemon.signal(name);
  }

  kill(): Promise<void> {
    return this.#daemon.kill();
  }

  log(): string {
    return this.#daemon.log().slice(-LOG_SHOWN);
  }

  async #timed(set: SetName, announce: boolean): Promise<number> {
    const at_ms = monotonic_ms();
    await this.#tell(set, announce);
    return at_ms;
  }
}

/** A control socket that is opened with the first command. */
function lazily(open: () => Promise<ControlSocket>): () => Promise<ControlSocket> {
  let opened: Promise<ControlSocket> | null = null;
  return () => {
    opened ??= open();
    return opened;
  };
}

/** A static protocol for each set is enabled and disabled through BIRD's control socket. */
function bird({ scene, dir, bfd }: Turn): Announcer {
  const sets = Object.entries(SETS).map(
    ([name, all]) => `protocol static ${name} { disabled; ipv4;
${all.map((address) => `route ${address}/32 blackhole;`).join('\n')} }`,
  );
  const fast = 'protocol bfd { interface "*" { interval 100 ms; multiplier 3; }; }';
  const daemon = new BirdRouter(
    settings(scene, dir, {
      familyLines: ['import none;', 'export all;'],
      globalLines: [...sets, ...(bfd ? [fast] : [])],
      neighborLines: bfd ? ['bfd yes;'] : [],
    }),
  );
  // Each answer, and the greeting, ends with a line whose number is followed by a blank.
  const isWhole = (text: string): boolean => /^\d{4} .*\n$/m.test(text) && text.endsWith('\n');
  const control = lazily(() => ControlSocket.open(daemon.control, isWhole));
  return new DaemonAnnouncer(daemon, async (set, announce) =>
    (await control()).ask(`${announce ? 'enable' : 'disable'} ${set}\n`),
  );
}

/** Network statements, written to the socket that vtysh uses; many in one go. */
function frr({ scene, dir, bfd }: Turn): Announcer {
  // As it comes, it has BIRD keep the routes of a speaker that was killed.
  const neighborLines = ['graceful-restart-disable', ...(bfd ? ['bfd profile fast'] : [])];
  const daemon = new FrrRouter(settings(scene, dir, { neighborLines }), { bfd });
  // An answer ends with three zero octets and a status.
  const control = lazily(async () => {
    const socket = await ControlSocket.open(daemon.control, (text) => /\0\0\0[\s\S]$/.test(text));
    const entered = ['enable', 'configure terminal', `router bgp ${OUR_AS}`];
    for (const line of [...entered, 'address-family ipv4 unicast']) await socket.ask(`${line}\0`);
    return socket;
  });
  return new DaemonAnnouncer(daemon, async (set, announce) => {
    const socket = await control();
    for (const address of SETS[set]) {
      await socket.ask(`${announce ? '' : 'no '}network ${address}/32\0`);
    }
  });
}

/** Its client is started for each route: it has no other interface that needs no code of its own. */
function gobgp({ scene, dir }: Turn): Announcer {
  const daemon = new GobgpRouter(settings(scene, dir, {}));
  return new DaemonAnnouncer(daemon, async (set, announce) => {
    for (const address of SETS[set]) {
      const route = [`${address}/32`, ...(announce ? ['nexthop', OURS] : [])];
      await daemon.ask('global', 'rib', announce ? 'add' : 'del', ...route);
    }
  });
}

/** Lines for its API by a named pipe. */
function exabgp({ scene, dir }: Turn): Announcer {
  const daemon = new ExabgpRouter(settings(scene, dir, {}));
  return new DaemonAnnouncer(daemon, async (set, announce) =>
    daemon.command(
      ...SETS[set].map(
        (address) => `${announce ? 'announce' : 'withdraw'} route ${address}/32 next-hop ${OURS}`,
      ),
    ),
  );
}

export const ANNOUNCERS: readonly AnnouncerKind[] = [
  {
    name: 'isobar',
    bfd: true,
    many: true,
    installed: true,
    make: isobarAnnouncer,
  },
  { name: 'bird', bfd: true, many: true, installed: isThere('bird'), make: bird },
  { name: 'frr', bfd: true, many: true, installed: isThere('vtysh'), make: frr },
  { name: 'gobgp', bfd: false, many: false, installed: isThere('gobgpd'), make: gobgp },
  { name: 'exabgp', bfd: false, many: true, installed: isThere('exabgp'), make: exabgp },
];
