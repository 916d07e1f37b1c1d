/**
 * Three sites with everything that they need, in the network namespace that this process was started
 * in: three Redis servers, three `isobar run`, their load balancers, a BGP collector and 1,000 DNS
 * queries a second. Is told by messages what to do to the Redis servers, and answers what came of it:
 *
 *     node store-chaos.js DIRECTORY
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Status } from '../../src/agent/status.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import type { ChaosResult, ChaosStep, Failure } from './chaos-steps.ts';
import { DnsLoad, type LoadQuestion } from './dns-load.ts';
import { buildQuery, subnetOption } from './dns-query.ts';
import { eventually } from './eventually.ts';
import { MAIN } from './isobar.ts';
import { RedisServer } from './redis.ts';

const run = promisify(execFile);

const SITES = ['fra', 'iad', 'sin'] as const;
/** Clients near each site, by their first three octets. */
const CLIENTS = [
  [192, 0, 2],
  [198, 51, 100],
  [203, 0, 113],
] as const;
const QUERIES_PER_S = 1_000;
const REPORT_INTERVAL_MS = 250;
/** A report from before the heal is older than this. */
const FRESH_MS = 1_000;
const WHOLE_MAX_MS = 10_000;
/** Beyond `report_stale`, so that a site which counts silence wrongly drops the others. */
const LONG_MS = 4_000;

const lb = (site: number): string => `127.1.${site + 1}.1`;
const api = (site: number): string => `http://127.0.0.1:${8301 + site}`;

function deployment(urls: readonly string[]): string {
  const regions = SITES.map((site, index) => {
    const order = [site, ...SITES.filter((other) => other !== site)].join(', ');
    return `  near-${site}: {sites: [${order}], prefixes: [${CLIENTS[index]!.join('.')}.0/24]}\n`;
  });
  return `deployment: chaos
store: {redis: [${urls.join(', ')}]}
regions:
${regions.join('')}default_region: near-fra
checks:
  web: {kind: http, port: 8080, interval: 2s, timeout: 2s, fall: 4}
vips:
  - {name: web, prefixes: [198.18.80.80/32], services: [www.example.com]}
policy:
  report_interval: ${REPORT_INTERVAL_MS}ms
  report_stale: 3s
`;
}

function site(index: number): string {
  return `site: ${SITES[index]}
dns: {listen: ["127.0.0.1:${5301 + index}"]}
api: {listen: "127.0.0.1:${8301 + index}"}
load_balancers: [{name: ${SITES[index]}-lb, address: ${lb(index)}}]
announce: [web]
bgp:
  as: ${65001 + index}
  router_id: 10.0.0.${index + 1}
  next_hop: ${lb(index)}
  neighbors:
    - {name: collector, address: 127.0.0.1, port: 1790, as: 65000, hold_time: 30s, connect_retry: 1s}
`;
}

const ZONE = '$TTL 60\n@ SOA ns1 hostmaster 1 2h 15m 2w 1m\n@ NS ns1\nns1 A 127.0.0.1\n';
const SERVICES = 'zone: example.com\nservices: [{name: www, check: web, pool: all}]\n';
/** On loopback what is sent comes in, so the one chain sees both ways. */
const RULES = `table inet chaos {
  set cut { type inet_service; }
  chain in {
    type filter hook input priority 0;
    tcp dport @cut drop
    tcp sport @cut drop
  }
}`;

