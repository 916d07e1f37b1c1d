/**
 * FRR: zebra and bgpd (and bfdd), each with a configuration file of its own, since a block of another
 * daemon breaks what follows it; sockets in our folder, so that other FRRs of the machine are not met.
 */
import { writeFileSync } from 'node:fs';
import { type DaemonSettings, type Router, RouterDaemon, type SeenRoute } from './daemon.ts';

/** For `neighbor … bfd profile fast`. */
const BFD_PROFILE = `bfd
 profile fast
  detect-multiplier 3
  transmit-interval 100
  receive-interval 100
`;

const LIB = '/usr/lib/frr';
const FAMILIES = ['ipv4', 'ipv6'] as const;

interface FrrPath {
  readonly aspath?: { readonly segments?: readonly { readonly list: readonly number[] }[] };
  readonly metric?: number;
  readonly med?: number;
  readonly locPrf?: number;
  readonly localPref?: number;
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
  readonly community?: { readonly list: readonly string[] };
  readonly largeCommunity?: { readonly list: readonly string[] };
  readonly extendedCommunity?: { readonly string: string };
}

const NAMES: Readonly<Record<string, string>> = {
  gracefulShutdown: '65535:0',
  noExport: '65535:65281',
  blackhole: '65535:666',
};

export class FrrRouter extends RouterDaemon implements Router {
  readonly name = 'FRR';
  readonly #bfd: boolean;

  constructor(settings: DaemonSettings, { bfd = false } = {}) {
    super(settings);
    this.#bfd = bfd;
  }

  async start(): Promise<void> {
    writeFileSync(this.#file('bgpd.conf'), bgpdText(this.settings));
    writeFileSync(this.#file('zebra.conf'), '');
    writeFileSync(this.#file('bfdd.conf'), BFD_PROFILE);
    // It gives up root, and makes its sockets after that.
    await this.processes.space.exec('chown', '-R', 'frr:frr', this.processes.dir);
    for (const daemon of ['zebra', ...(this.#bfd ? ['bfdd'] : [])]) {
      this.#spawn(daemon, ...(daemon === 'bfdd' ? [`--bfdctl=${this.#file('bfdd.sock')}`] : []));
    }
    await this.processes.ready('zebra', () => this.#vtysh('zebra', 'show version'));
    this.#spawn('bgpd', '-l', this.settings.peer.local);
    await this.processes.ready('bgpd', () => this.#vtysh('bgpd', 'show bgp summary'));
  }

  #spawn(daemon: string, ...more: string[]): void {
    const sockets = ['--vty_socket', this.processes.dir, '-z', this.#file('zserv')];
    const files = ['-f', this.#file(`${daemon}.conf`), '-i', this.#file(`${daemon}.pid`)];
    const log = ['--log', `file:${this.#file('log')}`, '--log-level', 'debug'];
    const own = ['-P', '0'];
    this.processes.spawn(`${LIB}/${daemon}`, ...sockets, ...files, ...log, ...own, ...more);
  }

  #file(name: string): string {
    return this.processes.file(name);
  }

  /** Commands one after the other; what they print. */
  #vtysh(daemon: string, ...commands: string[]): Promise<string> {
    const words = commands.flatMap((command) => ['-c', command]);
    const where = ['--vty_socket', this.processes.dir, '-d', daemon];
    return this.processes.space.exec('vtysh', ...where, ...words);
  }

  /** Where bgpd answers what vtysh asks. */
  get control(): string {
    return this.#file('bgpd.vty');
  }

  ask(...commands: string[]): Promise<string> {
    return this.#vtysh('bgpd', ...commands);
  }

  /** Commands of "configure terminal" below "router bgp". */
  async configure(...lines: string[]): Promise<void> {
    await this.ask('configure terminal', `router bgp ${this.settings.as}`, ...lines);
  }

  async established(): Promise<boolean> {
    return (await this.neighbor()).bgpState === 'Established';
  }

  /** What FRR says of its neighbour, as it names it. */
  async neighbor(): Promise<Readonly<Record<string, unknown>>> {
    const { address } = this.settings.peer;
    return JSON.parse(await this.ask(`show bgp neighbors ${address} json`))[address] ?? {};
  }

  async routes(): Promise<readonly SeenRoute[]> {
    const tables = await Promise.all(FAMILIES.map((family) => this.#prefixes(family)));
    const details = tables.flat().map(async (prefix): Promise<SeenRoute[]> => {
      const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
      const text = await this.ask(`show bgp ${family} unicast ${prefix} json`);
      const { paths = [] } = JSON.parse(text) as { paths?: FrrPath[] };
      return paths.map((path) => seenByFrr(prefix, path));
    });
    return (await Promise.all(details)).flat();
  }

  async #prefixes(family: string): Promise<string[]> {
    const { routes } = JSON.parse(await this.ask(`show bgp ${family} unicast json`)) as {
      routes?: Record<string, unknown>;
    };
    return Object.keys(routes ?? {});
  }

  async refresh(): Promise<void> {
    const { address } = this.settings.peer;
    await this.ask(...FAMILIES.map((one) => `clear bgp ${one} unicast ${address} soft in`));
  }

  async disable(text: string): Promise<void> {
    await this.configure(`neighbor ${this.settings.peer.address} shutdown message ${text}`);
  }

  async enable(): Promise<void> {
    await this.configure(`no neighbor ${this.settings.peer.address} shutdown`);
  }

  async originate(prefix: string): Promise<void> {
    await this.configure('address-family ipv4 unicast', `network ${prefix}`);
  }

  log(): string {
    return this.processes.read('log');
  }
}

function bgpdText({ as, id, peer, ...more }: DaemonSettings): string {
  const to = `neighbor ${peer.address}`;
  const families = FAMILIES.flatMap((family) => [
    ` address-family ${family} unicast`,
    `  ${to} activate`,
    ...(more.familyLines ?? []).map((line) => `  ${to} ${line}`),
    ' exit-address-family',
  ]);
  const secured = peer.key ? ` ${to} password ${peer.key}\n ${to} ttl-security hops 1\n` : '';
  const keepalive_s = Math.floor(peer.hold_s / 3);
  return `log file ${more.dir}/log
debug bgp neighbor-events
debug bgp updates in
${(more.globalLines ?? []).join('\n')}
router bgp ${as}
 bgp router-id ${id}
 bgp log-neighbor-changes
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 ${(more.routerLines ?? []).join('\n ')}
 ${to} remote-as ${peer.as}
 ${to} update-source ${peer.local}
 ${to} timers ${keepalive_s} ${peer.hold_s}
 ${to} timers connect 1
 ${to} advertisement-interval 0
${secured}${peer.passive ? ` ${to} passive\n` : ''}${(more.neighborLines ?? []).map((line) => ` ${to} ${line}\n`).join('')}${families.join('\n')}
exit
`;
}

function seenByFrr(prefix: string, path: FrrPath): SeenRoute {
  const hops = path.nexthops.filter(({ scope }) => scope !== 'link-local');
  const extended = (path.extendedCommunity?.string ?? '').split(' ').filter(Boolean);
  const standard = path.community?.list.map((one) => NAMES[one] ?? one) ?? [];
  const all = [...standard, ...(path.largeCommunity?.list ?? []), ...extended];
  return {
    prefix,
    next_hop: (hops[0] ?? path.nexthops[0])?.ip ?? '',
    as_path: path.aspath?.segments?.flatMap(({ list }) => list) ?? [],
    med: path.metric ?? path.med ?? null,
    local_pref: path.locPrf ?? path.localPref ?? null,
    communities: all.map((one) => one.replace('RT:', 'target:')).sort(),
  };
}
