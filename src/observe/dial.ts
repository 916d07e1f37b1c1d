/** A connection of its own for a probe, plain or TLS, from the source address that the check wants. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { CheckTiming, ProbeTarget, TlsTerms } from '../model/check.ts';
import { secureContext, serverName } from './tls-terms.ts';

export type Destination = Pick<ProbeTarget, 'address' | 'port'>;

/** The address to connect from, to `address`; null: the system's choice. */
export function sourceFor(
  { source4, source6 }: Pick<CheckTiming, 'source4' | 'source6'>,
  address: string,
): string | null {
  return address.includes(':') ? source6 : source4;
}

/** `source` as an option of node:net. */
export function fromSource(source: string | null): { localAddress?: string } {
  return source === null ? {} : { localAddress: source };
}

export function dial({ address, port }: Destination, timing: CheckTiming): Socket {
  return connect({ host: address, port, ...fromSource(sourceFor(timing, address)) });
}

/** `host` gives the server's name where the terms have none. Throws if their CA file is no use. */
export function dialTls(
  { address, port }: Destination,
  timing: CheckTiming,
  terms: TlsTerms,
  host: string | null,
  protocols: readonly string[] = [],
): TLSSocket {
  return connectTls({
    host: address,
    port,
    ...fromSource(sourceFor(timing, address)),
    servername: serverName(terms, host),
    rejectUnauthorized: terms.verify,
    secureContext: secureContext(terms.ca_file),
    ...(protocols.length > 0 && { ALPNProtocols: [...protocols] }),
  });
}
