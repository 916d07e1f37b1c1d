/** Who may copy which zone (`Zone.transfer.allow`), in a form that is ready to be asked. */
import type { Config, ZoneTransfer } from '../../model/config.ts';
import {
  type Address,
  type Prefix,
  parsePrefix,
  prefixContains,
  unmapAddress,
} from '../../net/ip.ts';
import type { TsigSecret } from './signing.ts';

/** What transfers depend on beside the zones, as part of a Snapshot. */
export interface Transfers {
  readonly keys: readonly TsigSecret[];
  /** Parallel to Config.zones. */
  readonly zones: readonly { readonly origin: string; readonly transfer: ZoneTransfer | null }[];
  /** Index of the region whose answers are frozen in for health-aware names. */
  readonly region: number;
  /** The memory of a SerialTable; null: no zone's serial rises but by its file. */
  readonly serials: SharedArrayBuffer | null;
}

export function makeTransfers(
  config: Config,
  keys: readonly TsigSecret[],
  serials: SharedArrayBuffer | null,
): Transfers {
  return {
    keys,
    zones: config.zones.map(({ origin, transfer }) => ({ origin, transfer })),
    region: config.geo.default_region,
    serials,
  };
}

interface Rule {
  readonly prefix: Prefix | null;
  readonly key: string | null;
}

export class Access {
  readonly #rules: readonly Rule[];

  constructor(transfer: ZoneTransfer | null) {
    this.#rules = (transfer?.allow ?? []).map(({ prefix, key }) => {
      if (prefix === null) return { prefix: null, key };
      const parsed = parsePrefix(prefix);
      if (!parsed) throw new RangeError(`"${prefix}" is no prefix`);
      return { prefix: unmapPrefix(parsed), key };
    });
  }

  /** `key`: the name of the key that the request is rightly signed with; null: it is not signed. */
  allows(client: Address, key: string | null): boolean {
    const address = unmapAddress(client);
    return this.#rules.some(
      (rule) =>
        (rule.prefix === null || prefixContains(rule.prefix, address)) &&
        (rule.key === null || rule.key === key),
    );
  }
}

/** As clients are compared: their IPv4-mapped addresses as IPv4. */
function unmapPrefix({ address, length }: Prefix): Prefix {
  const unmapped = unmapAddress(address);
  if (unmapped.length === address.length || length < 96) return { address, length };
  return { address: unmapped, length: length - 96 };
}
