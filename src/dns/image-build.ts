/**
 * Builds the zone image from a Config, off the hot path. Each record goes to the closest enclosing
 * zone: what a parent's file says at or below the apex of a zone that we serve as well is left out,
 * since the child is the authority there (RFC 1034 §4.2.1). Only DS is the parent's to say at the
 * child's apex (RFC 4035 §3.1.4.1): it stands at a second node of that name, the parent's side.
 */
import type { Config, ZoneRecord } from '../model/config.ts';
import { type Image, NameKey, NODE, RECORD, RRSET, slotOf } from './image.ts';
import { compileRecord, type Template } from './template.ts';
import { TYPE } from './wire/codes.ts';
import { wireName } from './wire/name.ts';

interface DraftZone {
  readonly index: number;
  readonly apex: Uint8Array;
}

interface DraftNode {
  readonly index: number;
  readonly key: string;
  readonly name: Uint8Array;
  readonly zone: DraftZone;
  /** Null at the apex. */
  readonly parent: DraftNode | null;
  readonly rrsets: Map<number, ZoneRecord[]>;
  service: number;
  parentSide: DraftNode | null;
}

/** Bytes that grow while the image is written. */
class Pool {
  bytes = new Uint8Array(1 << 16);
  length = 0;

  put(source: Uint8Array): number {
    while (this.length + source.length > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(source, this.length);
    this.length += source.length;
    return this.length - source.length;
  }
}

/** Octets as a map key, one character for each, so that a name's suffix is its key's suffix. */
function keyOf(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1');
}

class Draft {
  readonly zones = new Map<string, DraftZone>();
  readonly nodes = new Map<string, DraftNode>();
  /** Nodes by index: those of `nodes`, then the parents' sides, which are not found by name. */
  readonly ordered: DraftNode[] = [];

  constructor(config: Config) {
    config.zones.forEach(({ origin }, index) => {
      const apex = wireName(origin);
      this.zones.set(keyOf(apex), { index, apex });
    });
    for (const zone of this.zones.values()) this.#node(zone.apex, keyOf(zone.apex), zone);
    for (const { origin, records } of config.zones) {
      const home = this.zones.get(keyOf(wireName(origin)));
      for (const record of records) {
        const key = keyOf(record.owner);
        const zone = this.#zoneOf(record.owner, key);
        if (!zone || zone !== home) continue;
        const { rrsets } = this.#node(record.owner, key, zone);
        const rrset = rrsets.get(record.type);
        if (rrset) rrset.push(record);
        else rrsets.set(record.type, [record]);
      }
    }
    config.services.forEach((service, index) => {
      const name = wireName(service.name);
      const key = keyOf(name);
      const zone = this.#zoneOf(name, key);
      if (zone) this.#addService(this.#node(name, key, zone), index);
    });
    const delegated = [...this.zones.values()].flatMap((zone) => this.#enclosing(zone));
    for (const [child, parent] of delegated) this.#addParentSide(child, parent, config);
  }

  /**
   * The node at the apex and the node above it in the parent zone, where that is served too. What
   * lies between the two apexes thereby exists: NXDOMAIN there would deny the child (RFC 8020).
   */
  #enclosing({ apex }: DraftZone): [DraftNode, DraftNode][] {
    if (apex.length === 1) return [];
    const key = keyOf(apex);
    const label = apex[0]! + 1;
    const above = apex.subarray(label);
    const zone = this.#zoneOf(above, key.slice(label));
    return zone ? [[this.nodes.get(key)!, this.#node(above, key.slice(label), zone)]] : [];
  }

  #addParentSide(child: DraftNode, parent: DraftNode, config: Config): void {
    const said = config.zones[parent.zone.index]!.records.filter(
      ({ type, owner }) => type === TYPE.DS && keyOf(owner) === child.key,
    );
    const rrsets = new Map(said.length > 0 ? [[TYPE.DS as number, said]] : []);
    const index = this.ordered.length;
    child.parentSide = { ...child, index, zone: parent.zone, parent, rrsets, service: -1 };
    this.ordered.push(child.parentSide);
  }

  /** The addresses of a health-aware name come from the decision, never from the zone file. */
  #addService(node: DraftNode, service: number): void {
    node.service = service;
    for (const type of [TYPE.A, TYPE.AAAA, TYPE.CNAME]) node.rrsets.delete(type);
  }

  #zoneOf(name: Uint8Array, key: string): DraftZone | undefined {
    for (let at = 0; ; at += name[at]! + 1) {
      const zone = this.zones.get(key.slice(at));
      if (zone || name[at] === 0) return zone;
    }
  }

