/**
 * Adj-RIB-In of one peer: which prefixes it has told us, how many, and the few routes that the policy
 * keeps to be shown. Nothing in here decides what we announce.
 *
 * What must always hold: every prefix (with add-path, every path) that the peer has announced and not
 * withdrawn is counted exactly once, kept or not; nothing grows beyond `prefixes_max` prefixes.
 */
import type { BgpRole, ReceivePolicy } from '../model/bgp.ts';
import {
  type Address,
  formatAddress,
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
} from '../net/ip.ts';
import { PrefixSet } from './prefix-set.ts';
import { communityTexts } from './route.ts';
import { type AsPath, asPathText } from './wire/as-path.ts';
import type { Attributes } from './wire/attributes.ts';
import type { Nlri } from './wire/nlri.ts';
import { hasLeaked } from './wire/role.ts';
import type { RouteChanges, Update } from './wire/update.ts';

/** What the session says about the routes that come in it. */
export interface InSession {
  readonly local_as: number;
  /** Our BGP identifier. */
  readonly router_id: number;
  readonly peer_as: number;
  /** Our role towards the peer (RFC 9234); null: none. */
  readonly role: BgpRole | null;
}

export interface ReceivedRoute {
  readonly prefix: string;
  /** RFC 7911; null where the peer sends one path for a prefix. */
  readonly path_id: number | null;
  readonly next_hop: string;
  readonly as_path: string;
  readonly med: number | null;
  readonly local_pref: number | null;
  readonly communities: readonly string[];
  /** From before the peer restarted, and not renewed yet (RFC 4724 §4.2). */
  readonly stale: boolean;
}

/** Prefixes that the peer has told us now. The last four, with `kept`, add up to the first two. */
export interface InCounts {
  readonly ipv4: number;
  readonly ipv6: number;
  readonly stale: number;
  readonly kept: number;
  /** Outside of what the policy accepts. */
  readonly filtered: number;
  /** Our own, with our AS in the path or our identifier as originator. */
  readonly looped: number;
  /** Route leaks by their Only to Customer attribute (RFC 9234 §5). */
  readonly leaked: number;
}

/** What all routes of one UPDATE have in common; one object for all of them. */
type Common = Pick<ReceivedRoute, 'next_hop' | 'as_path' | 'med' | 'local_pref' | 'communities'>;

/** The note on a prefix: what became of it, its family, and whether it is stale. */
const VERDICT = { kept: 1, filtered: 2, looped: 3, leaked: 4 } as const;
const VERDICT_BITS = 0x07;
const IPV6 = 0x08;
const STALE = 0x10;
const NOTES = 0x20;

const noteOf = (verdict: number, { address }: Prefix): number =>
  verdict | (address.length === 16 ? IPV6 : 0);
const isFamily = (note: number, family: 4 | 6): boolean =>
  note !== 0 && ((note & IPV6) !== 0) === (family === 6);
/**
 * The key of a route that is kept, an octet in each character: octets of an address, length of the
 * prefix and as many octets as it fills, and with add-path four of the path. Half the size of text.
 */
function keyOf({ address, length, path_id }: Nlri): string {
  const octets = address.subarray(0, (length + 7) >> 3);
  if (path_id === undefined) return String.fromCharCode(address.length, length, ...octets);
  const path = [path_id >>> 24, (path_id >>> 16) & 0xff, (path_id >>> 8) & 0xff, path_id & 0xff];
  return String.fromCharCode(address.length, length, ...octets, ...path);
}

function nlriOf(key: string): Nlri {
  const bytes = Buffer.from(key, 'latin1');
  const [octets = 0, length = 0] = bytes;
  const end = 2 + ((length + 7) >> 3);
  const address = new Uint8Array(octets);
  address.set(bytes.subarray(2, end));
  return bytes.length > end
    ? { address, length, path_id: bytes.readUInt32BE(end) }
    : { address, length };
}

