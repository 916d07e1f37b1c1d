/**
 * DNS over HTTPS (RFC 8484) with HTTP/2 and HTTP/1.1: GET with ?dns= in base64url, POST with the
 * message as body. It must hold: one request has at most one message of memory, and what a connection
 * holds, bodies and answers that are not taken, counts against the limit of all clients together.
 * Node itself holds up to 1 MB more for a session of HTTP/2; less cannot be set.
 */
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { SecureContextOptions } from 'node:tls';
import { TCP_MAX, TRANSPORT } from './respond.ts';
import type { Client, Clients, Peer } from './stream-clients.ts';
import type { Respond } from './stream-connection.ts';
import { RCODE, TYPE } from './wire/codes.ts';
import { decodeMessage } from './wire/message.ts';

const MEDIA_TYPE = 'application/dns-message';
/** Octets of a request's target; a query with every option has a few hundred. */
const TARGET_MAX = 8 * 1024;
/** Octets of all bodies and answers under way on one connection, beyond which no body is taken. */
const HELD_MAX = 8 * TCP_MAX;
/** RFC 9113 §6.5.2 advises against fewer: so many a client opens before it has seen our settings. */
const STREAMS_MAX = 100;
/** HTTP/2 settings in one frame, frames that make no sense, and rejected streams, of one connection. */
const SETTINGS_MAX = 32;
const INVALID_FRAMES_MAX = 20;
const REJECTED_STREAMS_MAX = 20;
const HEADER_OCTETS_MAX = 16 * 1024;

/** How the requests of one connection find its client: `of` is asked for each. */
export interface HttpsOptions {
  readonly tls: SecureContextOptions;
  readonly handshake_ms: number;
  readonly respond: Respond;
  readonly clients: Clients;
  readonly clientOf: (socket: Peer) => Client | null;
  readonly path: () => string;
}

