/** BIRD 2 as a router or as a speaker of its own. */
import { writeFileSync } from 'node:fs';
import { type DaemonSettings, type Router, RouterDaemon, type SeenRoute } from './daemon.ts';

/** With the default timers each restart of a session would cost 5 to 60 s. */
const TIMERS = 'connect delay time 1; connect retry time 1; error wait time 1,2;';

const KERNEL = `protocol kernel kernel4 { ipv4 { import none; export all; }; }
protocol kernel kernel6 { ipv6 { import none; export all; }; }`;

export function birdText({ as, id, peer, ...more }: DaemonSettings): string {
  const family = (more.familyLines ?? ['import all;', 'export none;']).join(' ');
  return `log "${more.dir}/log" all;
router id ${id};
protocol device {}
${more.kernel === false ? '' : KERNEL}
${(more.globalLines ?? []).join('\n')}
protocol bgp site {
  local ${peer.local} as ${as};
  neighbor ${peer.address} as ${peer.as};
  direct; hold time ${peer.hold_s}; ${peer.passive ? 'passive;' : ''} ${TIMERS}
  ${peer.key ? `password "${peer.key}"; ttl security on;` : ''}
  ${(more.neighborLines ?? []).join(' ')}
  ipv4 { ${family} };
  ipv6 { ${family} };
}
`;
}

export class BirdRouter extends RouterDaemon implements Router {
  readonly name = 'BIRD';

  async start(): Promise<void> {
    const file = this.processes.file('bird.conf');
    writeFileSync(file, birdText(this.settings));
    const files = ['-c', file, '-s', this.control, '-P', this.processes.file('pid')];
    this.processes.spawn('bird', '-f', ...files);
    await this.processes.ready('BIRD', () => this.ask('show status'));
  }

  /** Where BIRD answers what birdc asks. */
  get control(): string {
    return this.processes.file('control');
  }

  /** `birdc` with its arguments in one line. */
  ask(question: string): Promise<string> {
    return this.processes.space.exec('birdc', '-s', this.control, ...question.split(' '));
  }

  async established(): Promise<boolean> {
    return /\bEstablished\b/.test(await this.ask('show protocols site'));
  }

  /** The best routes; a prefix with several paths comes several times. */
  async routes(): Promise<readonly SeenRoute[]> {
    return seenByBird(await this.ask('show route all'));
  }

  async refresh(): Promise<void> {
    await this.ask('reload in site');
  }

  async disable(text: string): Promise<void> {
    await this.processes.space.exec('birdc', '-s', this.control, 'disable', 'site', `"${text}"`);
  }

  async enable(): Promise<void> {
    await this.ask('enable site');
  }

  log(): string {
    return this.processes.read('log');
  }
}

/** What "show route all" says of routes learnt by BGP. */
function seenByBird(text: string): SeenRoute[] {
  const routes: SeenRoute[] = [];
  let prefix = '';
  for (const block of text.split(/\n(?=\S)|(?=\n {10,}unicast)/)) {
    prefix = /^\s*([0-9a-f.:]+\/\d+)/.exec(block)?.[1] ?? prefix;
    const field = (name: string): string | undefined =>
      new RegExp(`BGP\\.${name}: ?(.*)`).exec(block)?.[1];
    const next_hop = field('next_hop')?.split(' ')[0];
    if (next_hop === undefined) continue;
    const number = (name: string): number | null => (field(name) ? Number(field(name)) : null);
    const lists = ['community', 'large_community', 'ext_community'].map(
      (name) => field(name) ?? '',
    );
    const communities = lists.flatMap((list) =>
      [...list.matchAll(/\(([^)]*)\)/g)].map(([, words]) =>
        words!.split(/, ?/).join(':').replace('rt:', 'target:'),
      ),
    );
    routes.push({
      prefix,
      next_hop,
      as_path: (field('as_path') ?? '').split(' ').filter(Boolean).map(Number),
      med: number('med'),
      local_pref: number('local_pref'),
      communities: communities.sort(),
    });
  }
  return routes;
}
