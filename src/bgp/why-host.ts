/** What is wrong on this host or on the link, before a segment gets to the neighbour. Pure. */
import { MISSING_ADDRESS } from '../net/listen-error.ts';
import { LIBC_MISSING } from './dial.ts';
import type { Finding, WhyCase } from './why.ts';

export function hostFindings(asked: WhyCase): Finding[] {
  return [settingsFinding, linkFinding, routeFinding, hopsFinding, answerFinding].flatMap(
    (rule) => rule(asked) ?? [],
  );
}

const certain = (code: string, text: string): Finding => ({ code, certainty: 'certain', text });

/** What we are told to do and cannot. */
function settingsFinding({ status, settings }: WhyCase): Finding | null {
  const failure = status.last_failure ?? '';
  if (settings.key_missing) {
    const files = [settings.md5_key_file, settings.bfd?.auth?.key_file]
      .filter(Boolean)
      .join(' or ');
    const text = `the key in ${files} could not be read, and there is no session without it`;
    return certain('key-missing', `${text}: mend the file and reload`);
  }
  if (failure.includes(LIBC_MISSING)) {
    return certain('koffi-missing', `${failure}: install it, or do without that option`);
  }
  if (settings.source !== null && failure.includes(MISSING_ADDRESS)) {
    const text = `this machine does not have the source address ${settings.source}: set it up`;
    return certain('source-missing', `${text}, or mend the neighbour's source`);
  }
  if (settings.passive && !settings.listening) {
    const text = 'the neighbour is passive and nothing listens here: set bgp.listen';
    return certain('not-listening', `${text}, or let us dial it`);
  }
  return null;
}

function linkFinding({ evidence: { link } }: WhyCase): Finding | null {
  if (!link) return null;
  const { device, state } = link;
  if (state === 'missing') {
    return certain('interface-missing', `this machine has no interface ${device}: mend its name`);
  }
  if (state === 'down') {
    const text = `the interface ${device} is down: ip link set dev ${device} up`;
    return certain('interface-down', text);
  }
  if (state === 'up') return null;
  return certain('no-carrier', `the interface ${device} has no carrier: look at cable and switch`);
}

function routeFinding({ evidence: { route }, settings }: WhyCase): Finding | null {
  if (route?.kind === 'own') {
    const text = `${settings.address} is an address of this machine itself`;
    return certain('own-address', `${text}: mend the neighbour's address`);
  }
  if (route?.kind !== 'none') return null;
  const over = settings.interface === null ? '' : ` over ${settings.interface}`;
  const text = `no route to ${settings.address}${over}: ${route.text}`;
  return certain('no-route', `${text}; add a route, or mend the neighbour's address`);
}

/** A neighbour that must be on the same link and is behind a router. */
function hopsFinding({ evidence: { route }, settings }: WhyCase): Finding | null {
  if (route?.kind !== 'route' || route.gateway === null) return null;
  const hops = settings.ttl_security ?? settings.ttl;
  if (hops !== 1) return null;
  const [key, ours] =
    settings.ttl_security === null
      ? ['multihop', 'a TTL of 1']
      : ['ttl_security', 'ttl_security: 1'];
  const text = `${settings.address} is behind the router ${route.gateway}, and ${ours} reaches`;
  return certain('too-few-hops', `${text} only the same link: count the hops and set ${key}`);
}

function answerFinding({ evidence: { next_hop, link } }: WhyCase): Finding | null {
  if (!next_hop || !['FAILED', 'INCOMPLETE'].includes(next_hop.state)) return null;
  const protocol = next_hop.address.includes(':') ? 'neighbour discovery' : 'ARP';
  const on = link === null ? '' : ` on ${link.device}`;
  const text = `${next_hop.address} does not answer ${protocol}${on}`;
  return certain('no-arp', `${text}: it is off, in another VLAN, or has another address`);
}
