/** The keys of the DNS server and of zone transfers: what becomes of them, and mistakes in them. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Config } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
});
afterEach(() => demo.destroy());

async function assertProblems(...expected: readonly RegExp[]): Promise<void> {
  const result = await loadConfig(demo.dir);
  const found = result.ok ? [] : result.error.map(formatProblem);
  assert.equal(found.length, expected.length, found.join('\n') || 'no problem was found');
  for (const [i, pattern] of expected.entries()) assert.match(found[i]!, pattern);
}

async function config(): Promise<Config> {
  const loaded = await loadConfig(demo.dir);
  assert.ok(loaded.ok, loaded.ok ? '' : loaded.error.map(formatProblem).join('\n'));
  return loaded.value;
}

/** Adds lines to `dns:` of fra; they begin in line 5. */
async function dns(...lines: readonly string[]): Promise<void> {
  await demo.edit('sites/fra.yaml', 'dns:\n', `dns:\n${lines.map((l) => `  ${l}\n`).join('')}`);
}

async function keys(text = '{fra-ns2: {secret_file: key}}'): Promise<void> {
  await demo.append('deployment.yaml', `tsig_keys: ${text}\n`);
  await demo.write('key', 'c2VjcmV0\n');
}

/** Adds lines to `transfer:` of the demo's zone, and gives the line of the first. */
async function transfer(...lines: readonly string[]): Promise<number> {
  const before = (await demo.read('zones/example.com.yaml')).split('\n').length;
  const text = ['transfer:', ...lines.map((line) => `  ${line}`)].join('\n');
  await demo.append('zones/example.com.yaml', `${text}\n`);
  return before + 1;
}

describe('the keys of dns', () => {
  test('without any: no TLS, no rate limit, nothing told, cookies of a random secret', async () => {
    const { dns } = (await config()).sites[0]!;
    assert.deepEqual(
      [dns.tls, dns.rate_limit, dns.identity, dns.version],
      [null, null, null, null],
    );
    assert.deepEqual(dns.cookies, { secret_file: null, required: false });
    assert.equal(dns.tcp_clients_per_address_max, 100);
  });

  test('all of them', async () => {
    await dns(
      'tcp_clients_per_address_max: 20',
      'tls:',
      '  certificate: tls/cert.pem',
      '  key: /etc/hostname',
      '  listen: ["[::1]:8853"]',
      '  https_listen: [127.0.0.1:8443]',
      '  https_path: /q',
      'identity: fra-1 (rack 7)',
      'version: isobar',
      'cookies: {secret_file: cookies, required: true}',
      'rate_limit: {responses_per_second: 50, slip: 0}',
    );
    await demo.write('cookies', `${'0'.repeat(32)}\n`);
    await demo.makeFolder('tls');
    await demo.write('tls/cert.pem', '');
    const { dns: built } = (await config()).sites[0]!;
    assert.equal(built.tcp_clients_per_address_max, 20);
    assert.deepEqual(built.tls, {
      certificate: join(demo.dir, 'tls/cert.pem'),
      key: '/etc/hostname',
      listen: [{ address: '::1', port: 8853 }],
      https_listen: [{ address: '127.0.0.1', port: 8443 }],
      https_path: '/q',
    });
    assert.deepEqual([built.identity, built.version], ['fra-1 (rack 7)', 'isobar']);
    assert.deepEqual(built.cookies, { secret_file: join(demo.dir, 'cookies'), required: true });
    const limit = { responses_per_s: 50, slip: 0, prefix4: 24, prefix6: 56 };
    assert.deepEqual(built.rate_limit, limit);
  });

  test('TLS without an address, or at addresses that are taken', async () => {
    const files = 'certificate: /etc/hostname, key: /etc/hostname';
    await dns(`tls: {${files}}`);
    await assertProblems(/^sites\/fra\.yaml:5:8: `tls` without an address: add `listen` \(TLS\)/);
    await demo.edit('sites/fra.yaml', files, `${files}, listen: [127.0.0.1:8301, 127.0.0.1:853]`);
    await demo.edit('sites/fra.yaml', ':853]', ':853], https_listen: [127.0.0.1:853]');
    await assertProblems(
      /^sites\/fra\.yaml:5:\d+: the address "127\.0\.0\.1:853" is already in line 5/,
      /^sites\/fra\.yaml:10:11: the address "127\.0\.0\.1:8301" is already in line 5/,
    );
  });

  test('a wrong address of TLS is not also a missing one', async () => {
    await dns('tls: {certificate: /etc/hostname, key: /etc/hostname, listen: [127.0.0.1]}');
    await assertProblems(/^sites\/fra\.yaml:5:66: "127\.0\.0\.1" is not an address and port/);
  });

  test('a wildcard address is told beside an address that it holds, of its own family', async () => {
    await demo.edit('sites/fra.yaml', '[127.0.0.1:5301]', '["0.0.0.0:8301", "[::]:8301"]');
    await assertProblems(
      /^sites\/fra\.yaml:9:11: 0\.0\.0\.0:8301 in line 5 takes this address, too: write another/,
    );
    await demo.edit('sites/fra.yaml', '0.0.0.0:8301', '0.0.0.0:53');
    await assertProblems();
  });

  test('files that are not there, each at its place, only where they are needed', async () => {
    await dns(
      'tls: {certificate: cert.pem, key: key.pem, listen: [127.0.0.1:853]}',
      'cookies: {secret_file: cookies}',
    );
    await assertProblems(
      /^sites\/fra\.yaml:5:22: "cert\.pem": there is no such file/,
      /^sites\/fra\.yaml:5:37: "key\.pem": there is no such file/,
      /^sites\/fra\.yaml:6:26: "cookies": there is no such file/,
    );
    assert.ok((await loadConfig(demo.dir, { site: 'iad' })).ok);
    assert.ok((await loadConfig(demo.dir, { machineFiles: false })).ok);
  });

  test('values out of range, and texts that no TXT string takes', async () => {
    await dns(
      `identity: "${'x'.repeat(256)}"`,
      'version: "größer"',
      'rate_limit: {slip: 11}',
      'cookies: {requierd: true}',
    );
    await assertProblems(
      /^sites\/fra\.yaml:5:13: "x+…" is not a text: write 1 to 255 printable ASCII/,
      /^sites\/fra\.yaml:6:12: "größer" is not a text/,
      /^sites\/fra\.yaml:7:3: "responses_per_second" is missing: add it/,
      /^sites\/fra\.yaml:7:22: 11 is too large: write at most 10/,
      /^sites\/fra\.yaml:8:13: unknown key "requierd": did you mean "required"\?/,
    );
  });
});

