/**
 * What our routes have as next hop in a session when nothing else is said: the site's, or else our own
 * address in it, with the link-local address beside it where RFC 2545 asks for that. Pure.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { BgpRole } from '../model/bgp.ts';
import {
  type Address,
  equalAddresses,
  isLinkLocal,
  maskAddress,
  parseAddress,
  unmapAddress,
} from '../net/ip.ts';
import type { OutSession } from './out-form.ts';
import { parseNextHop } from './route.ts';
import type { CodecContext } from './wire/attributes.ts';

/** What of a peer's settings and of what was agreed decides the attributes of our routes. */
export interface SessionParts {
  readonly settings: {
    readonly local_as: number;
    readonly role: BgpRole | null;
    readonly next_hop: string | null;
    readonly next_hop6: string | null;
  };
  readonly agreement: {
    readonly context: CodecContext;
    readonly ipv4: boolean;
    readonly ipv6: boolean;
  };
  /** The two ends of the connection as the socket says them. */
  readonly local: string | undefined;
  readonly remote: string | undefined;
}

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

export function outSession(parts: SessionParts, interfaces: Interfaces): OutSession {
  const { settings, agreement } = parts;
  const { context, ipv4, ipv6 } = agreement;
  const { local_as, role } = settings;
  const [local, remote] = [endOf(parts.local), endOf(parts.remote)];
  const own4 = local?.address.length === 4 ? local.address : null;
  const next_hop4 = parseNextHop(settings.next_hop, 4) ?? own4;
  const configured = parseNextHop(settings.next_hop6, 16);
  const next_hop6 = configured
    ? beside(configured, remote, interfaces)
    : local && ownNextHop(local, remote, interfaces);
  return { local_as, role, next_hop4, next_hop6, context, ipv4, ipv6 };
}

/** One end of a connection; `device` only if the address is link-local. */
interface End {
  readonly address: Address;
  readonly device: string | null;
}

function endOf(text = ''): End | null {
  const [plain = '', device = null] = text.split('%');
  const address = parseAddress(plain);
  return address && { address: unmapAddress(address), device };
}

/** Our own end of an IPv6 session; where that is link-local, a global address of the same interface. */
function ownNextHop(local: End, remote: End | null, interfaces: Interfaces): Uint8Array | null {
  if (local.address.length !== 16) return null;
  if (!isLinkLocal(local.address)) return beside(local.address, remote, interfaces);
  const global = addressesOf(interfaces, local.device ?? '').find(
    ({ address, bits }) => !isLinkLocal(address) && bits < 128, // one with 128 bits may be a VIP
  );
  return global ? Uint8Array.of(...global.address, ...local.address) : local.address;
}

/**
 * RFC 2545 §3: the link-local address goes along if and only if the next hop and the peer are on one
 * link. Only for an address of our own do we know which link-local one belongs to it.
 */
function beside(global: Address, remote: End | null, interfaces: Interfaces): Uint8Array {
  for (const device of Object.keys(interfaces)) {
    const addresses = addressesOf(interfaces, device);
    const own = addresses.find(({ address }) => equalAddresses(address, global));
    const link = addresses.find(({ address }) => isLinkLocal(address));
    if (!own || !link || !remote) continue;
    const shared =
      remote.device === device ||
      equalAddresses(maskAddress(global, own.bits), maskAddress(remote.address, own.bits));
    return shared ? Uint8Array.of(...global, ...link.address) : global;
  }
  return global;
}

/** IPv6 addresses of an interface with the length of their subnets. */
function addressesOf(
  interfaces: Interfaces,
  device: string,
): { readonly address: Address; readonly bits: number }[] {
  return (interfaces[device] ?? []).flatMap(({ address: text, cidr }) => {
    const address = parseAddress(text);
    return address?.length === 16 ? [{ address, bits: Number(cidr?.split('/')[1] ?? 128) }] : [];
  });
}