  /** The node of a name, made with its empty non-terminals where it is missing. */
  #node(name: Uint8Array, key: string, zone: DraftZone): DraftNode {
    const known = this.nodes.get(key);
    if (known) return known;
    const label = name[0]! + 1;
    const apex = name.length === zone.apex.length;
    const parent = apex ? null : this.#node(name.subarray(label), key.slice(label), zone);
    const index = this.ordered.length;
    const rrsets = new Map<number, ZoneRecord[]>();
    const node = { index, key, name, zone, parent, rrsets, service: -1, parentSide: null };
    this.nodes.set(key, node);
    this.ordered.push(node);
    return node;
  }

  /** The topmost node with NS below the apex of the node's zone, at or above the node; or -1. */
  cutOf(node: DraftNode): number {
    let cut = -1;
    for (let at = node; at.parent; at = at.parent) if (at.rrsets.has(TYPE.NS)) cut = at.index;
    return cut;
  }

  /** The index of the node with exactly this name, or -1. */
  find(key: string): number {
    return this.nodes.get(key)?.index ?? -1;
  }
}

/** Everything but the hash table, as growing arrays of rows. */
class Rows {
  readonly pool = new Pool();
  readonly nodes: number[] = [];
  readonly rrsets: number[] = [];
  readonly records: number[] = [];
  readonly zones: number[] = [];

  record(template: Template, target: number): number {
    const row = this.records.length;
    this.records.push(
      this.pool.put(template.bytes),
      template.bytes.length,
      template.pointers[0] ?? 0,
      template.pointers[1] ?? 0,
      template.nameAt,
      target,
      template.full ? this.pool.put(template.full) : 0,
      template.full?.length ?? 0,
    );
    return row / RECORD.STRIDE;
  }

  /** RFC 2181 §5: one TTL for the rrset (the lowest, §5.2), and no record twice. */
  rrset(draft: Draft, type: number, records: readonly ZoneRecord[], apex: Uint8Array): void {
    const ttl_s = Math.min(...records.map((record) => record.ttl_s));
    const seen = new Set<string>();
    const targets = new Set<number>();
    const first = this.records.length / RECORD.STRIDE;
    for (const { rdata } of records) {
      const same = keyOf(rdata);
      if (seen.has(same)) continue;
      seen.add(same);
      const template = compileRecord(type, ttl_s, rdata, apex);
      let target = template.full && type !== TYPE.CNAME ? draft.find(keyOf(template.full)) : -1;
      if (targets.has(target)) target = -1;
      else targets.add(target);
      this.record(template, target);
    }
    this.rrsets.push(type, first, this.records.length / RECORD.STRIDE - first);
  }

  node(draft: Draft, node: DraftNode, key: NameKey): void {
    const { name, zone, rrsets } = node;
    key.take(name, 0, name.length);
    const wild = draft.find(`\x01*${node.key}`);
    const first = this.rrsets.length / RRSET.STRIDE;
    for (const [type, records] of rrsets) this.rrset(draft, type, records, zone.apex);
    this.nodes.push(
      this.pool.put(name),
      name.length,
      key.hashes[0]!,
      zone.index,
      draft.cutOf(node),
      wild,
      node.service,
      first,
      rrsets.size,
      node.parentSide?.index ?? -1,
    );
  }

  /** RFC 2308 §3 and §5: a negative answer lives for the lesser of SOA TTL and SOA minimum. */
  zone(draft: Draft, zone: DraftZone): void {
    const soa = draft.nodes.get(keyOf(zone.apex))?.rrsets.get(TYPE.SOA)?.[0];
    let negative = -1;
    if (soa && soa.rdata.length >= 22) {
      const view = new DataView(soa.rdata.buffer, soa.rdata.byteOffset, soa.rdata.byteLength);
      const ttl_s = Math.min(soa.ttl_s, view.getUint32(soa.rdata.length - 4));
      negative = this.record(compileRecord(TYPE.SOA, ttl_s, soa.rdata, zone.apex), -1);
    }
    this.zones.push(zone.apex.length, negative);
  }
}

function sharedInts(values: readonly number[]): Int32Array {
  const out = new Int32Array(new SharedArrayBuffer(values.length * 4));
  out.set(values);
  return out;
}

/** Of the first `count` nodes. */
function hashTable(nodes: Int32Array, count: number): Int32Array {
  let size = 16;
  while (size < count * 2) size *= 2;
  const slots = new Int32Array(new SharedArrayBuffer(size * 4));
  for (let node = 0; node < count; node++) {
    let slot = slotOf(nodes[node * NODE.STRIDE + NODE.HASH]!, size - 1);
    while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
    slots[slot] = node + 1;
  }
  return slots;
}

/** The image of all zones and services of `config`. */
export function buildImage(config: Config): Image {
  const draft = new Draft(config);
  const rows = new Rows();
  const key = new NameKey();
  for (const node of draft.ordered) rows.node(draft, node, key);
  for (const zone of draft.zones.values()) rows.zone(draft, zone);
  const bytes = new Uint8Array(new SharedArrayBuffer(rows.pool.length));
  bytes.set(rows.pool.bytes.subarray(0, rows.pool.length));
  const nodes = sharedInts(rows.nodes);
  return {
    bytes,
    slots: hashTable(nodes, draft.nodes.size),
    nodes,
    rrsets: sharedInts(rows.rrsets),
    records: sharedInts(rows.records),
    zones: sharedInts(rows.zones),
  };
}
