/**
 * Real Redis servers for tests, each a process with nothing on disk, whatever can happen to one, and a
 * gate (a TCP relay) in front of a server that a test can shut. They end with this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { eventually } from './eventually.ts';

export const HOST = '127.0.0.1';

/** As arguments of `spawn`: what ends when this process does, however that ends. */
export const withUs = (...argv: string[]): readonly [string, string[]] => [
  'setpriv',
  ['--pdeathsig', 'KILL', ...argv],
];

/** Nobody listens there: a server that is told to follow it is a replica that never hears its master. */
const NOBODY = [HOST, '1'] as const;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write('PING\r\n'));
    const settle = (well: boolean): void => {
      socket.destroy();
      resolve(well);
    };
    socket.setTimeout(500, () => settle(false));
    socket.on('data', (data) => settle(/PONG|NOAUTH/.test(data.toString())));
    socket.on('error', () => settle(false));
  });
}

export class RedisServer {
  readonly port: number;
  readonly #arguments: readonly string[];
  readonly #login: { readonly password?: string };
  #process: ChildProcess | null = null;

  private constructor(port: number, more: readonly string[]) {
    this.port = port;
    this.#arguments = more;
    const password = more[more.indexOf('--requirepass') + 1];
    this.#login = more.includes('--requirepass') && password ? { password } : {};
  }

  /** Starts a server on a free port; `more` are further command-line options. */
  static async start(...more: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), more);
    await server.restart();
    return server;
  }

  /** What listens on a port already; it can be commanded, but was not started here. */
  static at(port: number): RedisServer {
    return new RedisServer(port, []);
  }

  get url(): string {
    return `redis://${HOST}:${this.port}`;
  }

  /** Of a node of a Cluster. */
  get busPort(): string {
    return this.#arguments[this.#arguments.indexOf('--cluster-port') + 1]!;
  }

  /** Starts it (again) on the same port, empty. */
  async restart(): Promise<void> {
    // Never a file that another one wrote: a replica keeps what it was sent, and a start reads it.
    const disk = ['--save', '', '--appendonly', 'no', '--rdb-del-sync-files', 'yes'];
    const files = ['--dir', tmpdir(), '--dbfilename', `isobar-${this.port}.rdb`];
    const fixed = ['--bind', HOST, ...disk, ...files];
    const args = ['--port', String(this.port), ...fixed, ...this.#arguments];
    this.#process = spawn(...withUs('redis-server', ...args), { stdio: 'ignore' });
    await eventually('redis-server answers', () => answers(this.port));
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** Hangs, connections open, until `resume`. */
  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  /** Hangs for so long; resolves when it goes on. */
  async stall(ms: number): Promise<void> {
    this.pause();
    await sleep(ms);
    this.resume();
  }

  /** One command on a connection of its own, as the default user. */
  async command(name: string, ...args: string[]): Promise<unknown> {
    const client = new Redis({ ...this.#login, host: HOST, port: this.port, retryStrategy: null });
    client.on('error', () => {});
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Loses everything, and goes on. */
  async flush(): Promise<void> {
    await this.command('FLUSHALL');
  }

  /** True: has no memory for what is new, so that it can be read but not written. */
  async full(full: boolean): Promise<void> {
    await this.command('CONFIG', 'SET', 'maxmemory', full ? '1' : '0');
  }

  /** True: is a replica of nobody, so that it can be read but not written. */
  async readOnly(readOnly: boolean): Promise<void> {
    await this.command('REPLICAOF', ...(readOnly ? NOBODY : ['NO', 'ONE']));
  }

  /** Ends the process without a word to its clients. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = null;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    process.kill('SIGKILL');
    await once(process, 'exit');
  }
}

/**
 * Relays to a Redis server, whose answers may come late; shut, it ends all connections and every new one
 * at once.
 */
export class Gate {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #shut = false;

  private constructor(server: Server, target: number, late_ms: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => {
      if (this.#shut) return client.destroy();
      const upstream = connect(target, HOST);
      client.pipe(upstream);
      if (late_ms === 0) upstream.pipe(client);
      else upstream.on('data', (octets) => setTimeout(() => client.write(octets), late_ms));
      this.#keep(client, upstream);
      this.#keep(upstream, client);
    });
  }

  static async open(target: number, late_ms = 0): Promise<Gate> {
    const server = createServer().listen(0, HOST);
    await once(server, 'listening');
    return new Gate(server, target, late_ms);
  }

  get url(): string {
    return `redis://${HOST}:${this.port}`;
  }

  shut(shut: boolean): void {
    this.#shut = shut;
    if (shut) for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.shut(true);
    this.#server.close();
    await once(this.#server, 'close');
  }

  #keep(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      other.destroy();
    });
  }
}
