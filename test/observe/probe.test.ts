import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { type Clock, SystemClock, VirtualClock } from '../../src/base/clock.ts';
import type { Check, ProbeTarget } from '../../src/model/check.ts';
import { probe } from '../../src/observe/probe.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import { HTTP_CHECK, testConfig } from '../support/config.ts';
import { eventually } from '../support/eventually.ts';

const base = testConfig().targets[0]!;
const servers: { server: Server; sockets: Set<Socket> }[] = [];

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  servers.push({ server, sockets });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** After each test: no probe may have left a connection open. */
afterEach(async () => {
  for (const { server, sockets } of servers.splice(0)) {
    await eventually('the probe has closed its connection', () => sockets.size === 0);
    server.close();
  }
});

type HttpChange = Partial<Extract<Check, { kind: 'http' | 'https' }>>;

function endpoint({ port, ...check }: HttpChange & { port: number }): ProbeTarget {
  const http: Extract<Check, { kind: 'http' | 'https' }> = HTTP_CHECK;
  const changed = { ...http, timeout_ms: 5_000, ...check };
  return { ...base, address: '127.0.0.1', port, check: changed };
}

const run = (
  target: ProbeTarget,
  clock: Clock = new SystemClock(),
  signal = new AbortController().signal,
) => probe(target, clock, signal);

const answering = (listener: RequestListener) => listen(createHttp(listener));
const raw = (bytes: string) =>
  listen(createTcp((socket) => socket.on('data', () => socket.end(bytes))));

describe('HTTP probe', () => {
  test('an expected status is good, and the request is what the check says', async () => {
    let seen = '';
    const port = await answering((request, response) => {
      seen = `${request.method} ${request.url} ${request.headers.host}`;
      response.writeHead(204).end();
    });
    const check = { port, path: '/up?x=1', host: 'www.example.com', expect: [200, 204] };
    assert.deepEqual(await run(endpoint(check)), { ok: true, detail: 'HTTP 204' });
    assert.equal(seen, 'GET /up?x=1 www.example.com');
  });

  test('any other status is bad, redirects too', async () => {
    const port = await answering((request, response) => {
      response.writeHead(Number(request.url!.slice(1)), { location: '/200' }).end();
    });
    const bad = await run(endpoint({ port, path: '/503' }));
    assert.deepEqual(bad, { ok: false, detail: 'HTTP 503, expected 200' });
    const moved = await run(endpoint({ port, path: '/302', expect: [200, 204] }));
    assert.deepEqual(moved, { ok: false, detail: 'HTTP 302, expected 200 or 204' });
  });

  test('nobody listens: connection refused', async () => {
    const server = createTcp();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    servers.length = 0;
    assert.deepEqual(await run(endpoint({ port })), { ok: false, detail: 'connection refused' });
  });

  test('an answer without end is cut off and good', async () => {
    const port = await answering((_, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(16_384)));
      };
      response.on('drain', more);
      more();
    });
    assert.deepEqual(await run(endpoint({ port })), { ok: true, detail: 'HTTP 200' });
  });

  test('a server that never answers is bad after the timeout, not before', async () => {
    const clock = new VirtualClock();
    let asked = false;
    const port = await answering(() => {
      asked = true;
    });
    const result = run(endpoint({ port, timeout_ms: 300 }), clock);
    await eventually('the request came', () => asked);
    clock.advance(299);
    assert.equal(clock.pending, 1);
    clock.advance(1);
    assert.deepEqual(await result, { ok: false, detail: 'no answer within 300 ms' });
  });

  test('the timeout covers the whole answer, however it drips', async () => {
    const clock = new VirtualClock();
    let sent = false;
    const port = await answering((_, response) => {
      response.writeHead(200);
      response.write('a', () => {
        sent = true;
      });
    });
    const result = run(endpoint({ port, timeout_ms: 300 }), clock);
    await eventually('a part was sent', () => sent);
    // Loopback delivers at once: the probe reads the part within a few turns of the event loop.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(300);
    assert.deepEqual(await result, { ok: false, detail: 'no complete answer within 300 ms' });
  });

  const broken: [string, string, string][] = [
    ['closes without a word', '', 'connection closed without an answer'],
    ['speaks another protocol', 'SSH-2.0-OpenSSH_9.2\r\n', 'the answer is not HTTP'],
    ['breaks off', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', 'the answer broke off'],
    [
      'switches protocols',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      'connection closed without an answer',
    ],
    [
      'sends headers without end',
      `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(10_000)}`,
      'the headers of the answer are too long',
    ],
  ];
  for (const [what, bytes, detail] of broken) {
    test(`a server that ${what} is bad`, async () => {
      assert.deepEqual(await run(endpoint({ port: await raw(bytes) })), { ok: false, detail });
    });
  }

  test('a path that cannot be sent is a bad result, not an exception', async () => {
    const result = await run(endpoint({ port: 1, path: '/a b\n' }));
    assert.equal(result.ok, false);
  });

  test('aborting ends it at once', async () => {
    const stop = new AbortController();
    const port = await answering(() => stop.abort());
    const clock = new VirtualClock();
    assert.equal((await run(endpoint({ port }), clock, stop.signal)).detail, 'stopped');
    assert.equal(clock.pending, 0);
    assert.equal((await run(endpoint({ port }), clock, stop.signal)).detail, 'stopped');
  });

  test('an IPv6 address is probed as an IPv4 one', async () => {
    const refused = await run({ ...endpoint({ port: 9 }), address: '::1' });
    assert.equal(refused.ok, false);
  });
});

