/** A GET as load meters need it: any address or name, and the system's certificate authorities. */
import type { Clock } from '../base/clock.ts';
import { type HttpLimits, type HttpOutcome, httpExchange } from './http-exchange.ts';

export interface HttpTarget {
  readonly secure: boolean;
  /** Where to connect: an IP address, or a name for the system's resolver. */
  readonly address: string;
  readonly port: number;
  readonly path: string;
  /** The Host header; its name is also the TLS server name (RFC 6066 §3), unless it is an IP. */
  readonly host: string;
  /** Secure only: verify the certificate, against `host`'s name or else the address. */
  readonly verify: boolean;
}

/** Performs the request. Aborting `signal` ends it at once, with the outcome "stopped". */
export function httpGet(
  { secure, verify, ...target }: HttpTarget,
  limits: HttpLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  const tls = secure
    ? { server_name: null, verify, ca_file: null, certificate_days_min: null }
    : null;
  const ask = { ...target, tls, source: null, method: 'GET', headers: {} };
  return httpExchange(ask, limits, clock, signal);
}
