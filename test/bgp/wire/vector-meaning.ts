/**
 * What a vector says that its message means, and what our decoder read, both as sorted facts:
 * "announce 10.0.0.7/32 via 192.0.2.1", "med 100", "community 65000:80", …
 */
import { asPathText } from '../../../src/bgp/wire/as-path.ts';
import type { Message } from '../../../src/bgp/wire/message.ts';
import type { Nlri } from '../../../src/bgp/wire/nlri.ts';
import { endOfRib, routeChanges, type Update } from '../../../src/bgp/wire/update.ts';
import { formatAddress, formatPrefix } from '../../../src/net/ip.ts';

interface VectorRoute {
  readonly nlri: string;
  readonly 'path-information'?: string;
}

/** As ExaBGP's API prints a message. */
export interface VectorUpdate {
  readonly attribute?: {
    readonly origin?: string;
    readonly med?: number;
    readonly 'local-preference'?: number;
    readonly 'as-path'?: Record<string, { readonly value: readonly number[] }>;
    readonly community?: readonly (readonly number[])[];
    readonly 'large-community'?: readonly (readonly number[])[];
    readonly 'extended-community'?: readonly { readonly value: number }[];
  };
  readonly announce?: Record<string, Record<string, readonly VectorRoute[]>>;
  readonly withdraw?: Record<string, readonly VectorRoute[]>;
}

const ORIGINS = ['igp', 'egp', 'incomplete'];

const pathText = (path: string | undefined): string => (path === undefined ? '' : ` path ${path}`);

function nlriText(prefix: Nlri): string {
  const { path_id } = prefix;
  if (path_id === undefined) return formatPrefix(prefix);
  const octets = [24, 16, 8, 0].map((shift) => (path_id >>> shift) & 0xff);
  return `${formatPrefix(prefix)}${pathText(octets.join('.'))}`;
}

/** What we read. */
export function factsOf(message: Message): string[] {
  if (message.type !== 'update') return [];
  const { update } = message;
  const end = endOfRib(update);
  if (end !== null) return [`eor ipv${end} unicast`];
  const { announced, withdrawn, as_path } = routeChanges(update, null);
  return [
    ...announced.map((it) => `announce ${nlriText(it.prefix)} via ${formatAddress(it.next_hop)}`),
    ...withdrawn.map((it) => `withdraw ${nlriText(it)}`),
    ...attributeFacts(update),
    ...(as_path.length > 0 ? [`as-path ${asPathText(as_path)}`] : []),
  ].sort();
}

function attributeFacts({ attributes }: Update): string[] {
  const { origin, med, local_pref, aggregator } = attributes;
  const extended = Buffer.from(attributes.extended_communities ?? []);
  const facts: string[] = [];
  if (origin !== undefined) facts.push(`origin ${ORIGINS[origin]}`);
  if (med !== undefined) facts.push(`med ${med}`);
  if (local_pref !== undefined) facts.push(`local-preference ${local_pref}`);
  if (attributes.atomic_aggregate) facts.push('atomic-aggregate');
  if (aggregator) facts.push(`aggregator ${aggregator.as}:${formatAddress(aggregator.address)}`);
  for (const one of attributes.communities ?? []) {
    facts.push(`community ${one >>> 16}:${one & 0xffff}`);
  }
  for (const one of attributes.large_communities ?? []) {
    facts.push(`large-community ${one.join(':')}`);
  }
  for (let at = 0; at < extended.length; at += 8) {
    facts.push(`extended-community ${Number(extended.readBigUInt64BE(at))}`);
  }
  return facts;
}

/** What the suite's JSON says. */
export function factsOfJson({
  attribute = {},
  announce = {},
  withdraw = {},
}: VectorUpdate): string[] {
  const facts: string[] = [];
  for (const hops of Object.values(announce)) {
    for (const [hop, routes] of Object.entries(hops)) {
      for (const { nlri, 'path-information': path } of routes) {
        facts.push(`announce ${nlri}${pathText(path)} via ${hop}`);
      }
    }
  }
  for (const { nlri, 'path-information': path } of Object.values(withdraw).flat()) {
    facts.push(`withdraw ${nlri}${pathText(path)}`);
  }
  for (const name of ['origin', 'med', 'local-preference'] as const) {
    if (attribute[name] !== undefined) facts.push(`${name} ${attribute[name]}`);
  }
  for (const { value } of Object.values(attribute['as-path'] ?? {})) {
    facts.push(`as-path ${value.join(' ')}`);
  }
  for (const name of ['community', 'large-community'] as const) {
    for (const parts of attribute[name] ?? []) facts.push(`${name} ${parts.join(':')}`);
  }
  for (const { value } of attribute['extended-community'] ?? []) {
    facts.push(`extended-community ${value}`);
  }
  return facts.sort();
}

/** What the command says that made the message, of one route; null for one that we do not read. */
export function factsOfCommand(command: string): string[] | null {
  const end = /^announce eor (ipv[46] unicast)$/.exec(command);
  if (end) return [`eor ${end[1]}`];
  const verb = /^(announce|withdraw) (?:route|ipv6 unicast) (\S+)(?: next-hop (\S+))?/.exec(
    command,
  );
  if (!verb || command.includes('extended-community')) return null;
  const facts = [`${verb[1]} ${verb[2]}${verb[3] ? ` via ${verb[3]}` : ''}`];
  for (const name of ['origin', 'med', 'local-preference', 'aggregator']) {
    const value = new RegExp(` ${name} (\\S+)`).exec(command);
    if (value) facts.push(`${name} ${value[1]}`);
  }
  if (command.includes(' atomic-aggregate')) facts.push('atomic-aggregate');
  const path = / as-path \[([^\]]*)\]/.exec(command);
  if (path) facts.push(`as-path ${path[1]}`);
  const communities = / community \[([^\]]*)\]/.exec(command)?.[1] ?? '';
  for (const one of communities.split(' ').filter(Boolean)) facts.push(`community ${one}`);
  return facts.sort();
}
