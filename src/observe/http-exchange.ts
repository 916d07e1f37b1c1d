/**
 * One HTTP or HTTPS request on a connection of its own, for probes and load meters. It never rejects,
 * settles once and within its timeout whatever the server does, reads no more of the body than it
 * was allowed, and leaves no socket behind.
 */
import { Buffer } from 'node:buffer';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { TlsTerms } from '../model/check.ts';
import { fromSource } from './dial.ts';
import { socketErrorText } from './socket-error.ts';
import { certificateEnd, secureContext, serverName } from './tls-terms.ts';

export interface HttpAsk {
  /** Null: without TLS. */
  readonly tls: TlsTerms | null;
  /** Where to connect: an IP address, or a name for the system's resolver. */
  readonly address: string;
  readonly port: number;
  /** Address to connect from; null: the system's choice. */
  readonly source: string | null;
  readonly method: string;
  readonly path: string;
  /** The Host header; its name is also the TLS server name (RFC 6066 §3), if `tls` has none. */
  readonly host: string;
  /** Others than Host; lower-case name → value. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface HttpLimits {
  /** For everything together: look-up, connection, handshake, answer. */
  readonly timeout_ms: number;
  /** What lies beyond is not read. */
  readonly body_bytes_max: number;
}

export type HttpOutcome =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string;
      /** True if the body was longer than `body_bytes_max` and was cut there. */
      readonly cut: boolean;
      /** When the server's certificate ends, in milliseconds since 1970; null without one. */
      readonly certificate_end: number | null;
    }
  | { readonly kind: 'failed'; readonly detail: string };

const HEADER_BYTES_MAX = 16_384;

function collect(
  response: IncomingMessage,
  bytesMax: number,
  finish: (outcome: HttpOutcome) => void,
): void {
  const { socket } = response;
  const certificate_end = socket instanceof TLSSocket ? certificateEnd(socket) : null;
  const parts: Buffer[] = [];
  let size = 0;
  const answer = (cut: boolean): void => {
    const body = Buffer.concat(parts).subarray(0, bytesMax).toString('utf8');
    finish({ kind: 'answer', status: response.statusCode ?? 0, body, cut, certificate_end });
  };
  response.on('data', (part: Buffer) => {
    parts.push(part);
    size += part.length;
    if (size > bytesMax) answer(true);
  });
  response.on('end', () => answer(false));
  response.on('error', () => finish({ kind: 'failed', detail: 'the answer broke off' }));
  response.on('close', () => finish({ kind: 'failed', detail: 'the answer broke off' }));
}

/** Throws when the request cannot be written at all, or when the CA file is no use. */
function open(ask: HttpAsk): ClientRequest {
  const { tls, host } = ask;
  return (tls ? httpsRequest : httpRequest)({
    agent: false, // a pooled connection would hide a listener that has died
    host: ask.address,
    port: ask.port,
    ...fromSource(ask.source),
    method: ask.method,
    path: ask.path,
    headers: { host, 'user-agent': 'isobar', accept: '*/*', ...ask.headers, connection: 'close' },
    maxHeaderSize: HEADER_BYTES_MAX,
    ...(tls && {
      servername: serverName(tls, host),
      rejectUnauthorized: tls.verify,
      secureContext: secureContext(tls.ca_file),
    }),
  });
}

/** Performs the request. Aborting `signal` ends it at once, with the outcome "stopped". */
export function httpExchange(
  ask: HttpAsk,
  limits: HttpLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'failed', detail: 'stopped' });
    let request: ClientRequest;
    try {
      request = open(ask);
    } catch (error) {
      return resolve({ kind: 'failed', detail: socketErrorText(error as Error) });
    }
    let settled = false;
    const finish = (outcome: HttpOutcome): void => {
      if (settled) return;
      settled = true;
      timer.cancel();
      signal.removeEventListener('abort', stop);
      request.destroy();
      resolve(outcome);
    };
    const fail = (detail: string): void => finish({ kind: 'failed', detail });
    const stop = (): void => fail('stopped');
    let answered = false;
    const timer = clock.timer(limits.timeout_ms, () => {
      fail(`no ${answered ? 'complete ' : ''}answer within ${limits.timeout_ms} ms`);
    });
    signal.addEventListener('abort', stop);
    request.on('response', (response) => {
      answered = true;
      collect(response, limits.body_bytes_max, finish);
    });
    request.on('error', (error) => {
      const hungUp = error.message === 'socket hang up';
      fail(hungUp ? 'connection closed without an answer' : socketErrorText(error));
    });
    // A protocol switch (101) ends without an error and without a response.
    request.on('close', () => {
      if (!answered) fail('connection closed without an answer');
    });
    request.end();
  });
}
