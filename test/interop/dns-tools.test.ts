/** The server as dig and kdig see it, on both ways of moving UDP packets. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { DnsServer } from '../../src/dns/server.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
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