describe('zone transfers', () => {
  test('the zone has records from one file and transfers from the other', async () => {
    await keys(
      '{fra-ns2: {secret_file: key}, x.example: {algorithm: hmac-sha512, secret_file: key}}',
    );
    await transfer(
      'notify: [{address: 192.0.2.53}, {address: "[2001:DB8::53]:5353", key: fra-ns2}]',
      'allow: [{prefix: 192.0.2.0/24}, {key: x.example}, {prefix: "2001:db8::/32", key: fra-ns2}]',
    );
    const { zones, tsig_keys } = await config();
    const secret_file = join(demo.dir, 'key');
    assert.deepEqual(tsig_keys, [
      { name: 'fra-ns2', algorithm: 'hmac-sha256', secret_file },
      { name: 'x.example', algorithm: 'hmac-sha512', secret_file },
    ]);
    assert.equal(zones[0]!.file, 'zones/example.com.zone');
    assert.deepEqual(zones[0]!.transfer, {
      notify: [
        { address: { address: '192.0.2.53', port: 53 }, key: null },
        { address: { address: '2001:db8::53', port: 5353 }, key: 'fra-ns2' },
      ],
      allow: [
        { prefix: '192.0.2.0/24', key: null },
        { prefix: null, key: 'x.example' },
        { prefix: '2001:db8::/32', key: 'fra-ns2' },
      ],
    });
  });

  test('a key that is not there is told with the one that was meant', async () => {
    await keys();
    const line = await transfer(
      'notify: [{address: 192.0.2.53, key: fra-sn2}]',
      'allow: [{key: x}]',
    );
    const at = `^zones\\/example\\.com\\.yaml:${line}`;
    await assertProblems(
      new RegExp(`${at}:39: no TSIG key is named "fra-sn2": did you mean "fra-ns2"\\?`),
      new RegExp(`:${line + 1}:17: no TSIG key is named "x": known: fra-ns2`),
    );
  });

  test('a key with a mistake in it is no missing key', async () => {
    await keys('{fra-ns2: {algorithm: hmac-md5, secret_file: key}}');
    await transfer('allow: [{key: fra-ns2}]');
    await assertProblems(
      /^deployment\.yaml:\d+:34: "hmac-md5" is not allowed: write one of hmac-sha256, hmac-sha384/,
    );
  });

  test('nobody and everybody are mistakes', async () => {
    const line = await transfer('notify: [{address: 192.0.2.53}]');
    await assertProblems(
      new RegExp(
        `^zones\\/example\\.com\\.yaml:${line}:3: nobody may copy the zone: add \`allow\``,
      ),
    );
    await demo.append('zones/example.com.yaml', '  allow: [{}]\n');
    await assertProblems(
      new RegExp(
        `^zones\\/example\\.com\\.yaml:${line + 1}:11: anybody could copy the zone: write`,
      ),
    );
  });

  test('a prefix that is wrong is not also missing', async () => {
    const line = await transfer('allow: [{prefix: 192.0.2.1/24}]');
    await assertProblems(new RegExp(`:${line}:20: "192\\.0\\.2\\.1/24" is not a prefix`));
  });

  test('a key’s name is written in one way, its secret in a file that every site has', async () => {
    await demo.append('deployment.yaml', 'tsig_keys: {Fra.: {secret_file: key}}\n');
    await assertProblems(
      /^deployment\.yaml:\d+:13: "Fra\." is not a key name: write a lower-case domain name/,
    );
    await demo.edit('deployment.yaml', 'Fra.', 'fra');
    await assertProblems(/^deployment\.yaml:\d+:32: "key": there is no such file/);
    await demo.write('key', 'x\n');
    await assertProblems();
  });

  test('a secondary’s address is one that a message can be sent to', async () => {
    const line = await transfer('notify: [{address: 0.0.0.0}]', 'allow: [{prefix: 192.0.2.0/24}]');
    await assertProblems(
      new RegExp(`:${line}:22: "0\\.0\\.0\\.0" is not an address, with or without a port: write`),
    );
  });
});
