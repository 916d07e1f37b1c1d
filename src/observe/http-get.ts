/**
 * One HTTP or HTTPS GET on a connection of its own, for probes and load meters. It never rejects,
 * settles once and within its timeout whatever the server does, reads no more of the body than it
 * was allowed, and leaves no socket behind.
 */
import { Buffer } from 'node:buffer';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { socketErrorText } from './socket-error.ts';

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
    }
  | { readonly kind: 'failed'; readonly detail: string };

const HEADER_BYTES_MAX = 16_384;

/** The name to send in the TLS ClientHello: never an IP address (RFC 6066 §3); '' sends none. */
function serverName(host: string): string {
  const name = host.replace(/:[0-9]+$/, '');
  return isIP(name.replace(/^\[|\]$/g, '')) ? '' : name;
}

function collect(
  response: IncomingMessage,
  bytesMax: number,
  finish: (outcome: HttpOutcome) => void,
): void {
  const parts: Buffer[] = [];
  let size = 0;
  const answer = (cut: boolean): void => {
    const body = Buffer.concat(parts).subarray(0, bytesMax).toString('utf8');
    finish({ kind: 'answer', status: response.statusCode ?? 0, body, cut });
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

function open(target: HttpTarget): ClientRequest {
  return (target.secure ? httpsRequest : httpRequest)({
    agent: false, // a pooled connection would hide a listener that has died
    host: target.address,
    port: target.port,
    method: 'GET',
    path: target.path,
    headers: { host: target.host, 'user-agent': 'isobar', accept: '*/*', connection: 'close' },
    maxHeaderSize: HEADER_BYTES_MAX,
    ...(target.secure && {
      servername: serverName(target.host),
      rejectUnauthorized: target.verify,
    }),
  });
}

/** Performs the request. Aborting `signal` ends it at once, with the outcome "stopped". */
export function httpGet(
  target: HttpTarget,
  limits: HttpLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ kind: 'failed', detail: 'stopped' });
    let request: ClientRequest;
    try {
      request = open(target);
    } catch (error) {
      // A path or a host that cannot stand in a request at all.
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
