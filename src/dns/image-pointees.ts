/**
 * The names that records of a zone point at, while its image is built: which node has the addresses
 * that belong in the additional section, and whether a search for a shorter form of the name pays.
 */
import type { Template } from './template.ts';
import { TYPE } from './wire/codes.ts';
import { APEX, type ZoneTree } from './zone-tree.ts';

export class Pointees {
  readonly #tree: ZoneTree;
  readonly #cuts: Int32Array;
  readonly #ceded: Uint8Array;
  /** What records of the rrset before point at: nodes, or names that a wildcard serves. */
  readonly #known = new Set<number | string>();
  /** The node of the name, or of the closest one above it; -1: not in the zone. */
  #closest = -1;
  #exact = false;

  /** `cuts` is NODE.CUT by node, `ceded` 1 by node at and below the apex of a child zone. */
  constructor(tree: ZoneTree, cuts: Int32Array, ceded: Uint8Array) {
    this.#tree = tree;
    this.#cuts = cuts;
    this.#ceded = ceded;
  }

  /** The next rrset begins. */
  begin(): void {
    // To clear a Set takes its time, also if it is empty, as it is for most rrsets.
    if (this.#known.size > 0) this.#known.clear();
  }

  /** Finds the name that a compiled record points at. */
  take({ fullAt, fullLength, host, compressed }: Template): void {
    const tree = this.#tree;
    const wanted = fullAt >= 0 && (host || compressed > 0);
    this.#closest = wanted ? tree.closest(tree.records.bytes, fullAt) : -1;
    this.#exact = this.#closest >= 0 && tree.nameLength(this.#closest) === fullLength;
  }

  /**
   * Whether a name in the record, whose owner is a node, may gain by a pointer to another name than
   * the apex: it is longer than one label below that, a record before has it too, or the owner's name
   * ends in it.
   */
  gains({ compressed, long }: Template, owner: number): boolean {
    if (compressed === 0 || long) return compressed > 0;
    if (!this.#exact) return false;
    return this.#known.has(this.#closest) || this.#closest === this.#topOf(owner);
  }

  /** The node one label below the apex, at or above a node; -1 of the apex. */
  #topOf(node: number): number {
    let top = -1;
    for (let at = node; at !== APEX; at = this.#tree.parent(at)) top = at;
    return top;
  }

  /**
   * The node with the addresses of the host that the record points at, if this zone has them and no
   * record before in the rrset points there; or -1.
   */
  target(template: Template, owner: number): number {
    const node = template.ownHost ? owner : this.#hostNode(template);
    if (node < 0 || this.#ceded[node] === 1) return -1;
    // A wildcard serves many names, each of which is a target of its own.
    const exact = template.ownHost || this.#exact;
    const target = exact ? node : this.#nameOf(template);
    if (this.#known.has(target)) return -1;
    this.#known.add(target);
    return node;
  }

  #hostNode({ host }: Template): number {
    const closest = this.#closest;
    if (!host || closest < 0) return -1;
    const cut = this.#cuts[closest]!;
    // What a DNAME hides has no addresses of its own.
    if (cut >= 0 && cut !== closest && this.#tree.rrset(cut, TYPE.DNAME) >= 0) return -1;
    if (this.#exact) return closest;
    // RFC 4592 §3.3.1; below a cut there are no wildcards.
    return cut < 0 && this.#ceded[closest] === 0 ? this.#tree.wild(closest) : -1;
  }

  #nameOf({ fullAt, fullLength }: Template): string {
    const { bytes } = this.#tree.records;
    const name = Buffer.from(bytes.subarray(fullAt, fullAt + fullLength));
    return name.toString('latin1').toLowerCase();
  }
}
