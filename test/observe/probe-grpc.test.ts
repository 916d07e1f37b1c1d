import assert from 'node:assert/strict';
import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { afterEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import { healthRequest, servingStatus } from '../../src/observe/grpc-health.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import {
  endsWhenTold,
  ProbeServers,
  run,
  TLS_TERMS,
  targetOf,
  temporaryFile,
} from '../support/probe.ts';

const servers = new ProbeServers();
afterEach(() => servers.close());

type Serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

function serving(serve: Serve): Promise<number> {
  const server = createServer();
  server.on('stream', serve);
  server.on('sessionError', () => {});
  return servers.listen(server);
}

const HEADERS = { ':status': 200, 'content-type': 'application/grpc' };

/** An answer with these octets and this grpc-status. */
const answer =
  (body: Buffer | string, status = '0'): Serve =>
  (stream) => {
    stream.on('error', () => {});
    stream.respond(HEADERS, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    stream.end(body);
  };

const frame = (...message: number[]): Buffer =>
  Buffer.from([0, 0, 0, 0, message.length, ...message]);

describe('gRPC probe', () => {
  test('asks the health service of the server for the service', async () => {
    const seen: unknown[] = [];
    const port = await serving((stream, headers) => {
      seen.push(headers[':method'], headers[':path'], headers['content-type'], headers.te);
      seen.push(headers[':authority']);
      stream.on('data', (bytes: Buffer) => seen.push(bytes.toString('hex')));
      stream.on('end', () => answer(frame(8, 1))(stream, headers));
    });
    const service = 'shop.v1.Cart';
    const target = targetOf('grpc', port, { service, host: 'shop.example' });
    assert.deepEqual(await run(target), { ok: true, detail: 'SERVING' });
    const request = ['000000000e', '0a0c', Buffer.from(service).toString('hex')].join('');
    const path = '/grpc.health.v1.Health/Check';
    assert.deepEqual(seen, ['POST', path, 'application/grpc', 'trailers', 'shop.example', request]);
  });

  const answers: [string, Serve, string][] = [
    ['NOT_SERVING', answer(frame(8, 2)), 'NOT_SERVING'],
    ['an empty message', answer(frame()), 'UNKNOWN'],
    ['NOT_FOUND', answer('', '5'), 'the server does not know the service'],
    ['UNIMPLEMENTED', answer('', '12'), 'the server has no health service'],
    ['an unusual status', answer('', '99'), 'gRPC status 99'],
    ['OK without a message', answer(''), 'the answer holds no message'],
    ['another message', answer(frame(10, 1, 65)), 'the answer is not one of the health service'],
    ['a cut message', answer(frame(8, 1).subarray(0, 6)), 'the answer is not one whole message'],
    ['too much', answer(Buffer.alloc(100_000)), 'the answer is not one of the health service'],
    [
      'a plain page',
      (stream) => stream.respond({ ':status': 200 }, { endStream: true }),
      'the answer is not gRPC',
    ],
    [
      '404',
      (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
      'HTTP 404, expected 200',
    ],
    [
      'a status in its headers alone',
      (stream) => stream.respond({ ...HEADERS, 'grpc-status': '14' }, { endStream: true }),
      'the service is unavailable',
    ],
  ];
  for (const [what, serve, detail] of answers) {
    test(`${what} is bad`, async () => {
      const result = await run(targetOf('grpc', await serving(serve)));
      assert.deepEqual(result, { ok: false, detail });
    });
  }

  test('over TLS the server must offer HTTP/2, with a certificate as it should be', async () => {
    const server = createSecureServer({ key: TEST_KEY, cert: TEST_CERTIFICATE, allowHTTP1: true });
    server.on('stream', answer(frame(8, 1)));
    const port = await servers.listen(server);
    const ca_file = temporaryFile('ca.pem', TEST_CERTIFICATE);
    const tls = { ...TLS_TERMS, verify: true, ca_file };
    const good = targetOf('grpc', port, { host: 'www.example.com', tls });
    assert.deepEqual(await run(good), { ok: true, detail: 'SERVING' });
    const other = targetOf('grpc', port, { host: 'a.example', tls });
    assert.equal((await run(other)).detail, 'the certificate is for another name');
  });

  test('a server of another protocol, or none, is bad', async () => {
    const http = await servers.tcp((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    assert.deepEqual(await run(targetOf('grpc', http)), {
      ok: false,
      detail: 'the answer is not HTTP/2',
    });
    const closed = await run(targetOf('grpc', await servers.closedPort()));
    assert.deepEqual(closed, { ok: false, detail: 'connection refused' });
  });

  test('the timeout and an abort end it', async () => {
    let asked = 0;
    const port = await serving((stream) => {
      stream.on('error', () => {});
      asked++;
    });
    await endsWhenTold(targetOf('grpc', port), new VirtualClock(), () => asked > 0, 'answer');
  });
});

test('a gRPC probe over TLS tells that the handshake has not come', async () => {
  let asked = 0;
  const port = await servers.tcp((socket) => socket.on('data', () => asked++));
  const target = targetOf('grpc', port, { tls: TLS_TERMS });
  await endsWhenTold(target, new VirtualClock(), () => asked > 0, 'TLS handshake');
});

describe('messages of the health protocol', () => {
  test('a long name has its length in two octets', () => {
    const request = healthRequest('x'.repeat(200));
    assert.equal(request.toString('hex', 0, 8), '00000000cb0ac801');
    assert.equal(request.length, 5 + 203);
  });

  test('any octets give a status or words', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 32 }), (octets) => {
        const status = servingStatus(octets);
        assert.ok(status.ok ? status.value.length > 0 : status.error.length > 0);
      }),
    );
  });
});
