/**
 * DNS messages as plain values, written and read with nothing from src/dns: a mistake in the server's
 * own encoder cannot hide here.
 */

export interface QueryShape {
  readonly id?: number;
  readonly flags?: number;
  readonly name: string;
  readonly type: number;
  readonly class?: number;
  /** [questions, answers, authority, additional] when they shall not be the true counts. */
  readonly counts?: readonly [number, number, number, number];
  readonly edns?: {
    readonly payload?: number;
    readonly version?: number;
    readonly dnssecOk?: boolean;
    /** [option code, option data] each. */
    readonly options?: readonly (readonly [number, readonly number[]])[];
  };
  /** Octets added at the end. */
  readonly tail?: readonly number[];
}

const u16 = (value: number): number[] => [value >> 8, value & 255];

/** Dots separate labels; `\\.` and `\\DDD` as in zone files (RFC 1035 §5.1). Case is kept. */
export function nameOctets(name: string): number[] {
  const labels = name.match(/(?:\\[0-9]{3}|\\.|[^.\\])+/g) ?? [];
  const octets = labels.map((label) => {
    const plain = label.replace(/\\([0-9]{3}|.)/g, (_, escaped: string) =>
      escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
    );
    return Buffer.from(plain, 'latin1');
  });
  return [...octets.flatMap((label) => [label.length, ...label]), 0];
}

/** A label as text: what `nameOctets` reads back. */
function labelText(octets: Uint8Array): string {
  return Array.from(octets, (octet) => {
    if (octet <= 32 || octet > 126) return `\\${String(octet).padStart(3, '0')}`;
    const character = String.fromCharCode(octet);
    return '.\\'.includes(character) ? `\\${character}` : character;
  }).join('');
}

export function optRecord(edns: NonNullable<QueryShape['edns']>): number[] {
  const options = (edns.options ?? []).flatMap(([code, data]) => [
    ...u16(code),
    ...u16(data.length),
    ...data,
  ]);
  const header = [0, ...u16(41), ...u16(edns.payload ?? 1232), 0, edns.version ?? 0];
  return [...header, edns.dnssecOk ? 0x80 : 0, 0, ...u16(options.length), ...options];
}

export function buildQuery(shape: QueryShape): Uint8Array {
  const counts = shape.counts ?? [1, 0, 0, shape.edns ? 1 : 0];
  return Uint8Array.from([
    ...u16(shape.id ?? 0x1234),
    ...u16(shape.flags ?? 0x0100),
    ...counts.flatMap(u16),
    ...nameOctets(shape.name),
    ...u16(shape.type),
    ...u16(shape.class ?? 1),
    ...(shape.edns ? optRecord(shape.edns) : []),
    ...(shape.tail ?? []),
  ]);
}

/** Client subnet option data (RFC 7871 §6) with the address cut to the source prefix. */
export function subnetOption(
  family: number,
  source: number,
  address: readonly number[],
  scope = 0,
): [number, number[]] {
  return [8, [...u16(family), source, scope, ...address]];
}

export interface ReadRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly rdata: Uint8Array;
  /** RDATA as text: an address, or the names and numbers in it. */
  readonly text: string;
  /** RDATA in which equal data is equal: hexadecimal with names expanded and in lower case. */
  readonly data: string;
}

export interface ReadMessage {
  /** Octets of the whole message. */
  readonly size: number;
  readonly id: number;
  readonly flags: number;
  readonly rcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly question: string;
  readonly answers: ReadRecord[];
  readonly authority: ReadRecord[];
  readonly additional: ReadRecord[];
  readonly opt: ReadRecord | null;
}

function readName(bytes: Uint8Array, from: number): [string, number] {
  const labels: string[] = [];
  let at = from;
  let end = -1;
  for (let hops = 0; ; ) {
    const length = bytes[at];
    if (length === undefined) throw new Error(`a name at ${from} runs beyond the message`);
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | bytes[at + 1]!;
      if (target >= at || ++hops > 20) throw new Error(`a pointer at ${at} does not go back`);
      if (end < 0) end = at + 2;
      at = target;
      continue;
    }
    if (length === 0) return [`${labels.join('.')}.`, end < 0 ? at + 1 : end];
    labels.push(labelText(bytes.subarray(at + 1, at + 1 + length)));
    at += length + 1;
  }
}

