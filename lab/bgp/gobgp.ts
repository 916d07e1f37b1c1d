/** GoBGP as a router or as a speaker of its own; it leaves the kernel's table alone. */
import { writeFileSync } from 'node:fs';
import { type DaemonSettings, type Router, RouterDaemon, type SeenRoute } from './daemon.ts';

interface GobgpAttribute {
  readonly type: number;
  readonly value?: unknown;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
  readonly communities?: readonly number[];
}

type GobgpTable = Readonly<
  Record<
    string,
    readonly {
      readonly nlri: { readonly prefix: string };
      readonly attrs: readonly GobgpAttribute[];
    }[]
  >
>;

const PORT = 50_051;

export class GobgpRouter extends RouterDaemon implements Router {
  readonly name = 'GoBGP';

  async start(): Promise<void> {
    const file = this.processes.file('gobgpd.toml');
    writeFileSync(file, gobgpText(this.settings));
    this.processes.spawn(
      ...(['gobgpd', '-f', file, '-l', 'debug', '-p', '--pprof-disable'] as const),
      ...['--api-hosts', `127.0.0.1:${PORT}`],
    );
    await this.processes.ready('GoBGP', () => this.ask('global'));
  }

  /** `gobgp` with its arguments. */
  ask(...args: string[]): Promise<string> {
    return this.processes.space.exec('gobgp', '-p', `${PORT}`, ...args);
  }

  async established(): Promise<boolean> {
    const answer = await this.ask('-j', 'neighbor', this.settings.peer.address);
    // The generated JSON names its enumeration by number: 6 is Established.
    const { state } = JSON.parse(answer) as { state: { session_state: number | string } };
    return state.session_state === 6 || state.session_state === 'ESTABLISHED';
  }

  async routes(): Promise<readonly SeenRoute[]> {
    const tables = ['ipv4', 'ipv6'].map(async (family) => {
      const text = await this.ask('-j', 'global', 'rib', '-a', family);
      return Object.values((JSON.parse(text || '{}') ?? {}) as GobgpTable).flat();
    });
    return (await Promise.all(tables)).flat().map(seenByGobgp);
  }

  async disable(text: string): Promise<void> {
    await this.ask('neighbor', this.settings.peer.address, 'disable', '--reason', text);
  }

  async enable(): Promise<void> {
    await this.ask('neighbor', this.settings.peer.address, 'enable');
  }

  async originate(prefix: string): Promise<void> {
    await this.ask('global', 'rib', 'add', prefix);
  }

  log(): string {
    return this.processes.output();
  }
}

function gobgpText({ as, id, peer, ...more }: DaemonSettings): string {
  const families = ['ipv4-unicast', 'ipv6-unicast'].map(
    (family) => `[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "${family}"
${(more.familyLines ?? []).join('\n')}`,
  );
  return `[global.config]
as = ${as}
router-id = "${id}"
port = 179
local-address-list = ["${peer.local}"]
${(more.globalLines ?? []).join('\n')}
[[neighbors]]
[neighbors.config]
neighbor-address = "${peer.address}"
peer-as = ${peer.as}
${peer.key ? `auth-password = "${peer.key}"\n[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255` : ''}
[neighbors.transport.config]
local-address = "${peer.local}"
passive-mode = ${peer.passive}
[neighbors.timers.config]
hold-time = ${peer.hold_s}
keepalive-interval = ${Math.floor(peer.hold_s / 3)}
connect-retry = 1
idle-hold-time-after-reset = 1
${(more.neighborLines ?? []).join('\n')}
${families.join('\n')}
`;
}

function seenByGobgp(path: GobgpTable[string][number]): SeenRoute {
  const of = (type: number): GobgpAttribute | undefined =>
    path.attrs.find((attribute) => attribute.type === type);
  const standard = (of(8)?.communities ?? []).map((one) => `${one >>> 16}:${one & 0xffff}`);
  const large = ((of(32)?.value ?? []) as Record<string, number>[]).map(
    (one) => `${one.ASN}:${one.LocalData1}:${one.LocalData2}`,
  );
  const extended = ((of(16)?.value ?? []) as { value: string; subtype: number }[]).map(
    ({ value, subtype }) =>
      `${subtype === 2 ? 'target' : subtype === 3 ? 'origin' : subtype}:${value}`,
  );
  return {
    prefix: path.nlri.prefix,
    next_hop: of(3)?.nexthop ?? of(14)?.nexthop ?? '',
    as_path: of(2)?.as_paths?.flatMap(({ asns }) => asns) ?? [],
    med: of(4)?.metric ?? null,
    local_pref: (of(5)?.value as number | undefined) ?? null,
    communities: [...standard, ...large, ...extended].sort(),
  };
}
