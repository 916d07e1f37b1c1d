/** The server as dig and kdig see it, on both ways of moving UDP packets. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { DnsServer } from '../../src/dns/server.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import { startServer } from '../support/dns-server.ts';
import { need } from '../support/need.ts';

const run = promisify(execFile);

for (const udp of ['batch', 'dgram'] as UdpEngine[]) {
  describe(`dig and kdig, UDP by ${udp}`, { skip: need('dig', 'kdig') }, () => {
    let server: DnsServer;
    before(async () => {
      server = await startServer({ udp });
    });
    after(async () => server.stop());

    const dig = async (...args: string[]): Promise<string> => {
      const { address, port } = server.addresses[0]!;
      const at = [`@${address}`, '-p', String(port), '+time=2', '+tries=1', '+norecurse'];
      return (await run('dig', [...at, ...args])).stdout;
    };
    const kdig = async (...args: string[]): Promise<string> => {
      const { address, port } = server.addresses[0]!;
      const at = [`@${address}`, '-p', String(port), '+time=2', '+retry=0', '+norec'];
      return (await run('kdig', [...at, ...args])).stdout;
    };
    const lines = (text: string): string[] => text.trim().split('\n').sort();

    test('UDP, TCP and without EDNS', async () => {
      for (const way of ['+notcp', '+tcp', '+noedns']) {
        assert.equal(await dig('ns1.example.com', '+short', way), '192.0.2.53\n');
        assert.equal(await kdig('ns1.example.com', '+short', way), '192.0.2.53\n');
      }
      assert.equal(await dig('ns1.example.com', 'AAAA', '+short'), '2001:db8::53\n');
      assert.match(await dig('ns1.example.com'), /status: NOERROR[\s\S]*flags: qr aa;/);
    });

    test('a client subnet, IPv4 and IPv6, is honoured and echoed', async () => {
      const asia = await dig('www.example.com', '+subnet=203.0.113.0/24');
      assert.match(asia, /CLIENT-SUBNET: 203\.0\.113\.0\/24\/24/);
      assert.match(asia, /127\.1\.3\.1/);
      const america = await kdig('www.example.com', '+short', '+subnet=198.51.100.0/24');
      assert.deepEqual(lines(america), ['127.1.2.1', '127.1.2.2']);
      assert.match(await dig('www.example.com', '+subnet=2001:db8::/56'), /2001:db8::\/56\/0/);
      assert.match(await dig('www.example.com', '+subnet=0'), /status: NOERROR/);
      assert.match(await dig('ns1.example.com', '+subnet=192.0.2.0/24'), /192\.0\.2\.0\/24\/0/);
    });

    test('a version of EDNS that nobody speaks is BADVERS', async () => {
      assert.match(await dig('ns1.example.com', '+edns=1', '+noednsneg'), /status: BADVERS/);
    });

    test('NXDOMAIN, NODATA and REFUSED', async () => {
      const missing = await dig('missing.example.com');
      assert.match(
        missing,
        /status: NXDOMAIN[\s\S]*AUTHORITY SECTION:\nexample\.com\.\s+60\s+IN\s+SOA/,
      );
      const nodata = await dig('mail.example.com', 'TXT');
      assert.match(nodata, /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/);
      assert.match(await dig('www.example.org'), /status: REFUSED/);
      assert.match(await dig('example.com', 'AXFR'), /Transfer failed/);
    });

    test('wildcard, alias chain, MX and SRV', async () => {
      assert.equal(await dig('a.b.wild.example.com', '+short'), '192.0.2.77\n');
      assert.equal(
        await dig('one.example.com', '+short'),
        'two.example.com.\nhost.sub.example.com.\n192.0.2.100\n',
      );
      assert.equal(
        await kdig('_sip._tcp.example.com', 'SRV', '+short'),
        '0 0 5060 mail.example.com.\n',
      );
      assert.deepEqual(lines(await kdig('example.com', 'MX', '+short')), [
        '10 mail.example.com.',
        '20 www.example.com.',
      ]);
    });

    test('a delegation with its glue', async () => {
      const referral = await dig('host.down.example.com');
      assert.match(referral, /flags: qr; QUERY: 1, ANSWER: 0, AUTHORITY: 2, ADDITIONAL: 2/);
      assert.match(referral, /ns\.down\.example\.com\.\s+300\s+IN\s+A\s+192\.0\.2\.54/);
    });

    test('truncation, and the turn to TCP after it', async () => {
      assert.match(
        await dig('big.example.com', '+bufsize=512', '+ignore'),
        /flags: qr aa tc;[\s\S]*ANSWER: 0/,
      );
      assert.equal(lines(await dig('big.example.com', '+bufsize=512', '+short')).length, 60);
      assert.equal(lines(await kdig('big.example.com', '+bufsize=512', '+short')).length, 60);
    });
  });
}

describe('DNS over TLS and HTTPS with kdig and curl', { skip: need('kdig', 'curl') }, () => {
  let server: DnsServer;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'isobar-tls-'));
    const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await writeFile(certificate, TEST_CERTIFICATE);
    await writeFile(key, TEST_KEY);
    const listen = [{ address: '127.0.53.61', port: 0 }];
    const tls = { certificate, key, listen, https_listen: listen, https_path: '/dns-query' };
    server = await startServer({ dns: { listen, tls } });
  });
  after(async () => {
    await server.stop();
    await rm(folder, { recursive: true });
  });

  test('kdig +tls verifies the name and gets its answers, also more than one', async () => {
    const { address, port } = server.tlsAddresses[0]!;
    const ca = `+tls-ca=${join(folder, 'cert.pem')}`;
    const at = [`@${address}`, '-p', String(port), '+short', '+tls', ca];
    const host = '+tls-hostname=www.example.com';
    const once = await run('kdig', [...at, host, 'ns1.example.com']);
    assert.equal(once.stdout, '192.0.2.53\n');
    const many = await run('kdig', [
      ...at,
      host,
      '+keepopen',
      'ns1.example.com',
      'mail.example.com',
    ]);
    assert.deepEqual(many.stdout.trim().split('\n').sort(), ['192.0.2.25', '192.0.2.53']);
    const wrong = run('kdig', [...at, '+tls-hostname=www.example.org', 'ns1.example.com']);
    await assert.rejects(wrong);
  });

  test('kdig +https, by GET and by POST', async () => {
    const { address, port } = server.httpsAddresses[0]!;
    for (const way of ['+https', '+https-get']) {
      const at = [`@${address}`, '-p', String(port), '+short', '+https', way];
      assert.equal((await run('kdig', [...at, 'ns1.example.com'])).stdout, '192.0.2.53\n');
    }
  });

  test('curl by HTTP/2 and HTTP/1.1, with the certificate verified', async () => {
    const { address, port } = server.httpsAddresses[0]!;
    const dns = 'AAABAAABAAAAAAAAA25zMQdleGFtcGxlA2NvbQAAAQAB';
    for (const [version, line] of [
      ['--http2', /^HTTP\/2 200/],
      ['--http1.1', /^HTTP\/1\.1 200 OK/],
    ] as const) {
      const { stdout } = await run('curl', [
        ...['-s', version, '-D', '-', '-o', '/dev/null', '--cacert', join(folder, 'cert.pem')],
        ...['--connect-to', `www.example.com:443:${address}:${port}`],
        `https://www.example.com/dns-query?dns=${dns}`,
      ]);
      assert.match(stdout, line);
      assert.match(stdout, /content-type: application\/dns-message/i);
      assert.match(stdout, /cache-control: private, max-age=300/i);
    }
  });
});