describe('HTTPS probe', () => {
  const secure = { kind: 'https' as const };
  async function start(names: string[]): Promise<number> {
    const server = createHttps({ key: TEST_KEY, cert: TEST_CERTIFICATE }, (_, response) => {
      response.end('ok');
    });
    server.on('secureConnection', (socket) => names.push(String(socket.servername)));
    return listen(server);
  }

  test('sends the host as server name and, unless told to, does not verify', async () => {
    const names: string[] = [];
    const port = await start(names);
    const named = await run(endpoint({ ...secure, port, host: 'www.example.com:8443' }));
    const bare = await run(endpoint({ ...secure, port }));
    assert.deepEqual([named.ok, bare.ok, names], [true, true, ['www.example.com', 'false']]);
  });

  test('told to verify, a certificate that nobody signed is bad', async () => {
    const port = await start([]);
    const result = await run(endpoint({ ...secure, port, host: 'www.example.com', verify: true }));
    assert.deepEqual(result, { ok: false, detail: 'the certificate is self-signed' });
  });

  test('a server that speaks plain HTTP is bad', async () => {
    const port = await answering((_, response) => response.end());
    const result = await run(endpoint({ ...secure, port }));
    assert.equal(result.ok, false);
  });
});

describe('TCP probe', () => {
  const tcp = (port: number): ProbeTarget => ({
    ...endpoint({ port }),
    check: { ...HTTP_CHECK, kind: 'tcp', timeout_ms: 5_000 },
  });

  test('a connection that is accepted is good, one that is refused is bad', async () => {
    const server = createTcp();
    const port = await listen(server);
    assert.deepEqual(await run(tcp(port)), { ok: true, detail: 'connected' });
    server.close();
    await once(server, 'close');
    assert.deepEqual(await run(tcp(port)), { ok: false, detail: 'connection refused' });
  });

  test('the timeout and an abort end it', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const port = await listen(createTcp());
    const slow = run(tcp(port), clock);
    clock.advance(5_000);
    assert.deepEqual(await slow, { ok: false, detail: 'no connection within 5000 ms' });
    const stopped = run(tcp(port), clock, stop.signal);
    stop.abort();
    assert.equal((await stopped).detail, 'stopped');
    assert.equal(clock.pending, 0);
  });
});