function rdataText(bytes: Uint8Array, type: number, at: number, end: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === 1) return bytes.subarray(at, end).join('.');
  if (type === 2 || type === 5 || type === 12) return readName(bytes, at)[0];
  if (type === 15) return `${view.getUint16(at)} ${readName(bytes, at + 2)[0]}`;
  if (type === 33) return `${view.getUint16(at + 4)} ${readName(bytes, at + 6)[0]}`;
  if (type === 6) {
    const [mname, next] = readName(bytes, at);
    const [rname, numbers] = readName(bytes, next);
    return `${mname} ${rname} ${view.getUint32(numbers)} ${view.getUint32(numbers + 16)}`;
  }
  return Buffer.from(bytes.subarray(at, end)).toString('hex');
}

/**
 * Where names stand in RDATA, by type: octets before the first, and how many there are. NAPTR, whose
 * three strings come before the name, is read apart.
 */
const NAMES: Readonly<Record<number, readonly [number, number]>> = {
  2: [0, 1],
  5: [0, 1],
  6: [0, 2],
  12: [0, 1],
  15: [2, 1],
  17: [0, 2],
  18: [2, 1],
  33: [6, 1],
  39: [0, 1],
  64: [2, 1],
  65: [2, 1],
};
/** Types whose names may be compressed: those of RFC 1035 (RFC 3597 §4). */
const COMPRESSIBLE: ReadonlySet<number> = new Set([2, 5, 6, 12, 15]);

function canonicalData(bytes: Uint8Array, type: number, start: number, end: number): string {
  const hex = (from: number, to: number): string =>
    Buffer.from(bytes.subarray(from, to)).toString('hex');
  let [skipped, names] = NAMES[type] ?? [0, 0];
  if (type === 35) {
    skipped = 4;
    for (let i = 0; i < 3; i++) skipped += 1 + bytes[start + skipped]!;
    names = 1;
  }
  let at = start + skipped;
  const parts = [hex(start, at)];
  for (let i = 0; i < names; i++) {
    const [name, next] = readName(bytes, at);
    if (next - at < nameOctets(name).length && !COMPRESSIBLE.has(type)) {
      throw new Error(`a name in a record of type ${type} is compressed (RFC 3597 §4)`);
    }
    parts.push(name.toLowerCase());
    at = next;
  }
  if (at > end) throw new Error(`a name at ${start} runs beyond its record`);
  parts.push(hex(at, end));
  return parts.filter((part) => part !== '').join(' ');
}

/** Reads a whole message; throws if anything in it is out of place. */
export function readMessage(bytes: Uint8Array): ReadMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 12;
  let question = '';
  if (view.getUint16(4) === 1) {
    [question, at] = readName(bytes, at);
    question += ` ${view.getUint16(at)}`;
    at += 4;
  }
  const section = (count: number): ReadRecord[] =>
    Array.from({ length: count }, () => {
      const [name, head] = readName(bytes, at);
      const type = view.getUint16(head);
      const start = head + 10;
      at = start + view.getUint16(head + 8);
      if (at > bytes.length) throw new Error('a record runs beyond the message');
      return {
        name,
        type,
        class: view.getUint16(head + 2),
        ttl: view.getUint32(head + 4),
        rdata: bytes.slice(start, at),
        text: rdataText(bytes, type, start, at),
        data: canonicalData(bytes, type, start, at),
      };
    });
  const answers = section(view.getUint16(6));
  const authority = section(view.getUint16(8));
  const all = section(view.getUint16(10));
  if (at !== bytes.length) throw new Error(`${bytes.length - at} octets after the message`);
  const flags = view.getUint16(2);
  const opt = all.find((record) => record.type === 41) ?? null;
  return {
    size: bytes.length,
    id: view.getUint16(0),
    flags,
    rcode: (flags & 15) | (opt ? (opt.ttl >>> 24) << 4 : 0),
    aa: (flags & 0x400) !== 0,
    tc: (flags & 0x200) !== 0,
    question,
    answers,
    authority,
    additional: all.filter((record) => record.type !== 41),
    opt,
  };
}
