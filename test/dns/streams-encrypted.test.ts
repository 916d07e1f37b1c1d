/** DNS over TLS (RFC 7858) and over HTTPS (RFC 8484), and the certificate that both use. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { DnsServer } from '../../src/dns/server.ts';
import { freshness_s } from '../../src/dns/stream-https.ts';
import type { DnsListen } from '../../src/model/config.ts';
import type { HostPort } from '../../src/net/ip.ts';
import {
  OTHER_CERTIFICATE,
  OTHER_KEY,
  TEST_CERTIFICATE,
  TEST_KEY,
} from '../support/certificate.ts';
import { buildQuery, readMessage } from '../support/dns-query.ts';
import { askTcp, askTls, framed, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf, openDoor } from '../support/dns-zone.ts';
import { eventually } from '../support/eventually.ts';

const PATH = '/dns-query';
const query = (id: number, name = 'ns1.example.com') => buildQuery({ id, name, type: 1 });
const listen = [{ address: '127.0.53.41', port: 0 }];

interface Pair {
  readonly folder: string;
  readonly tls: NonNullable<DnsListen['tls']>;
}

/** Files with a certificate and its key, in a folder of their own. */
async function pairOf(cert: string, key: string): Promise<Pair> {
  const folder = await mkdtemp(join(tmpdir(), 'isobar-tls-'));
  const tls = {
    certificate: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
    listen,
    https_listen: listen,
    https_path: PATH,
  };
  await writeFile(tls.certificate, cert);
  await writeFile(tls.key, key);
  return { folder, tls };
}

/** As a tool that renews certificates does it. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** The subject of the certificate that a new connection meets, and the protocol versions. */
async function handshake(at: HostPort, options: object = {}) {
  const socket = connectTls({
    host: at.address,
    port: at.port,
    rejectUnauthorized: false,
    ...options,
  });
  await once(socket, 'secureConnect');
  const facts = {
    subject: socket.getPeerCertificate().subject.CN,
    version: socket.getProtocol(),
    alpn: socket.alpnProtocol,
  };
  socket.destroy();
  return facts;
}

