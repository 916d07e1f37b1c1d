/**
 * The door of zone transfers and of signed requests: it looks at a packet before `respond` does, and
 * takes what is signed (TSIG, RFC 8945) or asks for a zone (AXFR, RFC 5936; IXFR, RFC 1995). What it
 * leaves is an ordinary query. One for each thread that answers.
 *
 * Must hold: a transfer is made from the zone, the serial and the health of the moment it began; and
 * nobody gets a zone whom `Zone.transfer` does not name.
 */
import type { Clock } from '../../base/clock.ts';
import { type Address, formatAddress } from '../../net/ip.ts';
import { UDP_MIN } from '../query.ts';
import { SerialTable, serialAfter } from '../serials.ts';
import type { Snapshot } from '../snapshot.ts';
import { CLASS, OPCODE, RCODE, TYPE } from '../wire/codes.ts';
import { decodeMessage, MESSAGE_MAX, type Message } from '../wire/message.ts';
import { lowerName, nameKey, wireName } from '../wire/name.ts';
import { Access, type Transfers } from './access.ts';
import { Frozen } from './frozen.ts';
import { ImageSource } from './image-source.ts';
import { emptyMessage, type Reply, soaMessage, zoneMessages } from './messages.ts';
import { BURST_MAX } from './notifier.ts';
import { Keyring, rejection, type Signer } from './signing.ts';
import { type PlainRecord, serialOf, withSerial, type ZoneSource } from './source.ts';

/**
 * Zones that are being sent at once, in this thread, to whom they are for: strangers who wait for
 * their refusal take nobody's place. As many as the notifier tells at once, for who comes on top of
 * them may not come again before the zone's `retry` time. Each may hold a zone in memory that has
 * been replaced since, as long as its client makes progress; one without any is closed.
 */
const TRANSFERS_MAX = BURST_MAX;

/** One request for a zone and what became of it, for the log. */
export interface TransferEvent {
  readonly zone: string;
  readonly client: string;
  readonly key: string | null;
  /** `current`: the client had the newest serial; `broken-off`: the end was not reached. */
  readonly outcome: 'sent' | 'current' | 'refused' | 'busy' | 'broken-off';
  /** The serial that was served; null when nothing was. */
  readonly serial: number | null;
  readonly octets: number;
}

export interface TransferPorts {
  /** For TSIG: its `wall`. */
  readonly clock: Pick<Clock, 'wall'>;
  /** Where streams are served: answers a signed query otherwise ordinary; null: send nothing. */
  readonly respond?: (packet: Uint8Array, client: Address) => Uint8Array | null;
  readonly onTransfer?: (event: TransferEvent) => void;
}

/** The records of a zone, by its index in Config.zones. */
export function zoneSource({ zones }: Snapshot, zone: number): ZoneSource {
  return new ImageSource(zones.zones[zone]!.image);
}

/** A request for a zone, or a signed one for anything, that has been read and verified. */
interface Request {
  /** Without its signature. */
  readonly octets: Uint8Array;
  /** Null: it is signed, and an ordinary query otherwise. */
  readonly message: Message | null;
  readonly client: Address;
  readonly key: string | null;
  readonly signer: Signer | null;
}

interface ZoneRequest extends Request {
  readonly message: Message;
}

function isForZone(request: Request): request is ZoneRequest {
  return request.message !== null;
}

export class TransferServer {
  readonly #ports: TransferPorts;
  #snapshot: Snapshot;
  #keys: Keyring;
  /** Zone index by nameKey() of its origin; null: nobody has asked for a zone of this snapshot. */
  #zones: ReadonlyMap<string, number> | null = null;
  #active = 0;

  constructor(snapshot: Snapshot, ports: TransferPorts) {
    this.#ports = ports;
    this.#snapshot = snapshot;
    this.#keys = new Keyring(snapshot.transfers.keys);
  }

  /** Answers from `snapshot` from the next request on; transfers under way go on with the old. */
  use(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#keys = new Keyring(snapshot.transfers.keys);
    // Not made here, where it would hold up queries: there may be many zones.
    this.#zones = null;
  }

