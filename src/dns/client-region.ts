/**
 * The region class of the client that asks, found at most once for each query and only if something
 * in its answer depends on it.
 */
import { GeoMap, type GeoTables, regionOf, scopeOf } from '../geo/map.ts';
import type { Query } from './query.ts';

export class ClientRegion {
  /** Scope prefix length for a query with a client subnet (RFC 7871 §7.2.1). */
  scope = 0;
  readonly #query: Query;
  #geo!: GeoMap;
  #packet: Uint8Array = new Uint8Array(0);
  #client: Uint8Array = new Uint8Array(0);
  #clientAt = 0;
  #clientFamily: 4 | 6 = 4;
  /** -1: not looked up yet. */
  #region = -1;
  readonly #subnet = new Uint8Array(16);

  /** Before the first query comes `use`. */
  constructor(query: Query) {
    this.#query = query;
  }

  use(tables: GeoTables): void {
    this.#geo = new GeoMap(tables);
  }

  /** Takes the next query, in `packet`, from the client at `client[clientAt…]`. */
  begin(packet: Uint8Array, client: Uint8Array, clientAt: number, family: 4 | 6): void {
    this.scope = 0;
    this.#packet = packet;
    this.#client = client;
    this.#clientAt = clientAt;
    this.#clientFamily = family;
    this.#region = -1;
  }

  find(): number {
    if (this.#region < 0) this.#region = regionOf(this.#place());
    return this.#region;
  }

  /**
   * RFC 7871 §7.2.1: the client subnet decides where there is one, and the scope says for whom the
   * answer holds; §7.1.2: with source prefix 0 the client wants no such steering, so the address that
   * asks decides, as without the option.
   */
  #place(): number {
    const { subnetAt, subnetSource, subnetFamily } = this.#query;
    if (subnetAt < 0 || subnetSource === 0) {
      return this.#geo.lookup(this.#client, this.#clientAt, this.#clientFamily);
    }
    const octets = (subnetSource + 7) >> 3;
    const subnet = this.#subnet;
    for (let i = 0; i < 16; i++) subnet[i] = i < octets ? this.#packet[subnetAt + i]! : 0;
    const placed = this.#geo.lookup(subnet, 0, subnetFamily === 1 ? 4 : 6);
    this.scope = scopeOf(placed);
    return placed;
  }
}