describe('encrypted streams', () => {
  let server: DnsServer;
  let pair: Pair;
  let tls: HostPort;
  let https: HostPort;
  const problems: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (fields) => problems.push((fields as { problem: string }).problem),
  };
  before(async () => {
    pair = await pairOf(TEST_CERTIFICATE, TEST_KEY);
    server = await startServer({ log, dns: { listen, tls: pair.tls, tcp_idle_ms: 60_000 } });
    [tls, https] = [server.tlsAddresses[0]!, server.httpsAddresses[0]!];
  });
  after(async () => {
    await server.stop();
    await rm(pair.folder, { recursive: true });
  });

  test('a thousand queries over TLS, in one piece or in odd ones', async () => {
    const ids = Array.from({ length: 1000 }, (_, id) => id);
    const stream = Buffer.concat(ids.map((id) => framed(query(id))));
    const odd = [stream.subarray(0, 1), stream.subarray(1, 100), stream.subarray(100)];
    for (const chunks of [[stream], odd]) {
      const answers = await askTls(tls, chunks, 1000);
      assert.deepEqual(
        answers.map(({ id }) => id),
        ids,
      );
    }
  });

  test('TLS 1.2 and 1.3 with ALPN "dot" or without; nothing older, no other protocol', async () => {
    const dot = { ALPNProtocols: ['dot'] };
    assert.equal((await handshake(tls, dot)).alpn, 'dot');
    assert.equal((await handshake(tls, { maxVersion: 'TLSv1.2' })).version, 'TLSv1.2');
    assert.equal((await handshake(tls)).version, 'TLSv1.3');
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await assert.rejects(handshake(tls, old));
    await assert.rejects(handshake(tls, { ALPNProtocols: ['h2'] }));
    assert.equal((await handshake(https, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'h2');
  });

  test('octets that are no TLS end that connection, not the server', async () => {
    const before = server.counters().tls_failed!;
    for (const at of [tls, https]) {
      const socket = connect({ host: at.address, port: at.port });
      socket.on('error', () => {});
      socket.resume();
      socket.write(framed(query(1)));
      await once(socket, 'close');
    }
    await eventually('both are counted', () => server.counters().tls_failed! >= before + 2);
    assert.equal((await askTls(tls, [framed(query(2))], 1)).length, 1);
  });

  const session = async (): Promise<ClientHttp2Session> => {
    const client = connectHttp2(`https://${https.address}:${https.port}`, {
      rejectUnauthorized: false,
    });
    client.on('error', () => {});
    await once(client, 'connect');
    return client;
  };
  const ask2 = async (client: ClientHttp2Session, headers: object, body?: Uint8Array) => {
    const stream = client.request({ ':path': PATH, ...headers });
    stream.on('error', () => {});
    stream.end(body);
    const [answer] = await once(stream, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return { status: answer[':status'], headers: answer, body: Buffer.concat(chunks) };
  };
  const post = { ':method': 'POST', 'content-type': 'application/dns-message' };

  test('HTTP/2: GET and POST give the same answer, with the time that it may be kept', async () => {
    const client = await session();
    const wire = query(0, 'www.example.com');
    const got = await ask2(client, {
      ':path': `${PATH}?dns=${Buffer.from(wire).toString('base64url')}`,
    });
    const posted = await ask2(client, post, wire);
    for (const { status, headers, body } of [got, posted]) {
      assert.equal(status, 200);
      assert.equal(headers['content-type'], 'application/dns-message');
      assert.equal(headers['content-length'], String(body.length));
      assert.equal(headers['cache-control'], 'private, max-age=5');
      assert.equal(readMessage(body).answers.length, 2);
    }
    client.close();
  });

  test('every other request gets the status that says why', async () => {
    const client = await session();
    const octets = (length: number) => new Uint8Array(length);
    const cases: [number, object, Uint8Array?][] = [
      [404, { ':path': '/' }],
      [404, { ':path': `${PATH}/x?dns=AAAA` }],
      [400, {}],
      [400, { ':path': `${PATH}?dns=` }],
      [400, { ':path': `${PATH}?dns=a+b/` }],
      [400, { ':path': `${PATH}?dns=AAAA` }],
      [414, { ':path': `${PATH}?dns=${'A'.repeat(9000)}` }],
      [405, { ':method': 'DELETE' }],
      [405, { ':method': 'HEAD' }],
      [415, { ':method': 'POST' }, query(1)],
      [415, { ':method': 'POST', 'content-type': 'text/plain' }, query(1)],
      [400, post, octets(3)],
      [400, post],
      [413, { ...post, 'content-length': '65536' }, octets(65_536)],
      [413, post, octets(65_536)],
    ];
    for (const [status, headers, body] of cases) {
      const answer = await ask2(client, headers, body);
      assert.equal(answer.status, status, JSON.stringify(headers).slice(0, 80));
      assert.equal(answer.body.length, 0);
      if (status === 405) assert.equal(answer.headers.allow, 'GET, POST');
    }
    client.close();
  });

  test('HTTP/1.1 is served, too', async () => {
    const request = requestHttps({
      host: https.address,
      port: https.port,
      path: PATH,
      method: 'POST',
      rejectUnauthorized: false,
      headers: { 'content-type': 'application/dns-message' },
    });
    request.end(query(7));
    const [response] = await once(request, 'response');
    assert.equal(response.httpVersion, '1.1');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    assert.equal(readMessage(Buffer.concat(chunks)).id, 7);
    request.destroy();
  });

  test('a hundred requests before the client has seen the settings are all answered', async () => {
    const client = connectHttp2(`https://${https.address}:${https.port}`, {
      rejectUnauthorized: false,
    });
    const asked = Array.from({ length: 100 }, (_, id) => ask2(client, post, query(id)));
    for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
    client.close();
  });

  test('a client that opens streams and resets them at once harms nobody', async () => {
    const rapid = await session();
    const other = await session();
    for (let i = 0; i < 3000 && !rapid.destroyed; i++) {
      const stream = rapid.request({ ':path': PATH, ...post });
      stream.on('error', () => {});
      stream.close(8);
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    assert.equal((await ask2(other, post, query(1))).status, 200);
    rapid.destroy();
    other.close();
  });

  test('a body that is begun and not ended is closed with its connection, and counts as idle', async () => {
    const client = await session();
    const before = server.counters().tcp_clients!;
    const stream = client.request({ ':path': PATH, ...post });
    stream.on('error', () => {});
    stream.write(query(1).subarray(0, 5));
    const config = serverConfig({ dns: { listen, tls: pair.tls, tcp_idle_ms: 50 } });
    const closed = new Promise((resolve) => client.on('close', resolve)); // or reset before it
    await server.reload(config, geoOf(config));
    await closed;
    await eventually('it is gone', () => server.counters().tcp_clients! < before);
    const again = serverConfig({ dns: { listen, tls: pair.tls, tcp_idle_ms: 60_000 } });
    await server.reload(again, geoOf(again));
    assert.deepEqual(server.tlsAddresses, [tls]);
  });

  test('a new certificate is used for new connections; one that does not fit is not', async () => {
    const before = await handshake(tls);
    assert.equal(before.subject, 'www.example.com');
    const held = connectTls({ host: tls.address, port: tls.port, rejectUnauthorized: false });
    await once(held, 'secureConnect');
    // Of another certificate; then no certificate at all; the old pair stays.
    await replace(pair.tls.certificate, OTHER_CERTIFICATE);
    await eventually('it is told', () => /is not the key/.test(problems.at(-1) ?? ''));
    assert.equal((await handshake(tls)).subject, 'www.example.com');
    await replace(pair.tls.certificate, 'nonsense');
    await eventually('it is told', () => /holds no certificate/.test(problems.at(-1) ?? ''));
    assert.equal((await handshake(https)).subject, 'www.example.com');
    await replace(pair.tls.certificate, OTHER_CERTIFICATE);
    await replace(pair.tls.key, OTHER_KEY);
    await eventually(
      'the new one is used',
      async () => (await handshake(tls)).subject === 'ns1.example.com',
    );
    assert.equal((await handshake(https)).subject, 'ns1.example.com');
    held.write(framed(query(3)));
    assert.ok(await once(held, 'data'));
    held.destroy();
  });
});

test('a pair that cannot be used is one clear error at the start, and nothing is left open', async () => {
  const { folder, tls } = await pairOf(TEST_CERTIFICATE, OTHER_KEY);
  await assert.rejects(startServer({ dns: { listen, tls } }), {
    message: `${tls.key} is not the key of the certificate in ${tls.certificate}`,
  });
  await rm(tls.certificate);
  await assert.rejects(startServer({ dns: { listen, tls } }), {
    message: `${tls.certificate} cannot be read (ENOENT)`,
  });
  await rm(folder, { recursive: true });
});

test('a reload looks at the certificate at once: its new pair is in use when it resolves', async () => {
  const { folder, tls } = await pairOf(TEST_CERTIFICATE, TEST_KEY);
  const server = await startServer({ dns: { listen, tls } });
  const config = serverConfig({ dns: { listen, tls } });
  await replace(tls.certificate, OTHER_CERTIFICATE);
  await replace(tls.key, OTHER_KEY);
  await server.reload(config, geoOf(config));
  assert.equal((await handshake(server.tlsAddresses[0]!)).subject, 'ns1.example.com');
  assert.equal((await handshake(server.httpsAddresses[0]!)).subject, 'ns1.example.com');
  await server.stop();
  await rm(folder, { recursive: true });
});

test('a reload opens and closes addresses; connections stay', async () => {
  const { folder, tls } = await pairOf(TEST_CERTIFICATE, TEST_KEY);
  const server = await startServer({ dns: { listen } });
  const [tcp] = server.addresses;
  const held = connect({ host: tcp!.address, port: tcp!.port });
  await once(held, 'connect');
  held.write(framed(query(1)));
  await once(held, 'data');
  const more = [...listen, { address: '127.0.53.42', port: 0 }];
  const config = serverConfig({ dns: { listen: more, tls, workers: 2 } });
  await server.reload(config, geoOf(config));
  assert.deepEqual(server.addresses[0], tcp);
  assert.equal(server.addresses.length, 2);
  for (const at of server.addresses)
    assert.equal((await askTcp(at, [framed(query(1))], 1)).length, 1);
  assert.equal((await askTls(server.tlsAddresses[0]!, [framed(query(1))], 1)).length, 1);
  const less = serverConfig({ dns: { listen: [more[1]!] } });
  await server.reload(less, geoOf(less));
  assert.equal(server.addresses.length, 1);
  assert.deepEqual(server.tlsAddresses, []);
  await assert.rejects(askTcp(tcp!, [framed(query(1))], 1), /ECONNREFUSED/);
  held.write(framed(query(2)));
  await once(held, 'data');
  held.destroy();
  await server.stop();
  await rm(folder, { recursive: true });
});

test('RFC 8484 §5.1: an answer is fresh as long as its shortest TTL', () => {
  const { raw } = openDoor();
  const fresh = (name: string, type: number) => freshness_s(raw(buildQuery({ name, type }))!);
  assert.equal(fresh('ns1.example.com', 1), 300);
  assert.equal(fresh('alias.example.com', 1), 5); // CNAME 300, addresses 5
  assert.equal(fresh('missing.example.com', 1), 60); // the SOA's minimum
  assert.equal(fresh('host.sub.example.com', 16), 300); // the SOA's TTL is less than its minimum
  assert.equal(fresh('down.example.com', 1), 0); // a referral
  assert.equal(fresh('www.example.org', 1), 0); // REFUSED
});