  /**
   * A request over a stream. Null: an ordinary query, for `respond`. The iterator makes one message
   * of the answer at each step, in about a millisecond; whoever stops before its end calls its
   * `return`, which frees what the transfer holds.
   */
  answer(packet: Uint8Array, client: Address): Iterator<Uint8Array> | null {
    const opened = this.#open(packet, client);
    if (opened === null || opened instanceof Uint8Array) return opened && once(opened);
    if (isForZone(opened)) return this.#transfer(opened);
    const plain = this.#ports.respond?.(opened.octets, client);
    return plain ? once(this.#seal(packet, plain, opened.signer, MESSAGE_MAX)) : null;
  }

  /**
   * The same for a datagram that `respond` has answered with `plain`: what is sent instead; null: it
   * is an ordinary query. The client takes `size_max` octets at most if it says so by EDNS. RFC 1995
   * §2: IXFR gets the SOA alone, which says whether to come by TCP; AXFR is not defined for UDP (RFC
   * 5936 §4.2).
   */
  answerDatagram(
    packet: Uint8Array,
    client: Address,
    plain: Uint8Array,
    size_max: number,
  ): Uint8Array | null {
    const opened = this.#open(packet, client);
    if (opened === null) return null;
    if (opened instanceof Uint8Array) {
      // With the longest names even the record that says what is wrong is too much.
      const fits = opened.length <= datagramMax(packet, opened.length, size_max);
      return fits ? opened : rejection(packet, RCODE.NOTAUTH);
    }
    const { signer } = opened;
    const answer = isForZone(opened) ? this.#datagram({ ...opened, signer: null }) : plain;
    const octets = answer.length + (signer?.octets ?? 0);
    return this.#seal(packet, answer, signer, datagramMax(packet, octets, size_max));
  }

  #datagram(request: ZoneRequest): Uint8Array {
    const reply = this.#reply(request);
    const zone = this.#find(request.message);
    if (zone === undefined) return emptyMessage(reply, RCODE.NOTAUTH);
    const allowed = this.#allows(zone, request);
    if (!allowed || request.message.questions[0]!.type === TYPE.AXFR) {
      return emptyMessage(reply, RCODE.REFUSED);
    }
    return soaMessage(reply, this.#soa(zone));
  }

  /** The request in a packet; else its answer, or null for an ordinary query. */
  #open(packet: Uint8Array, client: Address): Request | Uint8Array | null {
    const verdict = this.#keys.verify(packet, this.#now_s());
    if (verdict.kind === 'bad') return verdict.answer;
    if (verdict.kind === 'unsigned') {
      const message = readRequest(packet);
      return message && { octets: packet, message, client, key: null, signer: null };
    }
    const { key, signer, message: octets } = verdict;
    return { octets, message: readRequest(octets), client, key, signer };
  }

  /**
   * The answer to `packet` as it is sent. RFC 8945 §5.3: if with its signature it is larger than
   * `limit`, TC and the question alone are signed instead; if that is too large too, they go bare.
   */
  #seal(packet: Uint8Array, answer: Uint8Array, signer: Signer | null, limit: number): Uint8Array {
    const signature = signer?.octets ?? 0;
    let message = answer;
    if (answer.length + signature > limit) {
      message = rejection(packet, RCODE.NOERROR);
      message[2] = message[2]! | 0x02;
    }
    if (!signer || message.length + signature > limit) return message;
    return signer.sign(message, this.#now_s());
  }

