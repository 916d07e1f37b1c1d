/** HTTP, HTTPS, TLS and TCP probes of the servers that are most often probed: nginx and HAProxy. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { end } from '../../lab/netns.ts';
import { TOOLS_PATH } from '../../lab/tools.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { run, targetOf } from '../support/probe.ts';

const host = 'www.example.com';
const PLAIN = 18_971;
const SECURE = 18_972;

const NGINX = (dir: string): string => `daemon off;
pid ${dir}/nginx.pid;
error_log stderr crit;
events {}
http {
  access_log off;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
  uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  server {
    listen 127.88.2.1:${PLAIN};
    listen 127.88.2.1:${SECURE} ssl http2;
    ssl_certificate ${dir}/cert.pem;
    ssl_certificate_key ${dir}/key.pem;
    location = /up { return 200 "ready: $host $http_x_probe\\n"; }
    location = /moved { return 301 /up; }
    location / { return 503; }
  }
}
`;

const HAPROXY = (dir: string): string => `global
  stats socket ${dir}/haproxy.sock
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend plain
  bind 127.88.2.2:${PLAIN}
  bind 127.88.2.2:${SECURE} ssl crt ${dir}/both.pem alpn h2,http/1.1
  monitor-uri /up
  http-request return status 404
`;

describe('probes of nginx and HAProxy', { skip: need('nginx', 'haproxy') }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'isobar-web-'));
  const ca_file = join(dir, 'cert.pem');
  const children: ChildProcess[] = [];
  const start = (program: string, ...args: string[]): void => {
    const env = { ...process.env, PATH: TOOLS_PATH };
    children.push(spawn(program, args, { env, stdio: 'ignore' }));
  };

  before(async () => {
    writeFileSync(ca_file, TEST_CERTIFICATE);
    writeFileSync(join(dir, 'key.pem'), TEST_KEY);
    writeFileSync(join(dir, 'both.pem'), TEST_CERTIFICATE + TEST_KEY);
    writeFileSync(join(dir, 'nginx.conf'), NGINX(dir));
    writeFileSync(join(dir, 'haproxy.cfg'), HAPROXY(dir));
    start('nginx', '-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf'));
    start('haproxy', '-db', '-f', join(dir, 'haproxy.cfg'));
    for (const address of ['127.88.2.1', '127.88.2.2']) {
      const target = { ...targetOf('tcp', SECURE), address };
      await eventually('they listen', async () => (await run(target)).ok);
    }
  });
  after(async () => {
    for (const child of children) await end(child);
    rmSync(dir, { recursive: true, force: true });
  });

  for (const [name, address] of [
    ['nginx', '127.88.2.1'],
    ['HAProxy', '127.88.2.2'],
  ] as const) {
    test(`${name}: good and bad over HTTP and HTTPS`, async () => {
      const at = { address };
      const good = { ok: true, detail: 'HTTP 200' };
      const terms = { host, verify: true, ca_file, certificate_days_min: 30 };
      assert.deepEqual(await run({ ...targetOf('http', PLAIN, { path: '/up' }), ...at }), good);
      const secure = { ...targetOf('https', SECURE, { path: '/up', ...terms }), ...at };
      assert.deepEqual(await run(secure), good);
      assert.equal((await run({ ...targetOf('http', PLAIN, { path: '/x' }), ...at })).ok, false);
      const wrong = { ...targetOf('https', PLAIN, { path: '/up' }), ...at };
      assert.equal((await run(wrong)).ok, false);
      const tls = targetOf('tls', SECURE, { server_name: host, verify: true, ca_file });
      assert.match((await run({ ...tls, ...at })).detail, /^handshake done \(TLSv1.[23]\)$/);
    });

    test(`${name}: gRPC without a health service is bad, in words`, async () => {
      const terms = { server_name: host, verify: false, ca_file: null, certificate_days_min: null };
      const target = { ...targetOf('grpc', SECURE, { tls: terms, host }), address };
      const { ok, detail } = await run(target);
      assert.equal(ok, false);
      assert.match(detail, /^HTTP (503|404), expected 200$/);
    });
  }

  test('nginx: method, headers and body', async () => {
    const body = { contains: `ready: ${host} one`, matches: '^ready: \\S+ one\\n$' };
    const check = { path: '/up', host, headers: { 'x-probe': 'one' }, body };
    const target = { ...targetOf('http', PLAIN, check), address: '127.88.2.1' };
    assert.deepEqual(await run(target), { ok: true, detail: 'HTTP 200' });
    const head = { ...targetOf('http', PLAIN, { method: 'HEAD', path: '/moved', expect: [301] }) };
    assert.equal((await run({ ...head, address: '127.88.2.1' })).ok, true);
  });
});