/** A server that listens nowhere: connections are given to it ('connection'). */
export function httpsServer(options: HttpsOptions): Http2SecureServer {
  const server = createSecureServer({
    ...options.tls,
    allowHTTP1: true,
    handshakeTimeout: options.handshake_ms,
    maxSessionMemory: 1,
    maxSettings: SETTINGS_MAX,
    maxSessionInvalidFrames: INVALID_FRAMES_MAX,
    maxSessionRejectedStreams: REJECTED_STREAMS_MAX,
    settings: { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_OCTETS_MAX },
  });
  const https = new Https(options);
  server.on('request', (request, response) => https.take(request, response));
  // A connection that ends badly is closed by Node; nobody else needs to know.
  server.on('sessionError', () => {});
  server.on('clientError', (_error, socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  server.on('session', (session) => {
    const client = options.clientOf(session.socket);
    if (!client) return session.destroy();
    client.finish = () => session.close();
  });
  server.on('secureConnection', (socket) => {
    const client = socket.alpnProtocol === 'h2' ? null : options.clientOf(socket);
    if (client) client.finish = () => socket.end();
  });
  return server;
}

class Https {
  readonly #options: HttpsOptions;
  readonly #answer = new Uint8Array(TCP_MAX);

  constructor(options: HttpsOptions) {
    this.#options = options;
  }

  take(request: Http2ServerRequest, response: Http2ServerResponse): void {
    const client = this.#options.clientOf(request.socket);
    request.on('error', () => {});
    response.on('error', () => {});
    if (!client) {
      response.destroy();
      return;
    }
    const status = this.#refusal(request);
    if (status !== 0) refuse(request, response, status);
    else if (request.method === 'POST') this.#post(request, response, client);
    else this.#respond(request, response, client, queryOf(request.url));
  }

  /** The status to refuse the request with, before its body is read; 0: none. */
  #refusal({ method, url, headers }: Http2ServerRequest): number {
    if (url.length > TARGET_MAX) return 414;
    if (pathOf(url) !== this.#options.path()) return 404;
    if (method === 'GET') return queryOf(url).length === 0 ? 400 : 0;
    if (method !== 'POST') return 405;
    const [type = ''] = (headers['content-type'] ?? '').split(';');
    if (type.trim().toLowerCase() !== MEDIA_TYPE) return 415;
    return Number(headers['content-length'] ?? 0) > TCP_MAX ? 413 : 0;
  }

  #post(request: Http2ServerRequest, response: Http2ServerResponse, client: Client): void {
    const { clients } = this.#options;
    const chunks: Buffer[] = [];
    let length = 0;
    const release = (): void => {
      clients.hold(client, client.held_bytes - length);
      length = 0;
      chunks.length = 0;
    };
    request.on('data', (chunk: Buffer) => {
      if (response.writableEnded) return;
      length += chunk.length;
      clients.hold(client, client.held_bytes + chunk.length);
      chunks.push(chunk);
      if (length <= TCP_MAX && client.held_bytes <= HELD_MAX) return;
      release();
      refuse(request, response, 413);
    });
    request.on('end', () => {
      if (response.writableEnded) return;
      const query = Buffer.concat(chunks);
      release();
      this.#respond(request, response, client, query);
    });
    request.on('close', release);
  }

  #respond(
    request: Http2ServerRequest,
    response: Http2ServerResponse,
    client: Client,
    query: Buffer,
  ): void {
    const { respond, clients } = this.#options;
    const { address } = client;
    const size = respond(query, query.length, address, this.#answer, TRANSPORT.ENCRYPTED);
    if (size === 0) {
      refuse(request, response, 400); // no DNS query
      return;
    }
    clients.progress(client);
    clients.hold(client, client.held_bytes + size);
    response.on('close', () => clients.hold(client, client.held_bytes - size));
    const answer = Buffer.from(this.#answer.subarray(0, size));
    const headers = {
      'content-type': MEDIA_TYPE,
      'content-length': size,
      // The answer may be one for this client alone: steered by its address, with its cookie.
      'cache-control': `private, max-age=${freshness_s(answer)}`,
    };
    if (request.httpVersionMajor === 1) {
      response.writeHead(200, headers);
      response.end(answer);
    } else {
      // Without the part that speaks like HTTP/1.1, which sends a frame more to end the stream.
      request.stream.respond(headers);
      request.stream.end(answer);
    }
  }
}

function pathOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? target : target.slice(0, mark);
}

/** RFC 8484 §4.1: the query in base64url without padding; empty if there is none. */
function queryOf(target: string): Buffer {
  const text = new URLSearchParams(target.slice(pathOf(target).length)).get('dns') ?? '';
  return Buffer.from(/^[\w-]+$/.test(text) ? text : '', 'base64url');
}

/** No body; over HTTP/1.1 the connection ends, for what is left of the request is not read. */
function refuse(request: Http2ServerRequest, response: Http2ServerResponse, status: number): void {
  const allow = status === 405 ? { allow: 'GET, POST' } : {};
  const one = request.httpVersionMajor === 1 ? { connection: 'close' } : {};
  response.writeHead(status, { ...allow, ...one, 'content-length': 0 });
  response.end();
  request.resume();
}

/**
 * RFC 8484 §5.1: the smallest TTL of the answer section. Without answers, the time for which their
 * absence may be believed (RFC 2308 §5). What says neither must not be kept.
 */
export function freshness_s(answer: Uint8Array): number {
  const message = decodeMessage(answer);
  if (!message.ok) return 0;
  const { answers, authorities, rcode } = message.value;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return 0;
  if (answers.length > 0) return Math.min(...answers.map(({ ttl_s }) => ttl_s));
  const soa = authorities.find(({ type }) => type === TYPE.SOA);
  if (!soa || soa.rdata.length < 4) return 0;
  const { buffer, byteOffset, length } = soa.rdata;
  return Math.min(soa.ttl_s, new DataView(buffer, byteOffset, length).getUint32(length - 4));
}
