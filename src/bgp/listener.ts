/** A listening TCP socket for BGP, with a bound on the connections that it holds at once. */
import { createServer, type Server, type Socket } from 'node:net';
import {
  formatAddress,
  formatHostPort,
  type HostPort,
  parseAddress,
  unmapAddress,
} from '../net/ip.ts';
import { listenErrorText } from '../net/listen-error.ts';

/** Connections open at once, whoever they are from. */
export const CONNECTIONS_MAX = 256;

export class Listener {
  readonly #server: Server;
  #at: HostPort;

  /** `accept` gets every connection with the canonical text of the address it comes from. */
  constructor(at: HostPort, accept: (socket: Socket, from: string) => void) {
    this.#at = at;
    this.#server = createServer((socket) => {
      // Whoever takes the socket adds handlers of its own; until then an error must not be fatal.
      socket.on('error', () => socket.destroy());
      const address = parseAddress(socket.remoteAddress ?? '');
      if (address) accept(socket, formatAddress(unmapAddress(address)));
      else socket.destroy();
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Where it listens; once open with the real port, if 0 was asked for. */
  get address(): HostPort {
    return this.#at;
  }

  /** Rejects with an Error that names the address and the reason if it cannot be bound. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        reject(new Error(`BGP ${formatHostPort(this.#at)}: ${listenErrorText(error)}`));
      };
      this.#server.once('error', failed);
      this.#server.listen({ host: this.#at.address, port: this.#at.port }, () => {
        this.#server.off('error', failed);
        const bound = this.#server.address();
        if (bound !== null && typeof bound === 'object')
          this.#at = { ...this.#at, port: bound.port };
        this.#server.on('error', () => {}); // a failed accept: the peer tries again
        resolve();
      });
    });
  }

  /** Accepts no more; connections that were taken over live on. */
  close(): void {
    this.#server.close();
  }
}
