/** OpenBGPD as a router; its portable version does not touch the kernel's table on Linux. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type DaemonSettings, type Router, RouterDaemon, type SeenRoute } from './daemon.ts';

/** Its processes lock themselves up here; Debian's package leaves it to the service to make it. */
const CHROOT = '/run/openbgpd';

const NAMES: Readonly<Record<string, string>> = {
  GRACEFUL_SHUTDOWN: '65535:0',
  NO_EXPORT: '65535:65281',
};

interface OpenbgpdPath {
  readonly prefix: string;
  readonly aspath?: string;
  readonly exit_nexthop: string;
  readonly metric?: number;
  readonly localpref?: number;
  readonly communities?: readonly string[];
  readonly large_communities?: readonly string[];
  readonly extended_communities?: readonly string[];
}

export class OpenbgpdRouter extends RouterDaemon implements Router {
  readonly name = 'OpenBGPD';

  async start(): Promise<void> {
    mkdirSync(CHROOT, { recursive: true });
    const file = this.processes.file('bgpd.conf');
    writeFileSync(file, openbgpdText(this.settings, this.#control), { mode: 0o600 });
    this.processes.spawn('bgpd', '-d', '-v', '-f', file);
    await this.processes.ready('OpenBGPD', () => this.ask('show', 'summary'));
  }

  get #control(): string {
    return this.processes.file('socket');
  }

  /** `bgpctl` with its arguments. */
  ask(...args: string[]): Promise<string> {
    return this.processes.space.exec('bgpctl', '-s', this.#control, ...args);
  }

  async established(): Promise<boolean> {
    const answer = await this.ask('-j', 'show', 'neighbor', this.settings.peer.address);
    const { neighbors } = JSON.parse(answer) as { neighbors: { state: string }[] };
    return neighbors[0]?.state === 'Established';
  }

  async routes(): Promise<readonly SeenRoute[]> {
    const answer = await this.ask('-j', 'show', 'rib', 'detail');
    return ((JSON.parse(answer) as { rib?: OpenbgpdPath[] }).rib ?? []).map(seenByOpenbgpd);
  }

  async refresh(): Promise<void> {
    await this.ask('neighbor', this.settings.peer.address, 'refresh');
  }

  async disable(text: string): Promise<void> {
    await this.ask('neighbor', this.settings.peer.address, 'down', text);
  }

  async enable(): Promise<void> {
    await this.ask('neighbor', this.settings.peer.address, 'up');
  }

  async originate(prefix: string): Promise<void> {
    await this.ask('network', 'add', prefix);
  }

  log(): string {
    return this.processes.output();
  }
}

function openbgpdText({ as, id, peer, ...more }: DaemonSettings, control: string): string {
  return `AS ${as}
router-id ${id}
listen on ${peer.local}
socket "${control}"
fib-update no
${(more.globalLines ?? []).join('\n')}
neighbor ${peer.address} {
  remote-as ${peer.as}
  local-address ${peer.local}
  holdtime ${peer.hold_s}
  holdtime min 3
  announce IPv4 unicast
  announce IPv6 unicast
  ${peer.passive ? 'passive' : ''}
  ${peer.key ? `tcp md5sig password "${peer.key}"\n  ttl-security yes` : ''}
  ${(more.neighborLines ?? []).join('\n  ')}
}
allow from any
allow to any
`;
}

function seenByOpenbgpd(path: OpenbgpdPath): SeenRoute {
  const lists = [path.communities, path.large_communities, path.extended_communities];
  return {
    prefix: path.prefix,
    next_hop: path.exit_nexthop,
    as_path: (path.aspath ?? '').split(' ').filter(Boolean).map(Number),
    med: path.metric ?? null,
    local_pref: path.localpref ?? null,
    communities: lists
      .flatMap((list) => list ?? [])
      .map((one) => NAMES[one] ?? one.replace('rt ', 'target:').replace('soo ', 'origin:'))
      .sort(),
  };
}
