/**
 * Redis as larger sites run it, made of real processes: certificates for TLS, a group of servers under
 * Sentinels, a Cluster.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { answers, freePort, HOST, RedisServer, withUs } from './redis.ts';

/** A throw-away authority with a certificate for `HOST` and redis.test, and one for a client. */
export class TestAuthority {
  readonly dir = mkdtempSync(join(tmpdir(), 'isobar-tls-'));

  constructor() {
    this.#openssl(
      'req',
      '-x509',
      ...this.#key('ca'),
      '-subj',
      '/CN=test authority',
      '-out',
      'ca.pem',
    );
    this.#issue('server', `IP:${HOST},DNS:redis.test`);
    this.#issue('client', 'DNS:client.test');
  }

  path(name: 'ca' | 'server' | 'client', what: 'pem' | 'key'): string {
    return join(this.dir, `${name}.${what}`);
  }

  text(name: 'ca' | 'server' | 'client', what: 'pem' | 'key'): string {
    return readFileSync(this.path(name, what), 'utf8');
  }

  /** Options of redis-server; it asks its clients for a certificate. */
  serverOptions(port: number): string[] {
    return this.serverLines(port).flatMap((line) => `--${line}`.split(' '));
  }

  /** The same as lines of its configuration file. */
  serverLines(port: number): string[] {
    return [
      `tls-port ${port}`,
      'tls-auth-clients yes',
      `tls-cert-file ${this.path('server', 'pem')}`,
      `tls-key-file ${this.path('server', 'key')}`,
      `tls-ca-cert-file ${this.path('ca', 'pem')}`,
    ];
  }

  remove(): void {
    rmSync(this.dir, { recursive: true });
  }

  #key(name: string): string[] {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    return [...curve, '-days', '2', '-keyout', `${name}.key`];
  }

  #issue(name: string, names: string): void {
    writeFileSync(join(this.dir, `${name}.ext`), `subjectAltName=${names}\n`);
    this.#openssl('req', ...this.#key(name), '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
    const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.pem`];
    this.#openssl('x509', '-req', ...by, ...files);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'ignore' });
  }
}

/** Processes with a directory of their own, which are ended together. */
export class Fleet {
  readonly dir = mkdtempSync(join(tmpdir(), 'isobar-redis-'));
  readonly #endings: (() => Promise<void>)[] = [];

  async server(...more: string[]): Promise<RedisServer> {
    const server = await RedisServer.start(...more);
    this.#endings.push(() => server.kill());
    return server;
  }

  /** A Sentinel keeps what it knows in its own configuration file. */
  async sentinel(lines: readonly string[]): Promise<number> {
    const port = await freePort();
    const file = join(this.dir, `sentinel-${port}.conf`);
    const fixed = [`port ${port}`, `bind ${HOST}`, `dir ${this.dir}`];
    writeFileSync(file, [...fixed, ...lines, ''].join('\n'));
    const process = spawn(...withUs('redis-server', file, '--sentinel'), { stdio: 'ignore' });
    this.#endings.push(async () => {
      if (process.exitCode !== null || process.signalCode !== null) return;
      process.kill('SIGKILL');
      await once(process, 'exit');
    });
    await eventually('the Sentinel answers', () => answers(port));
    return port;
  }

  /** Runs `make`; nothing is left running if that fails. */
  async whole<Made>(make: () => Promise<Made>): Promise<Made> {
    try {
      return await make();
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#endings.splice(0).map((end) => end()));
    rmSync(this.dir, { recursive: true });
  }
}

/** A master, a replica and three Sentinels, which know each other. */
export class SentinelGroup {
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly number[];
  readonly #fleet: Fleet;

  private constructor(fleet: Fleet, servers: readonly RedisServer[], sentinels: readonly number[]) {
    this.#fleet = fleet;
    this.servers = servers;
    this.sentinels = sentinels;
  }

  static start(): Promise<SentinelGroup> {
    const fleet = new Fleet();
    return fleet.whole(() => SentinelGroup.#build(fleet));
  }

  static async #build(fleet: Fleet): Promise<SentinelGroup> {
    const master = await fleet.server();
    const replica = await fleet.server('--replicaof', HOST, String(master.port));
    const lines = [
      `sentinel monitor isobar ${HOST} ${master.port} 2`,
      'sentinel down-after-milliseconds isobar 600',
      'sentinel failover-timeout isobar 3000',
    ];
    const sentinels = await Promise.all([1, 2, 3].map(() => fleet.sentinel(lines)));
    const group = new SentinelGroup(fleet, [master, replica], sentinels);
    await eventually('they know each other', () => group.#isWhole(), 20_000);
    return group;
  }

  end(): Promise<void> {
    return this.#fleet.end();
  }

  async #isWhole(): Promise<boolean> {
    const known = await Promise.all(
      this.sentinels.map(async (port) => {
        const group = (await RedisServer.at(port).command(
          'SENTINEL',
          'MASTER',
          'isobar',
        )) as string[];
        const field = (name: string): string => group[group.indexOf(name) + 1]!;
        return `${field('num-other-sentinels')} ${field('num-slaves')}`;
      }),
    );
    return known.every((each) => each === '2 1');
  }
}

/** Three masters that share the slots, and a node without any. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];
  readonly #fleet: Fleet;

  private constructor(fleet: Fleet, nodes: readonly RedisServer[]) {
    this.#fleet = fleet;
    this.nodes = nodes;
  }

  static start(): Promise<RedisCluster> {
    const fleet = new Fleet();
    return fleet.whole(() => RedisCluster.#build(fleet));
  }

  static async #build(fleet: Fleet): Promise<RedisCluster> {
    const cluster = new RedisCluster(
      fleet,
      await Promise.all([0, 1, 2, 3].map((n) => clusterNode(fleet, n))),
    );
    const [a, b, c] = cluster.nodes;
    await a!.command('CLUSTER', 'ADDSLOTSRANGE', '0', '5460');
    await b!.command('CLUSTER', 'ADDSLOTSRANGE', '5461', '10922');
    await c!.command('CLUSTER', 'ADDSLOTSRANGE', '10923', '16383');
    for (const node of cluster.nodes.slice(1)) {
      await node.command('CLUSTER', 'MEET', HOST, String(a!.port), a!.busPort);
    }
    await eventually('the Cluster is whole', () => cluster.#isWhole(), 20_000);
    return cluster;
  }

  /** The master that has the keys of the deployment. */
  async ownerOf(deployment: string): Promise<RedisServer> {
    const key = `isobar:{${deployment}}:overrides`;
    for (const node of this.nodes) {
      const found = await node.command('GET', key).then(
        () => true,
        (error: Error) => error.message.startsWith('WRONGTYPE'),
      );
      if (found) return node;
    }
    throw new Error('no node has the slot');
  }

  /** As `redis-cli --cluster reshard` does: keys first, then the word that all go by. */
  async moveSlot(deployment: string, from: RedisServer, to: RedisServer): Promise<void> {
    const key = `isobar:{${deployment}}:overrides`;
    const slot = String(await from.command('CLUSTER', 'KEYSLOT', key));
    const [source, target] = await Promise.all(
      [from, to].map(async (node) => String(await node.command('CLUSTER', 'MYID'))),
    );
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source!);
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target!);
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[];
      if (keys.length === 0) break;
      const where = [HOST, String(to.port), '', '0', '2000', 'REPLACE', 'KEYS'];
      await from.command('MIGRATE', ...where, ...keys);
    }
    for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', target!);
  }

  /** Makes the node without slots the replica of `master`; resolves when it could take over. */
  async replicate(master: RedisServer): Promise<void> {
    const replica = this.nodes[3]!;
    const id = String(await master.command('CLUSTER', 'MYID'));
    await replica.command('CLUSTER', 'REPLICATE', id);
    await eventually('the replica is in step', async () => {
      return /master_link_status:up/.test(String(await replica.command('INFO', 'replication')));
    });
  }

  end(): Promise<void> {
    return this.#fleet.end();
  }

  async #isWhole(): Promise<boolean> {
    const infos = await Promise.all(this.nodes.map((node) => node.command('CLUSTER', 'INFO')));
    const whole = /cluster_state:ok[\s\S]*cluster_known_nodes:4/;
    return infos.every((info) => whole.test(String(info)));
  }
}

/** Node `n` of a Cluster, which knows no other and has no slots yet. */
export async function clusterNode(
  fleet: Fleet,
  n: number,
  more: readonly string[] = [],
): Promise<RedisServer> {
  const bus = String(await freePort());
  const file = join(fleet.dir, `nodes-${n}.conf`);
  const options = ['--cluster-enabled', 'yes', '--cluster-config-file', file];
  return fleet.server(...options, '--cluster-node-timeout', '1500', '--cluster-port', bus, ...more);
}
