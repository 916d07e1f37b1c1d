/**
 * How the demo's clients and its exercise ask a DNS server: UDP with an EDNS client subnet, in the
 * wire format of dns2, which shares no line with isobar's own codec.
 *
 * Must hold: cheap enough to ask every few milliseconds beside the sites in one process, so one
 * socket serves all queries and a query is encoded once; every lookup ends, by its timeout at last.
 */
import { createSocket, type Socket } from 'node:dgram';
import { Packet } from 'dns2';
import type { Clock, Timer } from '../../base/clock.ts';
import type { HostPort } from '../../net/ip.ts';

export interface Lookup {
  /** Sorted; empty on every failure. */
  readonly addresses: readonly string[];
  readonly ttl_s: number;
  /** Null when there was an answer, else why not, in words. */
  readonly error: string | null;
}

const LOOKUP_TIMEOUT_MS = 300;
/** Lookups without an answer yet; further ones fail at once. */
const PENDING_MAX = 1_000;
const IDS = 0x10000;

/** The client subnet option, which dns2 has but its types do not name. */
const { ECS } = Packet.Resource.EDNS as unknown as { ECS(subnet: string): object };

interface Pending {
  readonly server: HostPort;
  readonly timer: Timer;
  readonly end: (lookup: Lookup) => void;
}

export class DnsClient {
  readonly #clock: Clock;
  readonly #sockets = new Map<4 | 6, Socket>();
  readonly #queries = new Map<string, Buffer>();
  readonly #pending = new Map<number, Pending>();
  #id = 0;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Asks `server` for the A records of `name` for a client in `subnet`, an IPv4 prefix. */
  lookup(server: HostPort, name: string, subnet: string): Promise<Lookup> {
    if (this.#closed) return Promise.resolve(failed('closed'));
    if (this.#pending.size >= PENDING_MAX) return Promise.resolve(failed('too many lookups'));
    const query = this.#query(name, subnet);
    do this.#id = (this.#id + 1) % IDS;
    while (this.#pending.has(this.#id));
    const id = this.#id;
    query.writeUInt16BE(id, 0);
    return new Promise((resolve) => {
      const end = (lookup: Lookup): void => {
        this.#pending.get(id)?.timer.cancel();
        this.#pending.delete(id);
        resolve(lookup);
      };
      const timer = this.#clock.timer(LOOKUP_TIMEOUT_MS, () => end(failed('timed out')));
      this.#pending.set(id, { server, timer, end });
      // The socket sends later; a copy, because the next lookup writes its own id over this one.
      this.#socket(server).send(Buffer.from(query), server.port, server.address, (error) => {
        if (error) end(failed(error.message));
      });
    });
  }

  /** Ends every lookup under way as failed; later ones fail at once. */
  close(): void {
    this.#closed = true;
    for (const { end } of [...this.#pending.values()]) end(failed('closed'));
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #query(name: string, subnet: string): Buffer {
    const key = `${name} ${subnet}`;
    let query = this.#queries.get(key);
    if (!query) {
      const packet = new Packet();
      packet.questions.push(new Packet.Question(name, Packet.TYPE.A, Packet.CLASS.IN));
      packet.additionals.push(Packet.Resource.EDNS([ECS(subnet)]));
      query = packet.toBuffer();
      this.#queries.set(key, query);
    }
    return query;
  }

  #socket(server: HostPort): Socket {
    const family = server.address.includes(':') ? 6 : 4;
    const known = this.#sockets.get(family);
    if (known) return known;
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket.on('message', (bytes, from) => this.#receive(bytes, from.address, from.port));
    // An error of the socket shows as the timeouts of the lookups that it concerns.
    socket.on('error', () => {});
    this.#sockets.set(family, socket);
    return socket;
  }

  #receive(bytes: Buffer, address: string, port: number): void {
    if (bytes.length < 2) return;
    const pending = this.#pending.get(bytes.readUInt16BE(0));
    if (!pending || pending.server.port !== port || pending.server.address !== address) return;
    pending.end(read(bytes));
  }
}

const failed = (error: string): Lookup => ({ addresses: [], ttl_s: 0, error });

function read(bytes: Buffer): Lookup {
  try {
    const { header, answers } = Packet.parse(bytes);
    const records = answers.filter((record) => record.type === Packet.TYPE.A && record.address);
    if (header.rcode !== 0) return failed(`rcode ${header.rcode}`);
    if (records.length === 0) return failed('no address');
    return {
      addresses: records.map((record) => String(record.address)).sort(),
      ttl_s: Math.min(...records.map((record) => record.ttl ?? 0)),
      error: null,
    };
  } catch (error) {
    return failed((error as Error).message); // dns2 throws on a message that it cannot read
  }
}
