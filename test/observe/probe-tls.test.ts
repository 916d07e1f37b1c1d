import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { createServer } from 'node:tls';
import { VirtualClock } from '../../src/base/clock.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { endsWhenTold, ProbeServers, run, targetOf, temporaryFile } from '../support/probe.ts';

const servers = new ProbeServers();
afterEach(() => servers.close());

const start = (names: string[] = []): Promise<number> => {
  const server = createServer({ key: TEST_KEY, cert: TEST_CERTIFICATE });
  server.on('secureConnection', (socket) => names.push(String(socket.servername)));
  return servers.listen(server);
};

describe('TLS probe', () => {
  const server_name = 'www.example.com';
  const ca_file = temporaryFile('ca.pem', TEST_CERTIFICATE);

  test('a handshake is good; the server is told the name that it is asked for', async () => {
    const names: string[] = [];
    const port = await start(names);
    const good = await run(targetOf('tls', port, { server_name, verify: true, ca_file }));
    assert.deepEqual(good, { ok: true, detail: 'handshake done (TLSv1.3)' });
    assert.equal((await run(targetOf('tls', port))).ok, true);
    await eventually('the server is done as well', () => names.length === 2);
    assert.deepEqual(names, [server_name, 'false']);
  });

  test('a certificate for another name, or of nobody, is bad', async () => {
    const port = await start();
    const nobody = await run(targetOf('tls', port, { server_name, verify: true }));
    assert.equal(nobody.detail, 'the certificate is self-signed');
    const address = await run(targetOf('tls', port, { verify: true, ca_file }));
    assert.deepEqual(address, { ok: false, detail: 'the certificate is for another name' });
  });

  test('days left are counted by the wall clock', async () => {
    const port = await start();
    const late = new VirtualClock(0, Date.UTC(2127, 0, 1));
    const expired = await run(targetOf('tls', port, { certificate_days_min: 0 }), late);
    assert.deepEqual(expired, { ok: false, detail: 'the certificate has expired' });
    assert.equal((await run(targetOf('tls', port, { certificate_days_min: 3650 }))).ok, true);
  });

  test('a server that does not speak TLS, closes, or resets is bad', async () => {
    const plain = await servers.tcp((socket) => socket.end('220 hello\r\n'));
    assert.equal((await run(targetOf('tls', plain))).ok, false);
    const closes = await servers.tcp((socket) => socket.end());
    assert.equal((await run(targetOf('tls', closes))).ok, false);
    const refused = await run(targetOf('tls', await servers.closedPort()));
    assert.deepEqual(refused, { ok: false, detail: 'connection refused' });
  });

  test('the timeout and an abort end a handshake that does not end', async () => {
    let got = 0;
    const port = await servers.tcp((socket) => {
      socket.on('data', () => got++);
    });
    await endsWhenTold(targetOf('tls', port), new VirtualClock(), () => got > 0, 'TLS handshake');
  });
});