export class AdjRibIn {
  readonly #prefixes: PrefixSet;
  /** Prefixes by note. */
  readonly #counts = new Uint32Array(NOTES);
  /** By the key of the route; 100,000 of them must not be felt, so there is nothing else of each. */
  readonly #kept = new Map<string, Common>();
  #accept: readonly Prefix[] = [];
  #prefixes_max = 0;
  #session: InSession = { local_as: 0, router_id: 0, peer_as: 0, role: null };
  /** The prefixes that are looked out for, with the identifiers of the paths that there are. */
  #watched = new Map<string, { readonly prefix: Prefix; readonly paths: Set<number> }>();
  readonly #watchedSet: PrefixSet;

  /** `seed`: 32 bits, random. */
  constructor(policy: ReceivePolicy, seed: number) {
    this.#prefixes = new PrefixSet(seed);
    this.#watchedSet = new PrefixSet(seed);
    this.#policy(policy);
  }

  /** Prefixes of both families. */
  get size(): number {
    return this.#prefixes.size;
  }

  /** More prefixes than the policy allows: the session must end. Further ones are not counted. */
  get overLimit(): boolean {
    return this.#prefixes.size > this.#prefixes_max;
  }

  /** A session is established. What is left of the one before stays until `sweep` or `clear`. */
  open(session: InSession): void {
    this.#session = session;
  }

