/**
 * VIPs on a Linux interface, by `ip`. What we put is marked by its metric, a number that nobody else
 * uses: the kernel keeps it with the address for both families, so that a daemon after a restart knows
 * its own, and it changes nothing for a host's address. (A protocol number would be the better mark,
 * but iproute2 has it only since 6.3.)
 */
import type { Host } from '../net/host.ts';
import { canonicalAddress } from '../net/ip.ts';
import type { StandingAddress, VipDriver } from './vip-holder.ts';

/** Any number that nobody has by chance; the same in every version, so that each knows the others'. */
export const VIP_METRIC = 1_379_237;

/** As the kernel allows them; nothing that ends a line or a word of a batch. */
const INTERFACE = /^[^\s/:]{1,15}$/;

interface IpAddressInfo {
  readonly local?: string;
  readonly metric?: number;
  /** Duplicate address detection has not ended, or has found one: it answers to nobody. */
  readonly tentative?: boolean;
  readonly dadfailed?: boolean;
}

export class IpVipDriver implements VipDriver {
  readonly #host: Host;
  readonly #interface: string;

  /** Throws a RangeError for a name that no interface can have: config has checked it. */
  constructor(host: Host, interfaceName: string) {
    if (!INTERFACE.test(interfaceName)) throw new RangeError(`interface "${interfaceName}"`);
    this.#host = host;
    this.#interface = interfaceName;
  }

  async list(): Promise<readonly StandingAddress[]> {
    const args = ['-json', 'address', 'show', 'dev', this.#interface];
    const output = await this.#host.run('ip', args);
    const [link] = JSON.parse(output) as { readonly addr_info?: readonly IpAddressInfo[] }[];
    return (link?.addr_info ?? []).flatMap(({ local, metric, tentative, dadfailed }) => {
      const address = canonicalAddress(local ?? '');
      if (address === null || tentative || dadfailed) return [];
      return [{ address, ours: metric === VIP_METRIC }];
    });
  }

  /** One run for all: a thousand VIPs in some milliseconds; one that fails does not stop the others. */
  async change(add: readonly string[], remove: readonly string[]): Promise<void> {
    const lines = [
      ...add.map((address) => {
        // Other sites have the address, too: nobody may be asked whether it is taken.
        const nodad = address.includes(':') ? ' nodad' : '';
        return `address add ${host(address)} dev ${this.#interface} metric ${VIP_METRIC}${nodad}`;
      }),
      ...remove.map((address) => `address del ${host(address)} dev ${this.#interface}`),
    ];
    await this.#host.run('ip', ['-force', '-batch', '-'], `${lines.join('\n')}\n`);
  }
}

const host = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;
