/**
 * Whole DNS messages (RFC 1035 §4) as plain values: the codec of the cold paths (clients, probes,
 * transfers, tests). Decoding takes any octets and never throws; encoding compresses what RFC 1035
 * allows. The server's hot path does not use it.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { Reader, Writer } from '../../net/cursor.ts';
import { CLASS, OPCODE, RCODE, TYPE, typeName } from './codes.ts';
import { NameWriter, readName } from './compress.ts';
import { type Edns, readOptions, writeOptions } from './edns.ts';
import { formatName, NAME_MAX, nameLength, parseName } from './name.ts';
import { fieldsWithNames, rdataNames, validRdata } from './rdata.ts';

export const MESSAGE_MAX = 65535;

export interface Question {
  /** Wire form, in the case that the message had. */
  readonly name: Uint8Array;
  readonly type: number;
  readonly class: number;
}

export interface ResourceRecord {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly class: number;
  readonly ttl_s: number;
  /** Wire form, names uncompressed. */
  readonly rdata: Uint8Array;
}

export interface Message {
  readonly id: number;
  readonly qr: boolean;
  readonly opcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly rd: boolean;
  readonly ra: boolean;
  readonly ad: boolean;
  readonly cd: boolean;
  /** With the upper eight bits of EDNS (RFC 6891 §6.1.3); above 15 only together with `edns`. */
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  /** Without the OPT record, which is `edns`. */
  readonly additionals: readonly ResourceRecord[];
  readonly edns: Edns | null;
}

const FLAG = {
  qr: 0x8000,
  aa: 0x0400,
  tc: 0x0200,
  rd: 0x0100,
  ra: 0x0080,
  ad: 0x0020,
  cd: 0x0010,
} as const;

/** Reads one message that fills `bytes`; the error says what is malformed. */
export function decodeMessage(bytes: Uint8Array): Result<Message, string> {
  if (bytes.length > MESSAGE_MAX) return err(`a message of more than ${MESSAGE_MAX} octets`);
  const reader = new Reader(bytes);
  const id = reader.u16();
  const flags = reader.u16();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()] as const;
  if (reader.failed) return err('a message shorter than its header');
  const questions: Question[] = [];
  while (questions.length < counts[0] && !reader.failed) {
    questions.push({ name: readName(reader), type: reader.u16(), class: reader.u16() });
  }
  if (reader.failed) return err('a malformed question');
  const sections: ResourceRecord[][] = [];
  for (const count of counts.slice(1)) {
    const section: ResourceRecord[] = [];
    while (section.length < count) {
      const record = readRecord(reader);
      if (!record.ok) return record;
      section.push(record.value);
    }
    sections.push(section);
  }
  if (reader.left > 0) return err(`${reader.left} octets after the end of the message`);
  const [answers = [], authorities = [], last = []] = sections;
  // RFC 6891 §6.1.1: one OPT record at most, and only in the additional section.
  const opts = last.filter((record) => record.type === TYPE.OPT);
  if (opts.length > 1) return err('more than one OPT record');
  if ([...answers, ...authorities].some((record) => record.type === TYPE.OPT)) {
    return err('an OPT record outside the additional section');
  }
  const edns = readEdns(opts[0]);
  if (!edns.ok) return edns;
  return ok({
    id,
    qr: (flags & FLAG.qr) !== 0,
    opcode: (flags >> 11) & 15,
    aa: (flags & FLAG.aa) !== 0,
    tc: (flags & FLAG.tc) !== 0,
    rd: (flags & FLAG.rd) !== 0,
    ra: (flags & FLAG.ra) !== 0,
    ad: (flags & FLAG.ad) !== 0,
    cd: (flags & FLAG.cd) !== 0,
    rcode: (flags & 15) | (opts[0] ? (opts[0].ttl_s >>> 24) << 4 : 0),
    questions,
    answers,
    authorities,
    additionals: last.filter((record) => record.type !== TYPE.OPT),
    edns: edns.value,
  });
}

function readRecord(reader: Reader): Result<ResourceRecord, string> {
  const owner = readName(reader);
  const type = reader.u16();
  const klass = reader.u16();
  const ttl_s = reader.u32();
  const length = reader.u16();
  const end = reader.offset + length;
  if (reader.failed || end > reader.end) return err('a record cut short');
  const rdata = readRdata(type, new Reader(reader.bytes, reader.offset, end));
  reader.skip(length);
  if (!rdata) return err(`malformed rdata of ${typeName(type)} at ${formatName(owner)}`);
  return ok({ owner, type, class: klass, ttl_s, rdata });
}

/**
 * A copy of the rdata with its names expanded, also those of types that should not have been
 * compressed (RFC 3597 §4). Null if a type with names is malformed; empty rdata is always fine, since
 * UPDATE (RFC 2136 §2.4) sends it for any type.
 */
