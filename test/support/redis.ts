/**
 * Real Redis servers for tests, each a process on 127.0.0.1 with nothing on disk, and a gate (a TCP
 * relay) in front of a server that a test can shut.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { eventually } from './eventually.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
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
  #process: ChildProcess | null = null;

  private constructor(port: number, more: readonly string[]) {
    this.port = port;
    this.#arguments = more;
  }

  /** Starts a server on a free port; `more` are further command-line options. */
  static async start(...more: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), more);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it (again) on the same port, empty. */
  async restart(): Promise<void> {
    const fixed = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', tmpdir()];
    const args = ['--port', String(this.port), ...fixed, ...this.#arguments];
    this.#process = spawn('redis-server', args, { stdio: 'ignore' });
    await eventually('redis-server answers', () => answers(this.port));
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
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

/** Relays to a Redis server; shut, it ends all connections and every new one at once. */
export class Gate {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #shut = false;

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => {
      if (this.#shut) return client.destroy();
      const upstream = connect(target, '127.0.0.1');
      client.pipe(upstream).pipe(client);
      this.#keep(client, upstream);
      this.#keep(upstream, client);
    });
  }

  static async open(target: number): Promise<Gate> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Gate(server, target);
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
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
