/**
 * Capabilities of the OPEN message (RFC 5492): one table row each. A capability that is not in the
 * table, or whose value is malformed, is carried verbatim as `unknown`, so decoding and encoding
 * again gives the same bytes. Which ones we send, and with what inside, is the FSM's business.
 */
import { Reader, Writer } from '../../net/cursor.ts';
import { printable } from './printable.ts';
import { ROLES } from './role.ts';

/** A family for which routes may be kept over a restart (RFC 4724 §3). */
export interface RestartFamily {
  readonly afi: number;
  readonly safi: number;
  /** F bit: the forwarding state was kept over the last restart. */
  readonly forwarding: boolean;
}

/** RFC 7911 §4: 1 the sender wants to receive several paths, 2 to send them, 3 both. */
export interface AddPathFamily {
  readonly afi: number;
  readonly safi: number;
  readonly mode: number;
}

/** RFC 8950 §4. */
export interface NextHopFamily {
  readonly afi: number;
  readonly safi: number;
  readonly next_hop_afi: number;
}

export type Capability =
  /** RFC 4760 §8. */
  | { readonly kind: 'multiprotocol'; readonly afi: number; readonly safi: number }
  /** RFC 2918 §2. */
  | { readonly kind: 'route-refresh' }
  | { readonly kind: 'extended-next-hop'; readonly families: readonly NextHopFamily[] }
  /** RFC 8654 §2. */
  | { readonly kind: 'extended-messages' }
  /** RFC 9234 §4.1: the sender's role; `ROLES` has the names. */
  | { readonly kind: 'role'; readonly value: number }
  | {
      readonly kind: 'graceful-restart';
      /** R bit: the sender has restarted. */
      readonly restarted: boolean;
      /** N bit (RFC 8538 §2): also after a NOTIFICATION or the end of the hold time. */
      readonly notification: boolean;
      /** How long a restart takes, 0–4095. */
      readonly restart_time_s: number;
      readonly families: readonly RestartFamily[];
    }
  /** RFC 6793 §3. */
  | { readonly kind: 'four-octet-as'; readonly as: number }
  | { readonly kind: 'add-path'; readonly families: readonly AddPathFamily[] }
  /** RFC 7313 §3.1. */
  | { readonly kind: 'enhanced-route-refresh' }
  /** The sender's name for people (draft-walton-bgp-hostname-capability). */
  | { readonly kind: 'fqdn'; readonly host: string; readonly domain: string }
  /** The session waits for BFD (draft-ietf-idr-bgp-bfd-strict-mode). */
  | { readonly kind: 'bfd-strict' }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

type Known = Exclude<Capability, { kind: 'unknown' }>;

interface Row<Value> {
  readonly code: number;
  /** The value's length in bytes: at least `min`, and beyond it whole units; 0: nothing more. */
  readonly min: number;
  readonly unit: number;
  /** Undefined if the value is malformed; the reader spans exactly the value. */
  readonly decode: (reader: Reader) => Value | undefined;
  readonly encode: (writer: Writer, value: Value) => void;
}

type Rows = { readonly [Kind in Known['kind']]: Row<Extract<Known, { kind: Kind }>> };

/** A capability that says all by being there. */
function flag<Value extends Known>(code: number, value: Value): Row<Value> {
  return { code, min: 0, unit: 0, decode: () => value, encode: () => {} };
}

function list<Item>(reader: Reader, item: () => Item): Item[] {
  const items: Item[] = [];
  while (reader.left > 0) items.push(item());
  return items;
}

const RESTARTED = 0x8000;
const NOTIFICATION = 0x4000;
const RESTART_TIME = 0x0fff;
const FORWARDING = 0x80;
const UTF8_MAX = 255;

/** One octet of length, then UTF-8. What is not UTF-8 cannot be written back: malformed. */
function decodeName(reader: Reader): string | undefined {
  const bytes = reader.take(reader.u8());
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return text.includes('\ufffd') ? undefined : text;
}

function encodeName(writer: Writer, name: string): void {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length > UTF8_MAX) writer.failed = true;
  writer.u8(bytes.length);
  writer.put(bytes);
}

