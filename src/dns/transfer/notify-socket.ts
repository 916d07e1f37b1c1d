/** NOTIFY's way to the network: a UDP socket for each address family, opened when first needed. */
import { createSocket, type Socket } from 'node:dgram';
import { canonicalAddress, type HostPort } from '../../net/ip.ts';
import type { DatagramPort } from './notifier.ts';

export class NotifySocket implements DatagramPort {
  readonly #sockets = new Map<4 | 6, Socket>();
  #receiver: (packet: Uint8Array, from: HostPort) => void = () => {};

  /** A packet that cannot be sent is lost like any other; the next try follows. */
  send(packet: Uint8Array, { address, port }: HostPort): void {
    if (port === 0) return;
    this.#socket(address.includes(':') ? 6 : 4).send(packet, port, address, () => {});
  }

  receive(receiver: (packet: Uint8Array, from: HostPort) => void): void {
    this.#receiver = receiver;
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #socket(family: 4 | 6): Socket {
    const open = this.#sockets.get(family);
    if (open) return open;
    const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
    this.#sockets.set(family, socket);
    socket.on('message', (packet, from) => {
      const address = canonicalAddress(from.address.split('%')[0]!);
      if (address) this.#receiver(packet, { address, port: from.port });
    });
    // Out of descriptors, say: the next packet tries with a new socket.
    socket.on('error', () => {
      this.#sockets.delete(family);
      socket.close();
    });
    // Answers to NOTIFY are no reason to keep a process alive.
    socket.unref();
    return socket;
  }
}
