/** What an MRT dump gets from one peer: its messages both ways and its changes of state. */
import type { Socket } from 'node:net';
import { type Address, parseAddress, unmapAddress } from '../net/ip.ts';
import type { SessionState } from './fsm-model.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { MrtPort } from './ports.ts';
import type { MrtMessage, MrtSession } from './wire/mrt.ts';

const addressOf = (text: string | undefined): Address | null => {
  const parsed = parseAddress((text ?? '').split('%')[0]!);
  return parsed && unmapAddress(parsed);
};

export class PeerDump {
  readonly #mrt: MrtPort;
  readonly #settings: PeerSettings;
  /** The ends of the connection that was dumped last. */
  #last: { readonly socket: Socket; readonly ends: MrtSession } | null = null;

  /** `settings`: what never changes of them is used. */
  constructor(mrt: MrtPort, settings: PeerSettings) {
    this.#mrt = mrt;
    this.#settings = settings;
  }

  message(socket: Socket, peer_as: number | null, message: MrtMessage, at_ms: number): void {
    const known = this.#last?.socket === socket ? this.#last.ends : null;
    const same = peer_as === null || known?.peer_as === peer_as;
    const ends = known && same ? known : this.#ends(socket, peer_as);
    this.#last = { socket, ends };
    this.#mrt.message(ends, message, at_ms);
  }

  state(socket: Socket | null, from: SessionState, to: SessionState): void {
    this.#mrt.state(this.#ends(socket, null), from, to);
  }

  /** Without a connection our own address is not known: it is all zeros. */
  #ends(socket: Socket | null, peer_as: number | null): MrtSession {
    const { address, local_as, remote_as } = this.#settings;
    const peer_address =
      addressOf(socket?.remoteAddress) ?? addressOf(address) ?? new Uint8Array(4);
    const local = addressOf(socket?.localAddress);
    const known = local?.length === peer_address.length;
    const local_address = known ? local : new Uint8Array(peer_address.length);
    return { peer_address, local_address, local_as, peer_as: peer_as ?? remote_as ?? 0 };
  }
}
