/** Cookies as other software makes and uses them: BIND as another server of one anycast address. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { TOOLS_PATH } from '../../lab/tools.ts';
import type { DnsServer } from '../../src/dns/server.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { startServer } from '../support/dns-server.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';

const run = promisify(execFile);
const SECRET = '8b6f2c1d0e9a47355d1c4b3a29187f60';
const cookieSecrets = [Uint8Array.from(Buffer.from(SECRET, 'hex'))];
const required = { cookies: { secret_file: null, required: true } };

/** What dig prints of the SOA of example.com, asked from 127.0.0.1 as cookies hold for an address. */
async function dig({ address, port }: HostPort, ...more: string[]): Promise<string> {
  const at = [`@${address}`, '-p', String(port), '-b', '127.0.0.1', '+time=2', '+tries=1'];
  return (await run('dig', [...at, 'example.com', 'SOA', '+norec', ...more])).stdout;
}

const cookieIn = (text: string): string => /COOKIE: ([0-9a-f]{48})/.exec(text)![1]!;

describe('dig', { skip: need('dig') }, () => {
  test('comes back with the cookie it got with BADCOOKIE, and is answered', async (t) => {
    const server = await startServer({ dns: required });
    t.after(() => server.stop());
    const at = server.addresses[0]!;
    const answer = await dig(at, '+cookie');
    assert.match(answer, /status: NOERROR[\s\S]*COOKIE: [0-9a-f]{48} \(good\)/);
    assert.match(await dig(at, '+cookie', '+nobadcookie'), /status: BADCOOKIE/);
    assert.match(await dig(at, '+nocookie'), /status: NOERROR/);
    // RFC 7873 §5.4: no question, only a cookie.
    assert.match(await dig(at, '+header-only', '+cookie'), /status: NOERROR[\s\S]*QUERY: 0,/);
    const { badcookie, cookies } = server.counters();
    assert.deepEqual({ badcookie, cookies }, { badcookie: 2, cookies: 1 });
  });

  test('asks for NSID, keepalive and padding', async (t) => {
    const server = await startServer({ dns: { identity: 'fra-1', tcp_idle_ms: 20_000 } });
    t.after(() => server.stop());
    const at = server.addresses[0]!;
    assert.match(await dig(at, '+nsid'), /NSID: .*\("fra-1"\)/);
    assert.match(await dig(at, '+tcp', '+keepalive'), /TCP.KEEPALIVE: 20\.0 secs/i);
    assert.doesNotMatch(await dig(at, '+keepalive'), /; TCP.KEEPALIVE/i);
    assert.match(await dig(at, '-q', 'example.org'), /EDE: 20 \(Not Authoritative\)/);
    assert.match(await dig(at, '-q', 'id.server', '-t', 'TXT', '-c', 'CH'), /"fra-1"/);
  });
});

describe('a server of ours beside BIND, with one secret', { skip: need('dig', 'named') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'isobar-named-'));
  let named: ChildProcess;
  let bind: HostPort;
  let server: DnsServer;

  before(async () => {
    const free = createSocket('udp4').bind(0, '127.0.0.1');
    await once(free, 'listening');
    bind = { address: '127.0.0.1', port: free.address().port };
    free.close();
    const options = [
      `directory "${folder}"; pid-file none; session-keyfile none; dnssec-validation no;`,
      `listen-on port ${bind.port} { 127.0.0.1; }; listen-on-v6 { none; }; recursion no;`,
      `cookie-algorithm siphash24; cookie-secret "${SECRET}"; require-server-cookie yes;`,
    ];
    const zone = 'zone "example.com" { type primary; file "zone"; };';
    writeFileSync(
      join(folder, 'conf'),
      `options { ${options.join('\n')} };\ncontrols {};\n${zone}`,
    );
    writeFileSync(join(folder, 'zone'), '$TTL 60\n@ SOA @ @ 1 2 3 4 5\n@ NS @\n@ A 192.0.2.1\n');
    const env = { ...process.env, PATH: TOOLS_PATH };
    named = spawn('named', ['-g', '-n', '1', '-c', join(folder, 'conf')], { env, stdio: 'ignore' });
    server = await startServer({ dns: required, cookieSecrets });
    await eventually('named answers', () =>
      dig(bind).then(
        () => true,
        () => false,
      ),
    );
  });
  after(async () => {
    named.kill('SIGKILL');
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('each takes the cookies of the other', async () => {
    const ours = server.addresses[0]!;
    for (const [maker, taker] of [
      [bind, ours],
      [ours, bind],
    ] as const) {
      const cookie = cookieIn(await dig(maker, '+cookie=0102030405060708'));
      const answer = await dig(taker, `+cookie=${cookie}`, '+nobadcookie');
      assert.match(answer, /status: NOERROR[\s\S]*ANSWER: 1,/);
      const spoilt = cookie.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
      assert.match(await dig(taker, `+cookie=${spoilt}`, '+nobadcookie'), /status: BADCOOKIE/);
    }
  });
});