function readRdata(type: number, reader: Reader): Uint8Array | null {
  const fields = reader.left === 0 ? null : fieldsWithNames(type);
  if (!fields) return reader.take(reader.left).slice();
  const out = new Writer(new Uint8Array(reader.left + fields.length * NAME_MAX));
  for (const { takes } of fields) {
    if (takes === 'name') out.put(readName(reader));
    else if (takes === 'rest') out.put(reader.take(reader.left));
    else if (takes !== 'string') out.put(reader.take(takes));
    else {
      const length = reader.u8();
      out.u8(length);
      out.put(reader.take(length));
    }
  }
  return reader.failed || reader.left > 0 ? null : out.written().slice();
}

function readEdns(record: ResourceRecord | undefined): Result<Edns | null, string> {
  if (!record) return ok(null);
  const options = readOptions(record.rdata);
  if (!options || record.owner.length !== 1) return err('a malformed OPT record');
  return ok({
    payload: record.class,
    version: (record.ttl_s >>> 16) & 255,
    do: (record.ttl_s & 0x8000) !== 0,
    options,
  });
}

/** Throws RangeError if the message does not fit into 65535 octets. */
export function encodeMessage(message: Message): Uint8Array {
  const out = new Writer(new Uint8Array(MESSAGE_MAX));
  const names = new NameWriter(out);
  const { questions, answers, authorities, additionals, edns } = message;
  let flags = ((message.opcode & 15) << 11) | (message.rcode & 15);
  for (const [flag, bit] of Object.entries(FLAG) as [keyof typeof FLAG, number][]) {
    if (message[flag]) flags |= bit;
  }
  out.u16(message.id);
  out.u16(flags);
  out.u16(questions.length);
  out.u16(answers.length);
  out.u16(authorities.length);
  out.u16(additionals.length + (edns ? 1 : 0));
  for (const question of questions) {
    names.write(question.name);
    out.u16(question.type);
    out.u16(question.class);
  }
  for (const record of [...answers, ...authorities, ...additionals]) {
    writeRecord(out, names, record);
  }
  if (edns) writeEdns(out, edns, message.rcode);
  if (out.failed) throw new RangeError(`a message of more than ${MESSAGE_MAX} octets`);
  return out.written().slice();
}

/** Appends one record; the caller checks `out.failed` and counts it in the header. */
export function writeRecord(out: Writer, names: NameWriter, record: ResourceRecord): void {
  names.write(record.owner);
  out.u16(record.type);
  out.u16(record.class);
  out.u32(record.ttl_s);
  const lengthAt = out.offset;
  out.u16(0);
  const { type, rdata } = record;
  const place = rdataNames(type);
  if (place && validRdata(type, rdata)) {
    out.put(rdata.subarray(0, place.offset));
    let at = place.offset;
    for (let i = 0; i < place.count; i++) {
      const length = nameLength(rdata, at);
      names.write(rdata.subarray(at, at + length));
      at += length;
    }
    out.put(rdata.subarray(at));
  } else {
    out.put(rdata);
  }
  out.patch16(lengthAt, out.offset - lengthAt - 2);
}

function writeEdns(out: Writer, edns: Edns, rcode: number): void {
  out.u8(0);
  out.u16(TYPE.OPT);
  out.u16(edns.payload);
  out.u8(rcode >> 4);
  out.u8(edns.version);
  out.u16(edns.do ? 0x8000 : 0);
  const lengthAt = out.offset;
  out.u16(0);
  writeOptions(out, edns.options);
  out.patch16(lengthAt, out.offset - lengthAt - 2);
}

export interface QueryInput {
  readonly id: number;
  /** Presentation form, with or without the trailing dot; its case is kept. */
  readonly name: string;
  readonly type: number;
  readonly class?: number;
  readonly rd?: boolean;
  /** Left out: a query without EDNS. */
  readonly edns?: Partial<Edns>;
}

/** Throws RangeError if `name` is not a domain name. */
export function encodeQuery(query: QueryInput): Uint8Array {
  const name = parseName(query.name === '' ? '.' : query.name);
  if (!name.ok) throw new RangeError(name.error);
  return encodeMessage({
    id: query.id,
    qr: false,
    opcode: OPCODE.QUERY,
    aa: false,
    tc: false,
    rd: query.rd ?? false,
    ra: false,
    ad: false,
    cd: false,
    rcode: RCODE.NOERROR,
    questions: [{ name: name.value, type: query.type, class: query.class ?? CLASS.IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: query.edns ? { payload: 1232, version: 0, do: false, options: [], ...query.edns } : null,
  });
}
