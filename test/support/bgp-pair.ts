/**
 * Two network namespaces on one cable: our speaker in one, BIRD in the other, both on port 179.
 * `us` is 10.9.0.1, fd00:9::1 and fe80::1 on us0; `them` the same with 2 on them0.
 */
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { end, type Namespace, NetLab } from '../../lab/netns.ts';
import { onLine, until } from '../../lab/wait.ts';
import type { BgpSite, Neighbor } from '../../src/model/bgp.ts';
import { bgpSite, neighbor, plan } from './bgp.ts';
import type { SpeakerFile, SpeakerLine } from './bgp-namespace.ts';

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), 'bgp-namespace.js');
/** A session that is refused once needs another round of timers. */
const LIMIT_MS = 20_000;

const VIPS = ['198.18.80.80/32', '2001:db8:80::80/128'];
export const OUR_AS = 65001;
export const THEIR_AS = 65000;

/** A neighbour of ours that is BIRD at 10.9.0.2. */
export function bird(changes: Partial<Neighbor> = {}): Neighbor {
  const times = { hold_time_ms: 9_000, connect_retry_ms: 1_000, idle_hold_max_ms: 500 };
  return neighbor({ address: '10.9.0.2', port: 179 }, { name: 'bird', ...times, ...changes });
}

/** The other side, as BIRD has it: `options` are those of its session, each ended by a semicolon. */
export function protocol(options = '', local = '10.9.0.2', remote = '10.9.0.1', name = 'site') {
  return `protocol bgp ${name} {
    local ${local} as ${THEIR_AS}; neighbor ${remote} as ${OUR_AS}; ${options}
    hold time 9; connect delay time 1; connect retry time 1; error wait time 1, 2;
    ipv4 { import all; export none; }; ipv6 { import all; export none; };
  }`;
}

export class Pair {
  readonly lab: NetLab;
  us!: Namespace;
  them!: Namespace;
  line: SpeakerLine = {};
  #speaker: ChildProcess | null = null;
  #bird: ChildProcess | null = null;

  constructor(tag: string) {
    this.lab = new NetLab(tag);
  }

  async open(): Promise<void> {
    this.us = await this.lab.namespace('us');
    this.them = await this.lab.namespace('them');
    await this.lab.link(this.us, 'us0', this.them, 'them0', '10.9.0.1/24', '10.9.0.2/24');
    for (const prefix of ['fd00:9::', 'fe80::']) {
      await this.us.ip(`address add ${prefix}1/64 dev us0 nodad`);
      await this.them.ip(`address add ${prefix}2/64 dev them0 nodad`);
    }
  }

  /** A file with a key, or another one in the same file. */
  key(name: string, text: string): string {
    const path = join(this.lab.dir, name);
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return path;
  }

  async bird(...protocols: string[]): Promise<void> {
    this.#configure(protocols);
    const files = ['-c', this.#file('conf'), '-s', this.#file('ctl'), '-P', this.#file('pid')];
    this.#bird = this.them.spawn('bird', '-f', ...files);
    await until('BIRD', LIMIT_MS, () =>
      this.birdc('show', 'status').then(
        () => true,
        () => false,
      ),
    );
  }

  async reconfigure(...protocols: string[]): Promise<void> {
    this.#configure(protocols);
    await this.birdc('configure');
  }

  birdc(...command: string[]): Promise<string> {
    return this.them.exec('birdc', '-s', this.#file('ctl'), ...command);
  }

  /** Our speaker with these neighbours; it listens on `listen`, each with port 179. */
  speaker(
    neighbors: Neighbor[],
    listen: string[] = [],
    changes: Partial<BgpSite> = {},
    vips = VIPS,
  ): void {
    const at = listen.map((address) => ({ address, port: 179 }));
    const hops = { next_hop: '10.9.0.1', next_hop6: 'fd00:9::1' };
    const bgp = bgpSite(neighbors, { as: OUR_AS, listen: at, ...hops, ...changes });
    const names = neighbors.map(({ name }) => name);
    const file: SpeakerFile = { bgp, plans: [plan(vips, {}, names)] };
    writeFileSync(this.#file('json'), JSON.stringify(file));
    this.line = {};
    this.#speaker = this.us.spawn(process.execPath, PROGRAM, this.#file('json'));
    this.#speaker.stderr?.pipe(process.stderr);
    onLine(this.#speaker, (line) => {
      this.line = JSON.parse(line) as SpeakerLine;
    });
  }

  rereadKeys(): void {
    this.#speaker?.kill('SIGHUP');
  }

  /** Waits for a neighbour to be Established, as both sides see it. */
  async established(name = 'bird', protocolName = 'site'): Promise<void> {
    await this.until(`${name} is up`, () => this.line[name]?.status.state === 'Established');
    await this.until('BIRD has our routes', async () =>
      /198\.18\.80\.80/.test(await this.birdc('show', 'route', 'protocol', protocolName)),
    );
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    try {
      await until(what, LIMIT_MS, holds);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${JSON.stringify(this.line, null, 1)}`);
    }
  }

  /** Ends both sides; the namespaces stay for the next test. */
  async stop(): Promise<void> {
    for (const child of [this.#speaker, this.#bird]) if (child) await end(child);
    this.#speaker = null;
    this.#bird = null;
  }

  async close(): Promise<void> {
    await this.lab.close();
  }

  #file(ending: string): string {
    return join(this.lab.dir, `pair.${ending}`);
  }

  #configure(protocols: readonly string[]): void {
    const head = 'router id 10.0.0.254;\nprotocol device {}\n';
    writeFileSync(this.#file('conf'), head + protocols.join('\n'));
  }
}
