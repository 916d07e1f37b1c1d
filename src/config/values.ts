/**
 * The kinds of value that configuration keys take: text in one notation each, parsed into what the
 * model holds. A message says what was found and what to write instead. Each kind also carries the
 * name under which docs/configuration.md and the JSON Schema know it (`format`).
 */
import { z } from 'zod';
import { communityText, parseCommunity, WELL_KNOWN_COMMUNITIES } from '../bgp/wire/community.ts';
import { parseName } from '../dns/wire/name.ts';
import { canonicalAddress, formatPrefix, parseHostPort, parsePrefix } from '../net/ip.ts';
import { nearest } from './nearest.ts';

/**
 * A text that `parse` understands; `wanted` completes "write …". What is not understood is quoted
 * as `quote` gives it.
 */
export function notation<T>(
  format: string,
  wanted: string | ((text: string) => string),
  parse: (text: string) => T | null,
  quote = shown,
) {
  const complaint = (input: unknown): string => {
    const advice = typeof wanted === 'string' ? wanted : wanted(String(input));
    return `${quote(input)} is not ${format}: write ${advice}`;
  };
  return z
    .string({ error: ({ input }) => complaint(input) })
    .transform((text, context): T => {
      const value = parse(text);
      if (value !== null) return value;
      context.issues.push({ code: 'custom', message: complaint(text), input: text });
      return z.NEVER;
    })
    .meta({ format });
}

const SHOWN_MAX = 60;

/** A value as a message quotes it. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return 'an empty value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return `"${value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX)}…` : value}"`;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of "500ms", "1.5s", "2m", "1h"; null for anything else. */
export function parseDuration(text: string): number | null {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h)$/.exec(text);
  if (!match) return null;
  const ms = Number(match[1]) * UNITS[match[2]!]!;
  return Number.isInteger(Math.round(ms * 1000) / 1000) ? Math.round(ms) : null;
}

export function formatDuration(ms: number): string {
  if (ms > 0 && ms % 3_600_000 === 0) return `${ms / 3_600_000}h`;
  if (ms > 0 && ms % 60_000 === 0) return `${ms / 60_000}m`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** A duration within [min_ms, max_ms]; the value is in milliseconds. */
export function duration(min_ms: number, max_ms: number) {
  const range = `${formatDuration(min_ms)} to ${formatDuration(max_ms)}`;
  const example = 'a number and its unit, such as "500ms", "5s" or "1m"';
  return notation('a duration', `${example}, from ${range}`, (text) => {
    const ms = parseDuration(text);
    return ms !== null && ms >= min_ms && ms <= max_ms ? ms : null;
  });
}

export const integer = (min: number, max: number) => z.int().min(min).max(max);
export const port = () => integer(1, 65_535);

/** Neither unspecified, multicast or broadcast, nor IPv4 in the dress of IPv6 (RFC 4291 §2.5.5.2). */
const NOT_UNICAST = /^(0|22[4-9]|23[0-9]|24[0-9]|25[0-5])\.|^::$|^ff|^::ffff:/;

/** The canonical text of a unicast address; null for any other text. */
function unicast(text: string): string | null {
  const address = canonicalAddress(text);
  return address !== null && !NOT_UNICAST.test(address) ? address : null;
}

export const address = () =>
  notation('a unicast IP address', 'one like 192.0.2.1 or 2001:db8::1', unicast);

export const address4 = () =>
  notation('a unicast IPv4 address', 'one like 192.0.2.1', (text) =>
    text.includes(':') ? null : unicast(text),
  );

export const address6 = () =>
  notation('a unicast IPv6 address', 'one like 2001:db8::1', (text) =>
    text.includes(':') ? unicast(text) : null,
  );

export const prefix = () =>
  notation(
    'a prefix',
    'one like 192.0.2.0/24 or 2001:db8::/32, with no bit set beyond the length',
    (text) => {
      const parsed = parsePrefix(text);
      return parsed && formatPrefix(parsed);
    },
  );

/** IPv6 clients are told apart by their /64: longer prefixes are hosts of one network. */
const CLIENT_BITS6 = 64;

export const clientPrefix = () =>
  notation(
    'a client prefix',
    'one like 192.0.2.0/24 or 2001:db8::/32 (IPv6: /64 at most), with no bit set beyond the length',
    (text) => {
      const parsed = parsePrefix(text);
      const fits = parsed?.address.length === 4 || (parsed?.length ?? 129) <= CLIENT_BITS6;
      return parsed && fits ? formatPrefix(parsed) : null;
    },
  );

const DNS_PORT = 53;

/** Where another DNS server listens: a port only if it is not 53. */
export const dnsPeer = () =>
  notation(
    'an address, with or without a port',
    'one like 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or "[2001:db8::1]:5353"',
    (text) => {
      const alone = canonicalAddress(text);
      const parsed = alone ? { address: alone, port: DNS_PORT } : parseHostPort(text);
      return parsed && parsed.port > 0 && unicast(parsed.address) ? parsed : null;
    },
  );

/** A socket address to listen on; port 0 would be another port after every start. */
export const listenAddress = () =>
  notation('an address and port', 'one like 192.0.2.1:53 or "[2001:db8::1]:53"', (text) => {
    const parsed = parseHostPort(text);
    return parsed && parsed.port > 0 ? parsed : null;
  });

/** A short name of the operator's choosing: deployment, site, load balancer, check, VIP, region. */
export const label = () =>
  notation(
    'a name',
    'lower-case letters, digits and inner hyphens, a letter first, 63 at most',
    (text) => (/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text) ? text : null),
  );

