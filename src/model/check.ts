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

export type Check = CheckTiming &
  (
    | { readonly kind: 'tcp' }
    | {
        readonly kind: 'http' | 'https';
        readonly path: string;
        readonly host: string | null;
        /** Status codes that count as healthy. */
        readonly expect: readonly number[];
        /** https only: verify the certificate. */
        readonly verify: boolean;
      }
  );

/** One address of one load balancer by one check: what is probed, once for all who want to know. */
export interface ProbeTarget {
  /** "LOADBALANCER/CHECK/ipv4" or "…/ipv6", unique. */
  readonly id: string;
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