  /**
   * A new policy. Routes that it does not accept any more are dropped; true: it may accept some that
   * were not kept, so that the peer is to be asked for a refresh.
   */
  policy(policy: ReceivePolicy): boolean {
    const before = new Set(this.#accept.map(formatPrefix));
    this.#policy(policy);
    for (const key of this.#kept.keys()) {
      const nlri = nlriOf(key);
      if (this.#accepts(nlri)) continue;
      this.#kept.delete(key);
      this.#note(nlri, VERDICT.filtered);
    }
    return this.#accept.some((prefix) => !before.has(formatPrefix(prefix)));
  }

  #policy({ accept, prefixes_max }: ReceivePolicy): void {
    this.#accept = accept.map(parsePrefix).filter((prefix) => prefix !== null);
    this.#prefixes_max = prefixes_max;
  }

  /** One UPDATE; `changes` is what it asks for. */
  routes({ withdrawn, announced, as_path }: RouteChanges, { attributes }: Update): void {
    for (const nlri of withdrawn) this.#remove(nlri);
    const general = this.#verdict(as_path, attributes);
    let common: Common | null = null;
    for (const { prefix: nlri, next_hop } of announced) {
      if (this.overLimit) return;
      const verdict = general ?? (this.#accepts(nlri) ? VERDICT.kept : VERDICT.filtered);
      const before = this.#note(nlri, verdict);
      this.#see(nlri, true);
      if (verdict === VERDICT.kept) {
        common ??= commonOf(next_hop, as_path, attributes);
        this.#kept.set(keyOf(nlri), common);
      } else if ((before & VERDICT_BITS) === VERDICT.kept) {
        this.#kept.delete(keyOf(nlri));
      }
    }
  }

  /** Why no route of an UPDATE is kept, whatever its prefix; null: there is no such reason. */
  #verdict(as_path: AsPath, { otc, originator_id }: Attributes): number | null {
    const { local_as, router_id, peer_as, role } = this.#session;
    // RFC 4271 §9.1.2.
    if (as_path.some(({ as }) => as.includes(local_as))) return VERDICT.looped;
    // RFC 4456 §8: a reflector sends our own route back.
    if (originator_id === router_id) return VERDICT.looped;
    // RFC 9234 §3: within one AS nobody has a role.
    if (peer_as === local_as) return null;
    return hasLeaked(role, peer_as, otc) ? VERDICT.leaked : null;
  }

  /** Marks all routes of a family: those not announced again until `sweep` are gone. */
  stale(family: 4 | 6): void {
    this.#rewrite((note) => (isFamily(note, family) ? note | STALE : note));
  }

  /** Drops what is still marked (RFC 4724 §4.2 at End-of-RIB, RFC 7313 §4 at EoRR). */
  sweep(family: 4 | 6): void {
    this.#rewrite((note) => (isFamily(note, family) && note & STALE ? 0 : note));
    for (const key of this.#kept.keys()) {
      if (this.#prefixes.get(nlriOf(key)) === 0) this.#kept.delete(key);
    }
    for (const { prefix, paths } of this.#watched.values()) {
      for (const path_id of paths) {
        if (this.#prefixes.get({ ...prefix, path_id }) === 0) paths.delete(path_id);
      }
    }
  }

  /** The session is gone, and all that came in it. */
  clear(): void {
    this.#prefixes.clear();
    this.#counts.fill(0);
    this.#kept.clear();
    for (const { paths } of this.#watched.values()) paths.clear();
  }

  counts(): InCounts {
    const sum = (matches: (note: number) => boolean): number =>
      this.#counts.reduce((total, count, note) => total + (matches(note) ? count : 0), 0);
    const of = (verdict: number): number => sum((note) => (note & VERDICT_BITS) === verdict);
    return {
      ipv4: sum((note) => isFamily(note, 4)),
      ipv6: sum((note) => isFamily(note, 6)),
      stale: sum((note) => (note & STALE) !== 0),
      kept: of(VERDICT.kept),
      filtered: of(VERDICT.filtered),
      looped: of(VERDICT.looped),
      leaked: of(VERDICT.leaked),
    };
  }

  /** The routes that are kept. */
  shown(): ReceivedRoute[] {
    return [...this.#kept].map(([key, common]) => {
      const nlri = nlriOf(key);
      const { path_id = null } = nlri;
      const stale = (this.#prefixes.get(nlri) & STALE) !== 0;
      return { prefix: formatPrefix(nlri), path_id, ...common, stale };
    });
  }

  /**
   * Looks out for these prefixes, by their canonical text. With add-path, paths to a prefix that is new
   * here and that came before are not found until they are announced again.
   */
  watch(prefixes: ReadonlyMap<string, Prefix>): void {
    const before = this.#watched;
    this.#watched = new Map();
    this.#watchedSet.clear();
    for (const [key, prefix] of prefixes) {
      const there = this.#prefixes.get(prefix) !== 0 ? [0] : [];
      this.#watched.set(key, before.get(key) ?? { prefix, paths: new Set(there) });
      this.#watchedSet.set(prefix, 1);
    }
  }

  /** True if the peer has a path to a prefix that is watched. */
  sees(key: string): boolean {
    return (this.#watched.get(key)?.paths.size ?? 0) > 0;
  }

  #accepts({ address, length }: Prefix): boolean {
    return this.#accept.some((one) => one.length <= length && prefixContains(one, address));
  }

  /** Gives the note before. */
  #note(nlri: Nlri, verdict: number): number {
    const note = noteOf(verdict, nlri);
    const before = this.#prefixes.set(nlri, note);
    if (before !== 0) this.#counts[before]!--;
    this.#counts[note]!++;
    return before;
  }

  #remove(nlri: Nlri): void {
    const before = this.#prefixes.delete(nlri);
    if (before === 0) return;
    this.#counts[before]!--;
    if ((before & VERDICT_BITS) === VERDICT.kept) {
      this.#kept.delete(keyOf(nlri));
    }
    this.#see(nlri, false);
  }

  /** Notes that a path to a prefix has come or gone, if the prefix is watched. */
  #see({ address, length, path_id = 0 }: Nlri, there: boolean): void {
    if (this.#watched.size === 0 || this.#watchedSet.get({ address, length }) === 0) return;
    const paths = this.#watched.get(formatPrefix({ address, length }))?.paths;
    if (there) paths?.add(path_id);
    else paths?.delete(path_id);
  }

  #rewrite(change: (note: number) => number): void {
    this.#counts.fill(0);
    this.#prefixes.rewrite((note) => {
      const after = change(note);
      if (after !== 0) this.#counts[after]!++;
      return after;
    });
  }
}

function commonOf(next_hop: Address, as_path: AsPath, attributes: Attributes): Common {
  return {
    next_hop: formatAddress(next_hop),
    as_path: asPathText(as_path),
    med: attributes.med ?? null,
    local_pref: attributes.local_pref ?? null,
    communities: communityTexts(attributes),
  };
}
