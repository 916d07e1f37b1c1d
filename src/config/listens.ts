/**
 * Every address that a site's daemon listens on by TCP: two of them may not be the same, nor one
 * hold the other. (DNS listens on its addresses by UDP as well, which nothing else does.)
 */
import type { HostPort } from '../net/ip.ts';
import type { Path } from './document.ts';
import type { SiteFile } from './schema-site.ts';

export interface Listen {
  readonly path: Path;
  readonly listen: HostPort;
}

export function listensOf({ dns, api, bgp }: SiteFile): Listen[] {
  const list = (path: Path, listens: readonly HostPort[]): Listen[] =>
    listens.map((listen, i) => ({ path: [...path, i], listen }));
  return [
    ...list(['dns', 'listen'], dns.listen),
    ...list(['dns', 'tls', 'listen'], dns.tls?.listen ?? []),
    ...list(['dns', 'tls', 'https_listen'], dns.tls?.https_listen ?? []),
    { path: ['api', 'listen'], listen: api.listen },
    ...bgpListens(bgp?.listen),
  ];
}

/** One address may be written without a list. */
function bgpListens(listen: NonNullable<SiteFile['bgp']>['listen']): Listen[] {
  const path = ['bgp', 'listen'];
  if (!listen) return [];
  if ('address' in listen) return [{ path, listen }];
  return listen.map((each, i) => ({ path: [...path, i], listen: each }));
}

/** True if `a` is the wildcard address that also takes what is sent to `b`. */
export function holds(a: HostPort, b: HostPort): boolean {
  const wildcard = b.address.includes(':') ? '::' : '0.0.0.0';
  return a.address === wildcard && a.port === b.port && b.address !== wildcard;
}