class Chaos {
  readonly #dir: string;
  readonly #redis: RedisServer[] = [];
  readonly #daemons: ChildProcess[] = [];
  readonly #routes: string[] = [];
  readonly #alone = new Set<string>();
  #load: DnsLoad | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async start(): Promise<void> {
    await nft(RULES);
    for (let i = 0; i < SITES.length; i++) this.#redis.push(await RedisServer.start());
    this.#write();
    await Promise.all(SITES.map((_, index) => serveHealth(lb(index))));
    const collector = await startCollector();
    for (const name of SITES) {
      const args = [MAIN, 'run', '--site', name, '--config', this.#dir];
      const daemon = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      daemon.stdout?.resume();
      this.#daemons.push(daemon);
    }
    await eventually('all are whole', async () => (await this.#missing()) === '', 30_000);
    await eventually(
      'the router has all',
      () => collector.routes().length === SITES.length,
      30_000,
    );
    collector.onChange(({ kind, peer, prefix = 'session' }) => {
      this.#routes.push(`${kind} ${prefix} of AS ${peer.as}`);
    });
    this.#load = await DnsLoad.start(questions(), QUERIES_PER_S);
    void this.#watchAlone();
  }

  /** What it tells of queries and routes is all that happened since the step before. */
  async step({ failure, servers }: ChaosStep): Promise<ChaosResult> {
    await this.#settled();
    const victims = servers.map((index) => this.#redis[index]!);
    this.#alone.clear();
    await FAIL[failure](victims);
    const healed = performance.now();
    let missing = await this.#missing(healed);
    while (missing !== '' && performance.now() - healed < WHOLE_MAX_MS) {
      await sleep(20);
      missing = await this.#missing(healed);
    }
    const whole_ms = Math.round(performance.now() - healed);
    const counts = await this.#load!.take();
    return {
      ...counts,
      routes: this.#routes.splice(0),
      alone: [...this.#alone],
      whole_ms,
      missing,
    };
  }

  async stop(): Promise<void> {
    this.#load?.stop();
    for (const daemon of this.#daemons) {
      const ended = once(daemon, 'close');
      daemon.kill('SIGTERM');
      await ended;
    }
    await Promise.all(this.#redis.map((server) => server.kill()));
  }

  /** Every site has every server back, so that of three servers two can be spared. */
  async #settled(): Promise<void> {
    for (const [index, name] of SITES.entries()) {
      await eventually(`${name} has all servers back`, async () => {
        const servers = (await statusOf(index))?.store ?? [];
        return servers.length > 0 && servers.every(({ state }) => state === 'up');
      });
    }
  }

  #write(): void {
    const files: Readonly<Record<string, string>> = {
      'deployment.yaml': deployment(this.#redis.map(({ url }) => url)),
      'zones/example.com.zone': ZONE,
      'zones/example.com.yaml': SERVICES,
      ...Object.fromEntries(SITES.map((name, index) => [`sites/${name}.yaml`, site(index)])),
    };
    for (const folder of ['sites', 'zones']) mkdirSync(join(this.#dir, folder));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(this.#dir, file), text);
  }

  /** What a whole world still lacks; the reports that count were made after `since`. */
  async #missing(since = Number.NEGATIVE_INFINITY): Promise<string> {
    const lacks: string[] = [];
    for (const [index, name] of SITES.entries()) {
      const status = await statusOf(index);
      const fresh_ms = Math.min(FRESH_MS, performance.now() - since);
      if (!status?.connected) lacks.push(`${name} is on its own`);
      const all = status?.sites ?? [];
      if (all.length !== SITES.length) lacks.push(`${name} has no plan`);
      for (const { site: other, state, reason, report_age_ms: age } of all) {
        if (state !== 'healthy' || reason.code !== 'healthy') {
          lacks.push(`${name} says of ${other}: ${state}, ${reason.text}`);
        }
        if (age === null || age > fresh_ms) lacks.push(`${name} heard ${other} ${age} ms ago`);
      }
    }
    return lacks.join('; ');
  }

  async #watchAlone(): Promise<void> {
    for (;;) {
      for (const [index, name] of SITES.entries()) {
        const status = await statusOf(index);
        if (status && !status.connected) this.#alone.add(name);
      }
      await sleep(100);
    }
  }
}

const FAIL: Readonly<Record<Failure, (victims: readonly RedisServer[]) => Promise<void>>> = {
  kill: async (victims) => {
    for (const server of victims) await server.kill();
    await sleep(1_000);
    for (const server of victims) await server.restart();
  },
  hang: async (victims) => {
    for (const server of victims) server.pause();
    await sleep(LONG_MS);
    for (const server of victims) server.resume();
  },
  reset: async (victims) => {
    for (const server of victims) {
      await server.kill();
      await server.restart();
    }
  },
  flush: async (victims) => {
    for (const server of victims) await server.flush();
  },
  full: async (victims) => {
    for (const server of victims) await server.full(true);
    await sleep(LONG_MS);
    for (const server of victims) await server.full(false);
  },
  stall: async (victims) => {
    await Promise.all(victims.map((server) => server.stall(2_000)));
  },
  cut: async (victims) => {
    const ports = victims.map(({ port }) => port).join(', ');
    await nft(`add element inet chaos cut { ${ports} }`);
    await sleep(LONG_MS);
    await nft('flush set inet chaos cut');
  },
};

async function nft(rules: string): Promise<void> {
  await run('nft', [rules]);
}

async function statusOf(index: number): Promise<Status | null> {
  try {
    return (await (await fetch(`${api(index)}/v1/status`)).json()) as Status;
  } catch {
    return null;
  }
}

async function serveHealth(address: string): Promise<void> {
  const server = createServer((_, response) => void response.end());
  server.listen(8080, address);
  await once(server, 'listening');
}

async function startCollector(): Promise<Collector> {
  const collector = new Collector({
    as: 65_000,
    router_id: '10.0.0.254',
    listen: { address: '127.0.0.1', port: 1790 },
    hold_time_ms: 30_000,
    clock: new SystemClock(),
    prng: prng(3),
    log: silentLog,
  });
  await collector.start();
  return collector;
}

/** Every site is asked for clients near every site. */
function questions(): LoadQuestion[] {
  return SITES.flatMap((_, server) =>
    CLIENTS.map((octets, near): LoadQuestion => {
      const options = [subnetOption(1, 24, octets)];
      const query = buildQuery({ name: 'www.example.com', type: 1, edns: { options } });
      return { server: { address: '127.0.0.1', port: 5301 + server }, query, right: lb(near) };
    }),
  );
}

const chaos = new Chaos(process.argv[2]!);
process.on('message', (step: ChaosStep | 'stop') => {
  if (step === 'stop') void chaos.stop().then(() => process.exit());
  else void chaos.step(step).then((result) => process.send!(result));
});
await chaos.start();
process.send!('ready');
