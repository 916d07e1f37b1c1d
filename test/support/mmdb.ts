/** Writes small MaxMind databases (format 2.0) for tests: the networks given and nothing else. */
import { parsePrefix } from '../../src/net/ip.ts';

export interface MmdbNetwork {
  /** Canonical prefix; IPv4 goes to ::/96 in an IPv6 tree. */
  readonly prefix: string;
  readonly country?: string;
  readonly continent?: string;
}

export interface MmdbShape {
  readonly ipVersion: 4 | 6;
  readonly recordSize: 24 | 28 | 32;
  readonly networks: readonly MmdbNetwork[];
}

type Value = string | number | { readonly [key: string]: Value } | readonly Value[];

/** A control octet with its type and size (below 285, which is enough here). */
function control(type: number, size: number): number[] {
  const extended = type > 7 ? [type - 7] : [];
  const top = type > 7 ? 0 : type << 5;
  return size < 29 ? [top | size, ...extended] : [top | 29, ...extended, size - 29];
}

function encode(value: Value): number[] {
  if (typeof value === 'string') {
    return [...control(2, value.length), ...Buffer.from(value, 'latin1')];
  }
  if (typeof value === 'number') {
    const octets = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
    return [...control(6, 4), ...octets];
  }
  if (Array.isArray(value)) return [...control(11, value.length), ...value.flatMap(encode)];
  const entries = Object.entries(value);
  return [
    ...control(7, entries.length),
    ...entries.flatMap(([key, one]) => [...encode(key), ...encode(one)]),
  ];
}

interface Node {
  index: number;
  readonly child: [Node | number | null, Node | number | null];
}

/** Later networks may lie inside earlier ones; a shorter one after a longer is not possible. */
export function writeMmdb({ ipVersion, recordSize, networks }: MmdbShape): Uint8Array {
  const data: number[] = [];
  const root: Node = { index: 0, child: [null, null] };
  for (const { prefix: text, country, continent } of networks) {
    const offset = data.length;
    const value: Record<string, Value> = {};
    if (country !== undefined) value.country = { iso_code: country };
    if (continent !== undefined) value.continent = { code: continent };
    data.push(...encode(value));
    insert(root, bitsOf(text, ipVersion), offset);
  }
  const nodes: Node[] = [];
  const number = (node: Node): void => {
    node.index = nodes.length;
    nodes.push(node);
    for (const child of node.child) if (child !== null && typeof child === 'object') number(child);
  };
  number(root);
  const record = (child: Node | number | null): number =>
    child === null
      ? nodes.length
      : typeof child === 'number'
        ? nodes.length + 16 + child
        : child.index;
  const tree = nodes.flatMap(({ child }) =>
    records(record(child[0]), record(child[1]), recordSize),
  );
  const metadata = encode({
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: 1_700_000_000,
    database_type: 'Test-Country',
    description: { en: 'test' },
    ip_version: ipVersion,
    languages: ['en'],
    node_count: nodes.length,
    record_size: recordSize,
  });
  const marker = [0xab, 0xcd, 0xef, ...Buffer.from('MaxMind.com')];
  return Uint8Array.from([...tree, ...new Array(16).fill(0), ...data, ...marker, ...metadata]);
}

function bitsOf(text: string, ipVersion: 4 | 6): number[] {
  const prefix = parsePrefix(text);
  if (!prefix) throw new Error(`"${text}" is not a prefix`);
  const bits = Array.from(
    { length: prefix.length },
    (_, i) => (prefix.address[i >> 3]! >> (7 - (i & 7))) & 1,
  );
  const lead = ipVersion === 6 && prefix.address.length === 4 ? 96 : 0;
  return [...new Array(lead).fill(0), ...bits];
}

function insert(root: Node, bits: readonly number[], leaf: number): void {
  let at = root;
  bits.forEach((bit, depth) => {
    if (depth === bits.length - 1) {
      at.child[bit] = leaf;
      return;
    }
    const next = at.child[bit] ?? null;
    if (next !== null && typeof next === 'object') {
      at = next;
      return;
    }
    const made: Node = { index: 0, child: [next, next] };
    at.child[bit] = made;
    at = made;
  });
}

function records(left: number, right: number, size: 24 | 28 | 32): number[] {
  const octets = (value: number, count: number): number[] =>
    Array.from({ length: count }, (_, i) => (value >>> ((count - 1 - i) * 8)) & 255);
  if (size === 28) {
    const middle = ((left >>> 24) << 4) | (right >>> 24);
    return [...octets(left & 0xffffff, 3), middle, ...octets(right & 0xffffff, 3)];
  }
  return [...octets(left, size / 8), ...octets(right, size / 8)];
}
