import assert from 'node:assert/strict';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { afterEach, describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import type { Check, ProbeTarget } from '../../src/model/check.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { ProbeServers, run, targetOf, temporaryFile } from '../support/probe.ts';

const servers = new ProbeServers();
const listen = servers.listen.bind(servers);
afterEach(() => servers.close());

type HttpChange = Partial<Extract<Check, { kind: 'http' }>> & { port: number };
type HttpsChange = Partial<Extract<Check, { kind: 'https' }>> & { port: number };

const endpoint = ({ port, ...check }: HttpChange): ProbeTarget => targetOf('http', port, check);
const secure = ({ port, ...check }: HttpsChange): ProbeTarget => targetOf('https', port, check);

const answering = (listener: RequestListener) => listen(createHttp(listener));
const raw = (bytes: string) => servers.tcp((socket) => socket.on('data', () => socket.end(bytes)));

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
    const port = await servers.closedPort();
    assert.deepEqual(await run(endpoint({ port })), { ok: false, detail: 'connection refused' });
  });

  test('methods, headers and ranges of statuses are as the check says', async () => {
    let seen: unknown[] = [];
    const port = await answering((request, response) => {
      const { host, 'x-probe': header, 'user-agent': agent } = request.headers;
      seen = [request.method, host, header, agent];
      response.writeHead(299).end();
    });
    const headers = { 'x-probe': 'one two', 'user-agent': 'mine/1' };
    const expect = [...Array.from({ length: 100 }, (_, i) => 200 + i), 404];
    const good = await run(endpoint({ port, method: 'HEAD', host: 'a.example', headers, expect }));
    assert.deepEqual(good, { ok: true, detail: 'HTTP 299' });
    assert.deepEqual(seen, ['HEAD', 'a.example', 'one two', 'mine/1']);
    const bad = await run(endpoint({ port, expect: [404, 200, 201, 202] }));
    assert.equal(bad.detail, 'HTTP 299, expected 200-202 or 404');
  });

  test('a body is good only with the text that is expected in it', async () => {
    const port = await answering((_, response) => response.end('status: ready\nload: 0.7\n'));
    const body = { contains: 'ready', matches: '^load: 0\\.\\d$|load: 0\\.\\d\\n$' };
    assert.deepEqual(await run(endpoint({ port, body })), { ok: true, detail: 'HTTP 200' });
    const text = await run(endpoint({ port, body: { ...body, contains: 'down' } }));
    assert.equal(text.detail, 'HTTP 200, but the body does not contain "down"');
    const pattern = await run(endpoint({ port, body: { contains: null, matches: 'x.+y' } }));
    assert.deepEqual(pattern, {
      ok: false,
      detail: 'HTTP 200, but the body does not match "x.+y"',
    });
  });

  test('what lies beyond body_max does not count', async () => {
    const port = await answering((_, response) => response.end(`${'x'.repeat(5_000)}ready`));
    const body = { contains: 'ready', matches: null };
    assert.equal((await run(endpoint({ port, body, body_bytes_max: 6_000 }))).ok, true);
    assert.deepEqual(await run(endpoint({ port, body, body_bytes_max: 5_002 })), {
      ok: false,
      detail: 'HTTP 200, but the body does not contain "ready" in its first 5002 bytes',
    });
  });

  test('a body is read whole, however small the pieces that it comes in', async () => {
    const text = 'abcdefghij'.repeat(300);
    const chunks = [...text].map((octet) => `1\r\n${octet}\r\n`).join('');
    const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
    const port = await raw(`${head}${chunks}0\r\n\r\n`);
    const whole = { contains: null, matches: `^${text.slice(0, 20)}.*j$` };
    assert.equal((await run(endpoint({ port, body: whole }))).ok, true);
    const cut = await run(endpoint({ port, body: whole, body_bytes_max: 2_999 }));
    assert.match(cut.detail, /does not match .* in its first 2999 bytes$/);
  });

  test('comes from the source of its family; one that is not here is told', async () => {
    let from = '';
    const port = await answering((request, response) => {
      from = String(request.socket.remoteAddress);
      response.end();
    });
    const source6 = '2001:db8::9';
    assert.equal((await run(endpoint({ port, source4: '127.88.0.9', source6 }))).ok, true);
    assert.equal(from, '127.88.0.9');
    const lost = await run(endpoint({ port, source4: '192.0.2.77' }));
    const detail = 'the source 192.0.2.77 is not an address of this machine';
    assert.deepEqual(lost, { ok: false, detail });
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
      'sends interim answers without end',
      'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n'.repeat(1_000),
      'more than 16 interim answers (HTTP 1xx)',
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
    const named = await run(secure({ port, host: 'www.example.com:8443' }));
    const bare = await run(secure({ port }));
    assert.deepEqual([named.ok, bare.ok, names], [true, true, ['www.example.com', 'false']]);
  });

  test('told to verify, a certificate that nobody signed is bad', async () => {
    const port = await start([]);
    const result = await run(secure({ port, host: 'www.example.com', verify: true }));
    assert.deepEqual(result, { ok: false, detail: 'the certificate is self-signed' });
  });

  const ca_file = temporaryFile('ca.pem', TEST_CERTIFICATE);
  const host = 'www.example.com';

  test('a certificate of its own CA is good, for its own name only', async () => {
    const names: string[] = [];
    const port = await start(names);
    const verify = true;
    assert.equal((await run(secure({ port, host, verify, ca_file }))).ok, true);
    const server_name = 'www.example.com';
    const apart = await run(secure({ port, host: 'a.example', server_name, verify, ca_file }));
    assert.deepEqual([apart.ok, names], [true, [server_name, server_name]]);
    const other = await run(secure({ port, host: 'a.example', verify, ca_file }));
    assert.deepEqual(other, { ok: false, detail: 'the certificate is for another name' });
  });

  test('a CA file that is missing or none is told by its name', async () => {
    const port = await start([]);
    const garbage = '-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n';
    for (const path of ['/nonexistent.pem', '/dev/null', temporaryFile('ca.pem', garbage)]) {
      const result = await run(secure({ port, host, verify: true, ca_file: path }));
      assert.equal(result.ok, false);
      assert.match(result.detail, new RegExp(`^the CA file ${path} cannot be used \\(.+\\)$`));
    }
  });

  test('a certificate that ends too soon is bad', async () => {
    const port = await start([]);
    const clock = new VirtualClock(0, Date.UTC(2126, 9, 1));
    const soon = await run(secure({ port, host, certificate_days_min: 30 }), clock);
    const detail = 'the certificate ends in 26 days, expected at least 30';
    assert.deepEqual(soon, { ok: false, detail });
    const fine = await run(secure({ port, host, certificate_days_min: 26 }), clock);
    assert.deepEqual(fine, { ok: true, detail: 'HTTP 200' });
  });

  test('a server that speaks plain HTTP is bad', async () => {
    const port = await answering((_, response) => response.end());
    assert.deepEqual(await run(secure({ port })), { ok: false, detail: 'the answer is not TLS' });
  });
});
