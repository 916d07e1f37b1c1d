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
import { settleWithin } from './attempt.ts';
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
/** A server has one or two to send; one that never ends with them would keep the process busy. */
const INTERIM_MAX = 16;

const failed = (detail: string): HttpOutcome => ({ kind: 'failed', detail });

function collect(
  response: IncomingMessage,
  bytesMax: number,
  finish: (outcome: HttpOutcome) => void,
): void {
  const { socket } = response;
  const certificate_end = socket instanceof TLSSocket ? certificateEnd(socket) : null;
  const body = new Body(bytesMax);
  const answer = (cut: boolean): void => {
    const status = response.statusCode ?? 0;
    finish({ kind: 'answer', status, body: body.text(), cut, certificate_end });
  };
  response.on('data', (part: Buffer) => {
    if (!body.take(part)) answer(true);
  });
  response.on('end', () => answer(false));
  response.on('error', () => finish(failed('the answer broke off')));
  response.on('close', () => finish(failed('the answer broke off')));
}

/** What has come of a body, copied: chunks of one octet must not cost a buffer each. */
class Body {
  readonly #bytesMax: number;
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** False if there is more than is wanted. */
  take(part: Buffer): boolean {
    const size = this.#size + part.length;
    if (size > this.#bytes.length && this.#bytes.length < this.#bytesMax) {
      const grown = Buffer.alloc(Math.min(Math.max(size, 2 * this.#bytes.length), this.#bytesMax));
      this.#bytes.copy(grown, 0, 0, this.#size);
      this.#bytes = grown;
    }
    this.#size += part.copy(this.#bytes, this.#size);
    return size <= this.#bytesMax;
  }

  text(): string {
    return this.#bytes.toString('utf8', 0, this.#size);
  }
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
  return settleWithin(limits.timeout_ms, clock, signal, failed, (finish) => {
    const request = open(ask);
    const fail = (detail: string): void => finish(failed(detail));
    let answered = false;
    let interim = 0;
    request.on('information', () => {
      if (++interim > INTERIM_MAX) fail(`more than ${INTERIM_MAX} interim answers (HTTP 1xx)`);
    });
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
    return {
      close: () => request.destroy(),
      waitsFor: () => (answered ? 'complete answer' : 'answer'),
    };
  });
}
