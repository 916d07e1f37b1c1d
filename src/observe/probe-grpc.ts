/**
 * The gRPC probe: grpc.health.v1.Health/Check answers SERVING, over HTTP/2 on a connection of its own,
 * with or without TLS.
 */
import { Buffer } from 'node:buffer';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, GrpcCheck } from '../model/check.ts';
import { formatHostPort } from '../net/ip.ts';
import { attempt, type Finish } from './attempt.ts';
import { type Destination, dial, dialTls } from './dial.ts';
import { healthRequest, servingStatus } from './grpc-health.ts';
import { socketErrorText } from './socket-error.ts';
import { certificateEnd, whyCertificateEnds } from './tls-terms.ts';
import type { ProbeResult } from './verdict.ts';

type Ask = CheckTiming & GrpcCheck;

/** A HealthCheckResponse has 7 octets with its frame. */
const ANSWER_BYTES_MAX = 1_024;
const HEADER_PAIRS_MAX = 128;
const MEMORY_MAX_MB = 1;

const GRPC_OK = '0';
const GRPC_STATUSES: Readonly<Record<string, string>> = {
  '5': 'the server does not know the service',
  '7': 'permission denied',
  '8': 'the server has no resources left',
  '12': 'the server has no health service',
  '14': 'the service is unavailable',
  '16': 'the server wants credentials',
};

export function probeGrpc(
  target: Destination,
  check: Ask,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return attempt(check.timeout_ms, clock, signal, (finish) => {
    const { tls, host } = check;
    const socket = tls ? dialTls(target, check, tls, host, ['h2']) : dial(target, check);
    let session: ClientHttp2Session | null = null;
    let connected = false;
    socket.on('connect', () => {
      connected = true;
    });
    socket.on('error', (error) => finish(false, socketErrorText(error)));
    socket.on('close', () => finish(false, 'connection closed without an answer'));
    socket.on(tls ? 'secureConnect' : 'connect', () => {
      const wrong = tls && whyUnfit(socket as TLSSocket, tls, clock);
      if (wrong) return finish(false, wrong);
      session = ask(socket, host ?? formatHostPort(target), check, finish);
    });
    return {
      close: () => {
        session?.destroy();
        socket.destroy();
      },
      waitsFor: () => (session ? 'answer' : connected ? 'TLS handshake' : 'connection'),
    };
  });
}

function whyUnfit(socket: TLSSocket, terms: NonNullable<Ask['tls']>, clock: Clock): string | null {
  if (socket.alpnProtocol !== 'h2') return 'the server does not offer HTTP/2';
  return whyCertificateEnds(terms, certificateEnd(socket), clock.wall());
}

function ask(
  socket: Socket,
  authority: string,
  { service, tls }: Ask,
  finish: Finish,
): ClientHttp2Session {
  const scheme = tls ? 'https' : 'http';
  const session = connectHttp2(`${scheme}://${authority}`, {
    createConnection: () => socket,
    settings: { enablePush: false },
    maxHeaderListPairs: HEADER_PAIRS_MAX,
    maxSessionMemory: MEMORY_MAX_MB,
  });
  const failed = (error: Error): void => finish(false, http2ErrorText(error));
  session.on('error', failed);
  session.on('goaway', () => finish(false, 'the server ended the HTTP/2 connection'));
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_AUTHORITY]: authority,
    [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
    [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    [constants.HTTP2_HEADER_TE]: 'trailers',
    [constants.HTTP2_HEADER_USER_AGENT]: 'isobar',
  });
  let status: unknown;
  const parts: Buffer[] = [];
  let size = 0;
  stream.on('response', (headers) => {
    const http = Number(headers[constants.HTTP2_HEADER_STATUS]);
    if (http !== constants.HTTP_STATUS_OK) finish(false, `HTTP ${http}, expected 200`);
    status = headers['grpc-status'];
  });
  stream.on('trailers', (trailers) => {
    status = trailers['grpc-status'];
  });
  stream.on('data', (bytes: Buffer) => {
    parts.push(bytes);
    size += bytes.length;
    if (size > ANSWER_BYTES_MAX) finish(false, 'the answer is not one of the health service');
  });
  stream.on('end', () => {
    const { ok, detail } = judge(status, Buffer.concat(parts));
    finish(ok, detail);
  });
  stream.on('error', failed);
  stream.end(healthRequest(service));
  return session;
}

function judge(grpcStatus: unknown, body: Buffer): ProbeResult {
  if (grpcStatus === undefined) return { ok: false, detail: 'the answer is not gRPC' };
  if (grpcStatus !== GRPC_OK) {
    const code = String(grpcStatus).slice(0, 8);
    return { ok: false, detail: GRPC_STATUSES[code] ?? `gRPC status ${code}` };
  }
  const status = servingStatus(body);
  if (!status.ok) return { ok: false, detail: status.error };
  return { ok: status.value === 'SERVING', detail: status.value };
}

function http2ErrorText(error: Error): string {
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  return code.startsWith('ERR_HTTP2') ? 'the answer is not HTTP/2' : socketErrorText(error);
}