const ROWS: Rows = {
  multiprotocol: {
    code: 1,
    min: 4,
    unit: 0,
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
  'route-refresh': flag(2, { kind: 'route-refresh' }),
  'extended-next-hop': {
    code: 5,
    min: 0,
    unit: 6,
    decode: (reader) => ({
      kind: 'extended-next-hop',
      families: list(reader, () => ({
        afi: reader.u16(),
        safi: reader.u16(),
        next_hop_afi: reader.u16(),
      })),
    }),
    encode: (writer, { families }) => {
      for (const { afi, safi, next_hop_afi } of families) {
        for (const number of [afi, safi, next_hop_afi]) writer.u16(number);
      }
    },
  },
  'extended-messages': flag(6, { kind: 'extended-messages' }),
  role: {
    code: 9,
    min: 1,
    unit: 0,
    decode: (reader) => ({ kind: 'role', value: reader.u8() }),
    encode: (writer, { value }) => writer.u8(value),
  },
  'graceful-restart': {
    code: 64,
    min: 2,
    unit: 4,
    decode: (reader) => {
      const head = reader.u16();
      return {
        kind: 'graceful-restart',
        restarted: (head & RESTARTED) !== 0,
        notification: (head & NOTIFICATION) !== 0,
        restart_time_s: head & RESTART_TIME,
        families: list(reader, () => ({
          afi: reader.u16(),
          safi: reader.u8(),
          forwarding: (reader.u8() & FORWARDING) !== 0,
        })),
      };
    },
    encode: (writer, { restarted, notification, restart_time_s, families }) => {
      const bits = (restarted ? RESTARTED : 0) | (notification ? NOTIFICATION : 0);
      writer.u16(bits | (restart_time_s & RESTART_TIME));
      for (const { afi, safi, forwarding } of families) {
        writer.u16(afi);
        writer.u8(safi);
        writer.u8(forwarding ? FORWARDING : 0);
      }
    },
  },
  'four-octet-as': {
    code: 65,
    min: 4,
    unit: 0,
    decode: (reader) => ({ kind: 'four-octet-as', as: reader.u32() }),
    encode: (writer, { as }) => writer.u32(as),
  },
  'add-path': {
    code: 69,
    min: 0,
    unit: 4,
    decode: (reader) => ({
      kind: 'add-path',
      families: list(reader, () => ({ afi: reader.u16(), safi: reader.u8(), mode: reader.u8() })),
    }),
    encode: (writer, { families }) => {
      for (const { afi, safi, mode } of families) {
        writer.u16(afi);
        writer.u8(safi);
        writer.u8(mode);
      }
    },
  },
  'enhanced-route-refresh': flag(70, { kind: 'enhanced-route-refresh' }),
  fqdn: {
    code: 73,
    min: 2,
    unit: 1,
    decode: (reader) => {
      const host = decodeName(reader);
      const domain = decodeName(reader);
      if (host === undefined || domain === undefined || reader.left > 0) return undefined;
      return { kind: 'fqdn', host, domain };
    },
    encode: (writer, { host, domain }) => {
      encodeName(writer, host);
      encodeName(writer, domain);
    },
  },
  'bfd-strict': flag(74, { kind: 'bfd-strict' }),
};

const BY_CODE = new Map<number, Row<Capability>>(
  Object.values(ROWS).map((row) => [row.code, row as Row<Capability>]),
);

/** Reads one capability; the reader's error is set if it does not fit. */
export function decodeCapability(reader: Reader): Capability {
  const code = reader.u8();
  const value = reader.take(reader.u8());
  const row = BY_CODE.get(code);
  const more = value.length - (row?.min ?? 0);
  if (row && (row.unit === 0 ? more === 0 : more >= 0 && more % row.unit === 0)) {
    const inner = new Reader(value);
    const capability = row.decode(inner);
    if (capability !== undefined && !inner.failed) return capability;
  }
  return { kind: 'unknown', code, value: value.slice() };
}

/** The longest value that fits its one-octet length. */
const VALUE_BYTES_MAX = 255;
const scratch = new Uint8Array(VALUE_BYTES_MAX);

/** The writer's error is set if the value is too long for a capability. */
export function encodeCapability(writer: Writer, capability: Capability): void {
  const inner = new Writer(scratch);
  let code: number;
  if (capability.kind === 'unknown') {
    code = capability.code;
    inner.put(capability.value);
  } else {
    const row = ROWS[capability.kind] as Row<Capability>;
    code = row.code;
    row.encode(inner, capability);
  }
  if (inner.failed) writer.failed = true;
  writer.u8(code);
  writer.u8(inner.offset);
  writer.put(inner.written());
}

const FAMILIES: Readonly<Record<string, string>> = { '1/1': 'IPv4', '2/1': 'IPv6' };

/** "IPv4", "IPv6", or "25/70". */
export function familyText({ afi, safi }: { afi: number; safi: number }): string {
  const family = `${afi}/${safi}`;
  return FAMILIES[family] ?? family;
}

const FLAG_TEXTS = {
  'route-refresh': 'route refresh',
  'extended-messages': 'extended messages',
  'four-octet-as': 'four-octet AS',
  'enhanced-route-refresh': 'enhanced route refresh',
  'bfd-strict': 'BFD strict mode',
} as const;

const ADD_PATH_MODES = ['', 'receive', 'send', 'both'];

/** For people: "multiprotocol IPv6", "add-path IPv4 (both)", "unknown 71". */
export function capabilityText(capability: Capability): string {
  switch (capability.kind) {
    case 'multiprotocol':
      return `multiprotocol ${familyText(capability)}`;
    case 'extended-next-hop': {
      const families = capability.families.map(
        (one) => `${familyText(one)} over ${familyText({ afi: one.next_hop_afi, safi: 1 })}`,
      );
      return ['extended next hop', families.join(', ')].join(' ').trim();
    }
    case 'role':
      return `role ${ROLES[capability.value] ?? capability.value}`;
    case 'graceful-restart':
      return restartText(capability);
    case 'add-path': {
      const families = capability.families.map(
        (one) => `${familyText(one)} (${ADD_PATH_MODES[one.mode] || `mode ${one.mode}`})`,
      );
      return ['add-path', families.join(', ')].join(' ').trim();
    }
    case 'fqdn':
      return `name ${printable([capability.host, capability.domain].filter(Boolean).join('.'))}`;
    case 'unknown':
      return `unknown ${capability.code}`;
    default:
      return FLAG_TEXTS[capability.kind];
  }
}

/** "graceful restart 120 s, after notifications, has restarted, IPv4 (forwarding kept)". */
function restartText(capability: Extract<Capability, { kind: 'graceful-restart' }>): string {
  const families = capability.families.map(
    (one) => `${familyText(one)}${one.forwarding ? ' (forwarding kept)' : ''}`,
  );
  return [
    `graceful restart ${capability.restart_time_s} s`,
    ...(capability.notification ? ['after notifications'] : []),
    ...(capability.restarted ? ['has restarted'] : []),
    ...(families.length > 0 ? families : ['helper only']),
  ].join(', ');
}
