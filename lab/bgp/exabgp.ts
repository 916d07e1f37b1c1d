/**
 * ExaBGP: tells everything that it receives as JSON lines to a helper of ours, and announces what the
 * helper is told through a named pipe. It keeps no table of what it has received, and knows no kernel.
 */
import { closeSync, constants, openSync, writeFileSync, writeSync } from 'node:fs';
import { type DaemonSettings, type Router, RouterDaemon, type SeenRoute } from './daemon.ts';

/** Copies its input to a file and the lines of the pipe to its output. Its input does not block. */
const HELPER = `#!/usr/bin/python3 -u
import os, select, sys
lines = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
pipe = os.open(sys.argv[2], os.O_RDWR)
while True:
    for source in select.select([0, pipe], [], [])[0]:
        data = os.read(source, 65536)
        if source == 0 and not data:
            sys.exit(0)
        os.write(lines if source == 0 else 1, data)
`;

/** One of its JSON lines, as far as we read it. */
export interface ExabgpEvent {
  readonly type: string;
  readonly neighbor?: {
    readonly state?: string;
    readonly message?: { readonly update?: ExabgpUpdate };
  };
}

type Nlri = readonly { readonly nlri: string }[];

interface ExabgpUpdate {
  readonly attribute?: {
    readonly 'as-path'?: readonly number[];
    readonly med?: number;
    readonly 'local-preference'?: number;
    readonly community?: readonly (readonly number[])[];
    readonly 'large-community'?: readonly (readonly number[])[];
    readonly 'extended-community'?: readonly { readonly string: string }[];
  };
  /** By family, then by next hop. */
  readonly announce?: Readonly<Record<string, Readonly<Record<string, Nlri>>>>;
  readonly withdraw?: Readonly<Record<string, Nlri>>;
}

export class ExabgpRouter extends RouterDaemon implements Router {
  readonly name = 'ExaBGP';
  #pipe: number | null = null;

  async start(): Promise<void> {
    const { space } = this.processes;
    const [helper, pipe, file] = ['helper', 'pipe', 'exabgp.conf'].map((one) =>
      this.processes.file(one),
    ) as [string, string, string];
    writeFileSync(helper, HELPER, { mode: 0o755 });
    writeFileSync(this.processes.file('lines'), '');
    await space.exec('rm', '-f', pipe);
    await space.exec('mkfifo', pipe);
    const run = `${helper} ${this.processes.file('lines')} ${pipe}`;
    writeFileSync(file, exabgpText(this.settings, run));
    const { peer } = this.settings;
    const env = [
      'exabgp.daemon.user=root',
      'exabgp.daemon.drop=false',
      'exabgp.api.cli=false',
      'exabgp.api.ack=false',
      'exabgp.log.level=DEBUG',
      `exabgp.tcp.bind=${peer.passive ? peer.local : ''}`,
      'exabgp.tcp.port=179',
    ];
    this.processes.spawn('env', ...env, 'exabgp', file);
    await this.processes.ready('ExaBGP', async () => {
      this.#pipe ??= openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    });
  }

  /** Commands of its API, such as "announce route 10.0.0.1/32 next-hop self". */
  command(...lines: string[]): void {
    if (this.#pipe === null) throw new Error('ExaBGP has not been started');
    writeSync(this.#pipe, `${lines.join('\n')}\n`);
  }

  /** All that it has told its helper. */
  events(): ExabgpEvent[] {
    const whole = this.processes.read('lines').split('\n').slice(0, -1);
    // The length before a shutdown communication stands in its text as it came.
    const clean = whole.map((line) => line.replace(/\p{Cc}/gu, ' '));
    return clean.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  async established(): Promise<boolean> {
    const states = this.events().filter(({ type }) => type === 'state');
    return states.at(-1)?.neighbor?.state === 'up';
  }

  /** What its UPDATEs of the present session add up to. */
  async routes(): Promise<readonly SeenRoute[]> {
    const routes = new Map<string, SeenRoute>();
    for (const { type, neighbor } of this.events()) {
      if (type === 'state') routes.clear();
      const update = neighbor?.message?.update;
      for (const { nlri } of Object.values(update?.withdraw ?? {}).flat()) routes.delete(nlri);
      for (const family of Object.values(update?.announce ?? {})) {
        for (const [next_hop, prefixes] of Object.entries(family)) {
          // An End-of-RIB; the second of two next hops of the same routes (RFC 2545 §3).
          if (next_hop === 'null' || next_hop.startsWith('fe80:')) continue;
          for (const { nlri } of prefixes) routes.set(nlri, seen(nlri, next_hop, update!));
        }
      }
    }
    return [...routes.values()];
  }

  async refresh(): Promise<void> {
    this.command('announce route-refresh ipv4 unicast', 'announce route-refresh ipv6 unicast');
  }

  /** Its words are always its own, and it dials again. */
  async disable(): Promise<void> {
    this.command(`neighbor ${this.settings.peer.address} teardown 2`);
  }

  async enable(): Promise<void> {}

  async originate(prefix: string): Promise<void> {
    this.command(`announce route ${prefix} next-hop self`);
  }

  log(): string {
    return this.processes.output() + this.processes.read('lines');
  }

  override async kill(): Promise<void> {
    await this.processes.kill();
    if (this.#pipe !== null) closeSync(this.#pipe);
    this.#pipe = null;
  }
}

function exabgpText({ as, id, peer, ...more }: DaemonSettings, helper: string): string {
  return `process helper {
  run ${helper};
  encoder json;
}
${(more.globalLines ?? []).join('\n')}
neighbor ${peer.address} {
  router-id ${id};
  local-address ${peer.local};
  local-as ${as};
  peer-as ${peer.as};
  hold-time ${peer.hold_s};
  ${peer.passive ? 'passive true;' : ''}
  ${peer.key ? `md5-password "${peer.key}"; incoming-ttl 255; outgoing-ttl 255;` : ''}
  ${(more.neighborLines ?? []).join('\n  ')}
  family { ipv4 unicast; ipv6 unicast; }
  capability { route-refresh enable; asn4 enable; ${(more.familyLines ?? []).join(' ')} }
  api {
    processes [ helper ];
    neighbor-changes;
    receive { parsed; update; notification; open; }
  }
}
`;
}

function seen(prefix: string, next_hop: string, { attribute = {} }: ExabgpUpdate): SeenRoute {
  const joined = (lists: readonly (readonly number[])[] | undefined): string[] =>
    (lists ?? []).map((words) => words.join(':'));
  const extended = (attribute['extended-community'] ?? []).map(({ string }) => string);
  return {
    prefix,
    next_hop,
    as_path: attribute['as-path'] ?? [],
    med: attribute.med ?? null,
    local_pref: attribute['local-preference'] ?? null,
    communities: [
      ...joined(attribute.community),
      ...joined(attribute['large-community']),
      ...extended,
    ].sort(),
  };
}
