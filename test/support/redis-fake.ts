/**
 * A Redis server that answers what it is told to: for what a real one does only when it is broken. It
 * logs everybody in, and hands every other command to `answer`.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Gives what to send for a command, in lower case; null: nothing. */
export type Answer = (command: string, socket: Socket) => string | Buffer | null;

const HELLO = '%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n';
export const SUBSCRIBED = (channel: string): string =>
  `>3\r\n$9\r\nsubscribe\r\n$${channel.length}\r\n${channel}\r\n:1\r\n`;

export class FakeRedis {
  /** Connections made so far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, answer: Answer) {
    this.#server = server;
    server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('data', (data) => {
        // Commands are short, and each comes in one piece.
        for (const [, name] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) {
          const command = name!.toLowerCase();
          const reply = command === 'hello' ? HELLO : answer(command, socket);
          if (reply !== null && !socket.destroyed) socket.write(reply);
        }
      });
    });
  }

  static async start(answer: Answer): Promise<FakeRedis> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FakeRedis(server, answer);
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
