/**
 * The messages of one transfer (RFC 5936 §2.2), made one at a time as the client takes them, so that
 * a zone of any size costs one message of memory. A message is as large as compression pointers
 * reach; only a record that is larger than that gets a larger one.
 */
import { Writer } from '../../net/cursor.ts';
import { FLAG } from '../query.ts';
import { RCODE, TYPE } from '../wire/codes.ts';
import { NameWriter } from '../wire/compress.ts';
import { MESSAGE_MAX, type Message, writeRecord } from '../wire/message.ts';
import type { Signer } from './signing.ts';
import type { PlainRecord } from './source.ts';

/** What a compression pointer reaches (RFC 1035 §4.1.4). */
const MESSAGE_OCTETS = 0x4000;
const OPT_OCTETS = 11;
const CLASS_IN = 1;
/** Our own UDP payload size, in the OPT record that says that we speak EDNS. */
const PAYLOAD = 1232;

/** What every message of an answer needs to know. */
export interface Reply {
  readonly request: Message;
  readonly signer: Signer | null;
  /** Seconds since 1970. */
  readonly now_s: () => number;
}

/** One message under construction, at most `size` octets with its signature. */
class Draft {
  readonly #reply: Reply;
  readonly #out: Writer;
  readonly #names: NameWriter;
  readonly #first: boolean;
  #answers = 0;
  /** Where the last record that fitted ends. */
  #end: number;

  constructor(reply: Reply, first: boolean, size: number) {
    this.#reply = reply;
    this.#first = first;
    const { request, signer } = reply;
    const opt = first && request.edns ? OPT_OCTETS : 0;
    const limit = size - (signer?.octets ?? 0) - opt;
    this.#out = new Writer(new Uint8Array(size), 12, limit);
    this.#names = new NameWriter(this.#out);
    const question = request.questions[0]!;
    // RFC 5936 §2.2.1: the question stands in the first message; later ones may do without.
    if (first) {
      this.#names.write(question.name);
      this.#out.u16(question.type);
      this.#out.u16(question.class);
    }
    this.#end = this.#out.offset;
  }

  get empty(): boolean {
    return this.#answers === 0;
  }

  /** False: it did not fit, and the message is to be finished without it. */
  add({ owner, type, ttl_s, rdata }: PlainRecord): boolean {
    writeRecord(this.#out, this.#names, { owner, type, class: CLASS_IN, ttl_s, rdata });
    if (this.#out.failed) return false;
    this.#end = this.#out.offset;
    this.#answers++;
    return true;
  }

  finish(rcode: number): Uint8Array {
    const { request, signer, now_s } = this.#reply;
    const edns = this.#first && request.edns !== null;
    const { bytes } = this.#out;
    const tail = new Writer(bytes, this.#end);
    if (edns) {
      tail.u8(0);
      tail.u16(TYPE.OPT);
      tail.u16(PAYLOAD);
      tail.u32(request.edns?.do ? 0x8000 : 0);
      tail.u16(0);
    }
    const header = new Writer(bytes);
    header.u16(request.id);
    const authority = rcode === RCODE.NOERROR ? FLAG.AA : 0;
    header.u16(FLAG.QR | authority | (request.rd ? FLAG.RD : 0) | rcode);
    header.u16(this.#first ? 1 : 0);
    header.u16(this.#answers);
    header.u16(0);
    header.u16(edns ? 1 : 0);
    const message = bytes.slice(0, tail.offset);
    return signer ? signer.sign(message, now_s()) : message;
  }
}

/** A response that holds no record: the rcode says why. */
export function emptyMessage(reply: Reply, rcode: number): Uint8Array {
  return new Draft(reply, true, MESSAGE_OCTETS).finish(rcode);
}

/** RFC 1995 §2: only the SOA: what the client has is current, or it is to come again by TCP. */
export function soaMessage(reply: Reply, soa: PlainRecord): Uint8Array {
  const draft = new Draft(reply, true, MESSAGE_OCTETS);
  draft.add(soa);
  return draft.finish(RCODE.NOERROR);
}

/**
 * The SOA, every other record, the SOA again (RFC 5936 §2.2). A record that no message can hold ends
 * the transfer with SERVFAIL, so that the client keeps what it has. Returns whether all was sent.
 */
export function* zoneMessages(
  reply: Reply,
  soa: PlainRecord,
  records: Iterator<PlainRecord>,
): Generator<Uint8Array, boolean> {
  let draft = new Draft(reply, true, MESSAGE_OCTETS);
  let first = true;
  for (const record of between(soa, records)) {
    if (draft.add(record)) continue;
    if (!draft.empty) {
      yield draft.finish(RCODE.NOERROR);
      first = false;
    }
    draft = new Draft(reply, first, MESSAGE_OCTETS);
    if (draft.add(record)) continue;
    draft = new Draft(reply, first, MESSAGE_MAX);
    if (draft.add(record)) continue;
    yield emptyMessage(reply, RCODE.SERVFAIL);
    return false;
  }
  yield draft.finish(RCODE.NOERROR);
  return true;
}

function* between(soa: PlainRecord, records: Iterator<PlainRecord>): Generator<PlainRecord, void> {
  yield soa;
  for (let next = records.next(); !next.done; next = records.next()) yield next.value;
  yield soa;
}
