/**
 * What is asked of a load balancer to know whether it works: checks, the addresses that each is made
 * at, and how a health is put together from several.
 */

export interface CheckTiming {
  readonly name: string;
  /** From the start of one probe to the start of the next. */
  readonly interval_ms: number;
  /** The same while the target is down, or on its way there or back. */
  readonly interval_failing_ms: number;
  readonly timeout_ms: number;
  /** Successes in a row that bring a target up, at least 1. */
  readonly rise: number;
  /** Failures in a row that bring it down, at least 1. */
  readonly fall: number;
  /** Part of the interval by which each probe is moved at random, 0–0.5. */
  readonly jitter: number;
  /** Address that probes of IPv4 and IPv6 targets come from; null: the system's choice. */
  readonly source4: string | null;
  readonly source6: string | null;
}

/** What text must be in what a server sends; both, where both are given. */
export interface TextMatch {
  readonly contains: string | null;
  /** Source of a regular expression of RE2 with the flag `s`: a dot is any character. */
  readonly matches: string | null;
}

/** What is asked of a TLS server. */
export interface TlsTerms {
  /** Name for the server (SNI) and in its certificate; null: that of the host, or none for an address. */
  readonly server_name: string | null;
  readonly verify: boolean;
  /** Path of a file of CA certificates that are trusted instead of the system's; null: the system's. */
  readonly ca_file: string | null;
  /** The certificate must be valid for so many days more; null: not asked. */
  readonly certificate_days_min: number | null;
}

export interface TcpCheck {
  readonly kind: 'tcp';
  /** What is sent once connected, in hexadecimal; '': nothing. */
  readonly send: string;
  /** Null: the connection is enough. */
  readonly expect: TextMatch | null;
  /** Of the answer so much is read. */
  readonly read_bytes_max: number;
}

export interface TlsCheck extends TlsTerms {
  readonly kind: 'tls';
}

interface HttpTerms {
  readonly method: string;
  readonly path: string;
  readonly host: string | null;
  /** Lower-case name → value. */
  readonly headers: Readonly<Record<string, string>>;
  /** Status codes that count as healthy. */
  readonly expect: readonly number[];
  /** Null: the body may be anything. */
  readonly body: TextMatch | null;
  readonly body_bytes_max: number;
}

export interface HttpCheck extends HttpTerms {
  readonly kind: 'http';
}

export interface HttpsCheck extends HttpTerms, TlsTerms {
  readonly kind: 'https';
}

export interface DnsCheck {
  readonly kind: 'dns';
  readonly transport: 'udp' | 'tcp';
  /** The name that is asked for, without the trailing dot; '.' is the root. */
  readonly question: string;
  readonly type: DnsQuestionType;
  readonly rcode: DnsRcode;
  /** Addresses, names or texts in canonical form that must all be among the answers. */
  readonly answers: readonly string[];
}

export type DnsQuestionType = 'A' | 'AAAA' | 'NS' | 'SOA' | 'CNAME' | 'MX' | 'TXT' | 'PTR';
export type DnsRcode = 'NOERROR' | 'NXDOMAIN' | 'SERVFAIL' | 'REFUSED';

export interface IcmpCheck {
  readonly kind: 'icmp';
}

export interface GrpcCheck {
  readonly kind: 'grpc';
  /** Name for the health service; '' asks about the server as a whole. */
  readonly service: string;
  /** Value of :authority; null: address and port. */
  readonly host: string | null;
  /** Null: HTTP/2 without TLS. */
  readonly tls: TlsTerms | null;
}

export interface CommandCheck {
  readonly kind: 'command';
  /** Program and arguments; there is no shell. */
  readonly command: readonly string[];
}

export type Check = CheckTiming &
  (TcpCheck | TlsCheck | HttpCheck | HttpsCheck | DnsCheck | IcmpCheck | GrpcCheck | CommandCheck);

/** One address of one load balancer by one check: what is probed, once for all who want to know. */
export interface ProbeTarget {
  /** "LOADBALANCER/CHECK/ipv4" or "…/ipv6", of an uplink "SITE/uplink/ADDRESS/CHECK/…"; unique. */
  readonly id: string;
  /** Empty for the target of an uplink. */
  readonly load_balancer: string;
  /** Index into Config.sites. */
  readonly site: number;
  /** May be another than the one that is answered. */
  readonly address: string;
  /** 0 for kinds of check that have none. */
  readonly port: number;
  readonly check: Check;
}

/** What must hold of the targets for an endpoint to be up. Three-valued: unknown while it is open. */
export type HealthExpression =
  | {
      readonly kind: 'target';
      /** Index into Config.targets. */
      readonly target: number;
    }
  | { readonly kind: 'all' | 'any'; readonly of: readonly HealthExpression[] }
  | {
      readonly kind: 'at-least';
      readonly count: number;
      readonly of: readonly HealthExpression[];
    };
