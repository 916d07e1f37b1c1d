/**
 * What a site tells about itself, whom it believes and how much it answers: all that a response
 * depends on beside zones and health. Part of the Snapshot, so a change of it is a new snapshot.
 */
import type { DnsListen, RateLimit } from '../model/config.ts';

export interface ResponsePolicy {
  /** Of NSID, id.server and hostname.bind; null: not told. */
  readonly identity: string | null;
  /** Of version.bind and version.server; null: not told. */
  readonly version: string | null;
  /** How long an idle connection is kept (RFC 7828). */
  readonly tcp_idle_ms: number;
  /** 16 octets each, at least one: the first makes cookies, all are accepted (RFC 9018 §5). */
  readonly cookie_secrets: readonly Uint8Array[];
  /** Over UDP a client cookie without a good server cookie is answered BADCOOKIE. */
  readonly cookies_required: boolean;
  /** With the table that all threads share (rate-limit.ts); null: no limit. */
  readonly rate_limit: (RateLimit & { readonly table: SharedArrayBuffer }) | null;
}

/** `table` is the server's one table, which outlives policies. */
export function responsePolicy(
  { identity, version, tcp_idle_ms, cookies, rate_limit }: DnsListen,
  cookie_secrets: readonly Uint8Array[],
  table: SharedArrayBuffer,
): ResponsePolicy {
  return {
    identity,
    version,
    tcp_idle_ms,
    cookie_secrets,
    cookies_required: cookies.required,
    rate_limit: rate_limit && { ...rate_limit, table },
  };
}