/** The value of a label; its key is a `label`. */
export const labelValue = () =>
  notation(
    'a value of a label',
    'letters, digits, dots, hyphens and underscores, 63 at most',
    (text) => (/^[A-Za-z0-9._-]{1,63}$/.test(text) ? text : null),
  );

export const HOST =
  /^(?=.{1,253}\.?$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/** A domain name of host-like labels, lower-cased, without the trailing dot. */
export const domainName = () =>
  notation('a domain name', 'a full name like www.example.com', (text) =>
    HOST.test(text) ? text.toLowerCase().replace(/\.$/, '') : null,
  );

/** The name of a key (RFC 8945 §4.2), written in one way only, as it is a key of a mapping, too. */
export const keyName = () =>
  notation(
    'a key name',
    'a lower-case domain name without the final dot, like fra-ns2 or transfer.example.com',
    (text) => (HOST.test(text) && text === text.toLowerCase() && !text.endsWith('.') ? text : null),
  );

/** A name inside a zone, lower-cased: "@", relative, or absolute with its trailing dot. */
export const ownerName = () =>
  notation(
    'a name in the zone',
    'one like www (relative to the zone), @ for the zone itself, or www.example.com.',
    (text) => {
      if (text === '@') return text;
      return HOST.test(text) && parseName(text).ok ? text.toLowerCase() : null;
    },
  );

/** An AS number that a speaker may have (RFC 7607, RFC 6793 §9, RFC 7300). */
export const asNumber = () =>
  integer(1, 4_294_967_294).refine((as) => as !== 23_456 && as !== 65_535, {
    error: 'AS 23456 and 65535 are reserved: write your own AS number',
  });

export const routerId = () =>
  notation('a router id', 'four octets like 10.0.0.1, not 0.0.0.0', (text) =>
    text.includes(':') || text === '0.0.0.0' ? null : canonicalAddress(text),
  );

/** What to write instead of a text that was probably meant as a community. */
function communityAdvice(text: string): string {
  if (/^\d+:\d+$/.test(text)) {
    return 'two numbers up to 65535; a larger AS needs three (RFC 8092), such as 70000:1:2';
  }
  const known = Object.keys(WELL_KNOWN_COMMUNITIES);
  const name = /^[a-z]/i.test(text) ? nearest(text, known) : null;
  const forms = 'one like 65000:80, 65000:1:2 or target:65000:1, or a name such as';
  return `${forms} ${name ?? 'no-export'}`;
}

/** Of any kind (RFC 1997, RFC 4360, RFC 8092), in its canonical text. */
export const community = () =>
  notation('a community', communityAdvice, (text) => {
    const parsed = parseCommunity(text);
    return parsed.ok ? communityText(parsed.value) : null;
  });

/** What Linux takes as the name of an interface. */
export const interfaceName = () =>
  notation('the name of an interface', 'one like eth0, 15 characters at most', (text) =>
    /^(?!\.{1,2}$)[^\s/:]{1,15}$/.test(text) ? text : null,
  );

const SIZES: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9 };

/** In the largest unit that is not above it. */
export function formatSize(bytes: number): string {
  const [unit, size] = Object.entries(SIZES).findLast(([, each]) => bytes >= each) ?? ['kB', 1e3];
  return `${bytes / size}${unit}`;
}

