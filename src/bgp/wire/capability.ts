/**
 * Capabilities of the OPEN message (RFC 5492): one table row each. A capability that is not in the
 * table, or whose value has the wrong length, is carried verbatim as `unknown`, so decoding and
 * encoding again gives the same bytes.
 *
 * Graceful restart (RFC 4724, code 64) has no row on purpose: offering it for an anycast address
 * would keep traffic on a dead site.
 */
import { Reader, type Writer } from '../../net/cursor.ts';

export type Capability =
  /** RFC 4760 §8. */
  | { readonly kind: 'multiprotocol'; readonly afi: number; readonly safi: number }
  /** RFC 2918 §2. */
  | { readonly kind: 'route-refresh' }
  /** RFC 6793 §3. */
  | { readonly kind: 'four-octet-as'; readonly as: number }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

type Known = Exclude<Capability, { kind: 'unknown' }>;

interface Row<Value> {
  readonly code: number;
  /** The value's exact length in bytes. */
  readonly length: number;
  readonly decode: (reader: Reader) => Value;
  readonly encode: (writer: Writer, value: Value) => void;
}

type Rows = { readonly [Kind in Known['kind']]: Row<Extract<Known, { kind: Kind }>> };

const ROWS: Rows = {
  multiprotocol: {
    code: 1,
    length: 4,
    decode: (reader) => {
      const afi = reader.u16();
      reader.skip(1); // reserved: ignored by the receiver (RFC 4760 §8)
      return { kind: 'multiprotocol', afi, safi: reader.u8() };
    },
    encode: (writer, { afi, safi }) => {
      writer.u16(afi);
      writer.u8(0);
      writer.u8(safi);
    },
  },
  'route-refresh': {
    code: 2,
    length: 0,
    decode: () => ({ kind: 'route-refresh' }),
    encode: () => {},
  },
  'four-octet-as': {
    code: 65,
    length: 4,
    decode: (reader) => ({ kind: 'four-octet-as', as: reader.u32() }),
    encode: (writer, { as }) => writer.u32(as),
  },
};

const BY_CODE = new Map<number, Row<Capability>>(
  Object.values(ROWS).map((row) => [row.code, row as Row<Capability>]),
);

/** Reads one capability; the reader's error is set if it does not fit. */
export function decodeCapability(reader: Reader): Capability {
  const code = reader.u8();
  const value = reader.take(reader.u8());
  const row = BY_CODE.get(code);
  if (row && row.length === value.length) return row.decode(new Reader(value));
  return { kind: 'unknown', code, value: value.slice() };
}

export function encodeCapability(writer: Writer, capability: Capability): void {
  if (capability.kind === 'unknown') {
    writer.u8(capability.code);
    writer.u8(capability.value.length);
    writer.put(capability.value);
    return;
  }
  const row = ROWS[capability.kind] as Row<Capability>;
  writer.u8(row.code);
  writer.u8(row.length);
  row.encode(writer, capability);
}

/** Bytes of a capability with its code and length. */
export function capabilityLength(capability: Capability): number {
  return (
    2 + (capability.kind === 'unknown' ? capability.value.length : ROWS[capability.kind].length)
  );
}

const FAMILIES: Readonly<Record<string, string>> = { '1/1': 'IPv4', '2/1': 'IPv6' };

/** For people: "multiprotocol IPv6", "four-octet AS", "unknown 64". */
export function capabilityText(capability: Capability): string {
  switch (capability.kind) {
    case 'multiprotocol': {
      const family = `${capability.afi}/${capability.safi}`;
      return `multiprotocol ${FAMILIES[family] ?? family}`;
    }
    case 'four-octet-as':
      return 'four-octet AS';
    case 'route-refresh':
      return 'route refresh';
    case 'unknown':
      return `unknown ${capability.code}`;
  }
}