  *#transfer(request: ZoneRequest): Generator<Uint8Array, void> {
    const reply = this.#reply(request);
    const zone = this.#find(request.message);
    // RFC 5936 §2.2.1: NOTAUTH for a name that is not the apex of a zone that we serve.
    if (zone === undefined) return yield emptyMessage(reply, RCODE.NOTAUTH);
    const { origin } = this.#snapshot.transfers.zones[zone]!;
    if (!this.#allows(zone, request)) {
      this.#tell(request, origin, 'refused', null, 0);
      return yield emptyMessage(reply, RCODE.REFUSED);
    }
    const soa = this.#soa(zone);
    const known = knownSerial(request.message);
    const serial = serialOf(soa);
    if (known !== null && (known === serial || serialAfter(known, serial))) {
      const message = soaMessage(reply, soa);
      this.#tell(request, origin, 'current', serial, message.length);
      return yield message;
    }
    if (this.#active >= TRANSFERS_MAX) {
      this.#tell(request, origin, 'busy', null, 0);
      return yield emptyMessage(reply, RCODE.SERVFAIL);
    }
    const frozen = new Frozen(this.#snapshot).records(zone);
    const records = chain(zoneSource(this.#snapshot, zone).records(), frozen);
    yield* this.#counted(request, origin, serial, zoneMessages(reply, soa, records));
  }

  /** Counts a transfer from its first message to its end, however it ends. */
  *#counted(
    request: ZoneRequest,
    origin: string,
    serial: number,
    messages: Generator<Uint8Array, boolean>,
  ): Generator<Uint8Array, void> {
    let octets = 0;
    let outcome: TransferEvent['outcome'] = 'broken-off';
    this.#active++;
    try {
      let next = messages.next();
      for (; !next.done; next = messages.next()) {
        octets += next.value.length;
        yield next.value;
      }
      if (next.value) outcome = 'sent';
    } finally {
      this.#active--;
      this.#tell(request, origin, outcome, serial, octets);
    }
  }

  #allows(zone: number, { client, key }: Request): boolean {
    return new Access(this.#snapshot.transfers.zones[zone]!.transfer).allows(client, key);
  }

  /** As it is served now. The offset is read before anything is frozen; see announcer.ts. */
  #soa(zone: number): PlainRecord {
    const { soa } = zoneSource(this.#snapshot, zone);
    const { serials } = this.#snapshot.transfers;
    return serials ? withSerial(soa, new SerialTable(serials).served(zone, serialOf(soa))) : soa;
  }

  #find({ questions }: Message): number | undefined {
    this.#zones ??= zonesOf(this.#snapshot.transfers);
    return this.#zones.get(nameKey(lowerName(questions[0]!.name.slice())));
  }

  #reply({ message, signer }: ZoneRequest): Reply {
    return { request: message, signer, now_s: () => this.#now_s() };
  }

  #now_s(): number {
    return Math.floor(this.#ports.clock.wall() / 1000);
  }

  #tell(
    { client, key }: Request,
    origin: string,
    outcome: TransferEvent['outcome'],
    serial: number | null,
    octets: number,
  ): void {
    const told = formatAddress(client);
    this.#ports.onTransfer?.({ zone: origin, client: told, key, outcome, serial, octets });
  }
}

/** The message if it asks for a zone in a way that a transfer can answer; else null. */
function readRequest(packet: Uint8Array): Message | null {
  const decoded = decodeMessage(packet);
  if (!decoded.ok) return null;
  const { qr, opcode, questions, edns } = decoded.value;
  const [question] = questions;
  // What remains to be refused, and how, is what `respond` does with any query.
  if (!question || questions.length > 1 || qr || opcode !== OPCODE.QUERY) return null;
  if (question.type !== TYPE.AXFR && question.type !== TYPE.IXFR) return null;
  if (question.class !== CLASS.IN || (edns && edns.version !== 0)) return null;
  return decoded.value;
}

/** RFC 1995 §3: the client's serial, in the SOA in the authority section; null: it has none. */
function knownSerial({ questions, authorities }: Message): number | null {
  const soa = authorities.find((record) => record.type === TYPE.SOA);
  if (questions[0]!.type !== TYPE.IXFR || !soa || soa.rdata.length < 22) return null;
  return serialOf(soa);
}

/** The most octets that a datagram to the sender of `packet` may have; `wanted` are to be sent. */
function datagramMax(packet: Uint8Array, wanted: number, size_max: number): number {
  const least = Math.min(UDP_MIN, size_max);
  if (wanted <= least) return least;
  const decoded = decodeMessage(packet);
  const payload = decoded.ok ? (decoded.value.edns?.payload ?? 0) : 0;
  return Math.min(size_max, Math.max(UDP_MIN, payload));
}

function zonesOf({ zones }: Transfers): Map<string, number> {
  return new Map(zones.map(({ origin }, zone) => [nameKey(wireName(origin)), zone]));
}

function* once(message: Uint8Array): Generator<Uint8Array, void> {
  yield message;
}

function* chain(
  records: Iterator<PlainRecord>,
  more: Iterable<PlainRecord>,
): Generator<PlainRecord, void> {
  for (let next = records.next(); !next.done; next = records.next()) yield next.value;
  yield* more;
}