/** A number of bytes within [min, max], in decimal units. */
export function byteSize(min: number, max: number) {
  const range = `from ${formatSize(min)} to ${formatSize(max)}`;
  return notation('a size', `a whole number and its unit, such as "64MB", ${range}`, (text) => {
    const match = /^([0-9]{1,9})(kB|MB|GB)$/.exec(text);
    const bytes = match ? Number(match[1]) * SIZES[match[2]!]! : Number.NaN;
    return bytes >= min && bytes <= max ? bytes : null;
  });
}

export const spillPort = () =>
  notation('a protocol and port', 'one like tcp/443 or udp/53', (text) => {
    const match = /^(tcp|udp)\/([1-9][0-9]{0,4})$/.exec(text);
    if (!match || Number(match[2]) > 65_535) return null;
    return { protocol: match[1] as 'tcp' | 'udp', port: Number(match[2]) };
  });

/** A URL with one of the schemes, or null. Passwords are refused: configuration lies in Git. */
function parseUrl(text: string, schemes: readonly string[]): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !schemes.includes(url.protocol.slice(0, -1)) || url.hostname === '') return null;
  return url.username === '' && url.password === '' ? url : null;
}

/** Problems are logged: without what may be a secret, the user part and the query. */
const shownUrl = (value: unknown): string =>
  shown(typeof value === 'string' ? value.replace(/[^/]*@/g, '…@').replace(/\?.*/s, '?…') : value);

export const httpUrl = () =>
  notation(
    'a URL',
    'one like http://192.0.2.1:8090/path, without user or password',
    (text) => (parseUrl(text, ['http', 'https']) ? text : null),
    shownUrl,
  );

/** The query is refused as well: Redis clients take a password from it. */
export const redisUrl = () =>
  notation(
    'a Redis URL',
    'one like redis://192.0.2.1:6379, without user, password or query (see username, password_file)',
    (text) => {
      const url = parseUrl(text, ['redis', 'rediss']);
      // The path, if any, is the number of a database.
      const sound = url?.search === '' && url.hash === '' && /^(\/[0-9]{0,4})?$/.test(url.pathname);
      return sound ? text : null;
    },
    shownUrl,
  );

/** What a certificate names: a host, or an address. */
export const tlsName = () =>
  notation('the name of a server', 'a name like redis.example.com, or an address', (text) =>
    /^[A-Za-z0-9._:-]{1,255}$/.test(text) ? text : null,
  );

/** Text that a TXT record of one string carries as it is (RFC 1035 §3.3.14). */
export const textString = () =>
  notation('a text', '1 to 255 printable ASCII characters', (text) =>
    /^[\x20-\x7e]{1,255}$/.test(text) ? text : null,
  );

/** A user name of a Redis ACL. */
export const userName = () =>
  notation('a user name', 'one without blanks, 128 characters at most', (text) =>
    /^[\x21-\x7e]{1,128}$/.test(text) ? text : null,
  );

/** An ISO 3166-1 code. */
export const country = () =>
  notation('a country', 'an ISO 3166-1 code such as DE', (text) =>
    /^[A-Z]{2}$/.test(text) ? text : null,
  );

export const filePath = () =>
  notation('a path', 'a path, relative to the directory of deployment.yaml or absolute', (text) =>
    text !== '' && text.length <= 4096 && !text.includes('\0') ? text : null,
  );

/** What an HTTP request line may hold as its target (RFC 9112 §3.2.1). */
export const httpPath = () =>
  notation('a path', 'one that begins with "/", such as /healthz', (text) =>
    /^\/[\x21-\x7e]{0,2047}$/.test(text) ? text : null,
  );

/** The path of a URI without query and fragment (RFC 3986 §3.3), which clients add themselves. */
export const uriPath = () =>
  notation('a path of a URL', 'one that begins with "/", such as /dns-query', (text) =>
    /^\/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,255}$/.test(text) ? text : null,
  );

export const httpHost = () =>
  notation('a host name', 'one like www.example.com or www.example.com:8080', (text) =>
    /^[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?$/.test(text) && Number(text.split(':')[1] ?? 0) <= 65_535
      ? text
      : null,
  );

/** Dotted path of a field in a JSON document. */
export const fieldPath = () =>
  notation('a field', 'keys joined by dots, such as load.requests', (text) =>
    /^[^.]{1,128}(\.[^.]{1,128}){0,15}$/.test(text) ? text : null,
  );
