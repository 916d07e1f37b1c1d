/** The `isobar` command as a user runs it: a process, its output, its exit code. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { Status } from '../../src/agent/status.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { OTHER_KEY, TEST_CERTIFICATE } from '../support/certificate.ts';
import { TempDeployment } from '../support/deployment.ts';
import { ask } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { FraProcess, freePort, isobar, MAIN, type Place, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

let copy: TempDeployment;
beforeEach(async () => {
  copy = await TempDeployment.create();
});
afterEach(() => copy.destroy());

describe('the command line', () => {
  const SCOPE = ['--site', '--service', '--endpoint', '--label'];
  const OVERRIDE = [
    ...SCOPE,
    ...['--reason', '--by', '--for', '--dry-run', '--yes', '--force', '--json'],
    ...['--at', '--config', '--api'],
  ];
  const OPTIONS: Readonly<Record<string, readonly string[]>> = {
    run: ['--site', '--agent', '--config', '--log-level', '--take-over'],
    check: ['--config', '--site', '--no-machine-files'],
    explain: ['--client', '--live', '--json', '--site', '--agent', '--config', '--api'],
    status: ['--json', '--site', '--agent', '--config', '--api'],
    'reset-penalty': ['--site', '--agent', '--config', '--api'],
    reload: ['--dry-run', '--site', '--agent', '--config', '--api'],
    drain: ['--reason', '--for', '--by', '--site', '--at', '--config', '--api'],
    undrain: ['--by', '--site', '--at', '--config', '--api'],
    overrides: ['--json', '--at', '--config', '--api'],
    override: [],
    'override drain': OVERRIDE,
    'override up': OVERRIDE,
    'override down': OVERRIDE,
    'override remove': [...SCOPE, '--reason', '--by', '--at', '--config', '--api'],
    bgp: [],
    'bgp neighbors': ['--json', '--site', '--agent', '--config', '--api'],
    'bgp routes': ['--neighbor', '--json', '--site', '--agent', '--config', '--api'],
    'bgp received': ['--json', '--site', '--agent', '--config', '--api'],
    'bgp why': ['--json', '--site', '--agent', '--config', '--api'],
    'bgp reset': ['--reason', '--site', '--agent', '--config', '--api'],
    'bgp reset-penalty': ['--site', '--agent', '--config', '--api'],
    schema: [],
    demo: ['--config', '--exercise'],
  };

  test('--help names every command, and of each command every option', async () => {
    const top = await isobar('--help');
    assert.equal(top.code, 0);
    await Promise.all(
      Object.entries(OPTIONS).map(async ([command, options]) => {
        const words = command.split(' ');
        assert.match(top.out, new RegExp(`^  ${words[0]}\\b`, 'm'));
        const { code, out, err } = await isobar(...words, '--help');
        assert.deepEqual([code, err], [0, '']);
        const listed = [...out.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map((match) => match[1]!);
        assert.deepEqual(listed.sort(), [...options, '--help'].sort(), command);
      }),
    );
  });

  test('what is wrong with it is said on standard error, and the exit code is 2', async () => {
    const wrong: [string[], RegExp][] = [
      [['check', '--cofnig', '.'], /unknown option '--cofnig'.*\n.*--config/],
      [['chekc'], /unknown command 'chekc'/],
      [['run'], /required option '--site <name>'/],
      [['run', '--site', 'fra', '--log-level', 'loud'], /loud.*debug, info/],
      [['explain', '--client', '192.0.2.7'], /missing required argument 'name'/],
      [['status', '--config', copy.dir], /say which site: --site with one of fra, iad, sin/],
      [['status', '--api', 'localhost:8301'], /write a URL/],
      [['bgp', 'nieghbors'], /unknown command 'nieghbors'/],
      [['bgp', 'why'], /missing required argument 'name'/],
      [['schema', 'zoen'], /no schema "zoen"; there are deployment, site, zone/],
    ];
    await Promise.all(
      wrong.map(async ([args, text]) => {
        const { code, out, err } = await isobar(...args);
        assert.deepEqual([code, out], [2, ''], args.join(' '));
        assert.match(err, text);
      }),
    );
  });

  test('a reader that leaves early is no error', async () => {
    const child = spawn(process.execPath, [MAIN, 'schema'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let err = '';
    child.stderr.on('data', (text) => {
      err += text;
    });
    child.stdout.destroy();
    const [code] = (await once(child, 'close')) as [number | null];
    assert.deepEqual([code, err], [0, '']);
  });
});

describe('without an agent', () => {
  test('check: the key of a neighbour that is too long, or that anyone can read, is told', async () => {
    const named = 'connect_retry: 1s\n      md5_key_file: spines.key';
    await copy.edit('sites/fra.yaml', 'connect_retry: 1s', named);
    await writeFile(join(copy.dir, 'spines.key'), 'secret\n', { mode: 0o644 });
    const open = await isobar('check', '--config', copy.dir, '--site', 'fra');
    assert.equal(open.code, 0, open.err);
    assert.match(
      open.out,
      /^\S+spines\.key: every user of this machine can read the key: .*\n.*: good/,
    );
    await copy.write('spines.key', 'x'.repeat(81));
    const long = await isobar('check', '--config', copy.dir, '--site', 'fra');
    assert.equal(long.code, 1);
    assert.match(long.err, /spines\.key: 81 octets: a key of TCP MD5 has 80 at most/);
  });

  test('check: the demo’s deployment is good', async () => {
    const { code, out, err } = await isobar('check', '--config', copy.dir);
    assert.deepEqual([code, err], [0, '']);
    assert.match(out, /: good: 3 sites, 1 service, 6 endpoints, 1 VIP, 1 zone\n$/);
  });

  test('check: ten different mistakes are ten errors at their lines, at once', async () => {
    const expected = await tenMistakes(copy);
    const { code, out, err } = await isobar('check', '--config', copy.dir);
    assert.deepEqual([code, out], [1, '']);
    const lines = err.trimEnd().split('\n');
    assert.equal(lines.pop(), '10 problems');
    assert.equal(lines.length, 10, err);
    for (const place of expected) {
      assert.equal(lines.filter((line) => line.startsWith(place)).length, 1, `${place}\n${err}`);
    }
    for (const line of lines) assert.match(line, /^[\w./-]+:\d+:\d+: .{10,}$/);
  });

  test('check: what is in a secret’s file is checked, and not shown', async () => {
    await copy.write('cookies', 'c00kie\n');
    await copy.edit('sites/iad.yaml', 'dns:', 'dns:\n  cookies: {secret_file: cookies}');
    await copy.write('key', 's3cret\n');
    await copy.append('deployment.yaml', 'tsig_keys: {k: {secret_file: key}}\n');
    const keys = await isobar('check', '--config', copy.dir);
    assert.deepEqual([keys.code, keys.out], [1, '']);
    const key = `${copy.dir}/key: not base64: write the secret alone`;
    const secret = `${copy.dir}/cookies: line 1: not a secret of 32 hexadecimal digits`;
    assert.equal(keys.err, `${key}\n${secret}\n2 problems\n`);
    await copy.write('key', `${Buffer.alloc(32).toString('base64')}\n`);
    const cookies = await isobar('check', '--config', copy.dir);
    assert.deepEqual([cookies.code, cookies.err], [1, `${secret}\n1 problem\n`]);
  });

  test('check: of the files that only machines have, those of one site, or none', async () => {
    await copy.edit('sites/iad.yaml', '127.0.0.1:8302', '127.0.0.1:8302\n  token_file: token');
    const checks = [[], ['--site', 'iad'], ['--site', 'fra'], ['--no-machine-files']];
    const results = await Promise.all(
      checks.map((options) => isobar('check', '--config', copy.dir, ...options)),
    );
    assert.deepEqual(
      results.map(({ code }) => code),
      [1, 1, 0, 0],
    );
    for (const { err } of results.slice(0, 2)) {
      assert.match(err, /^sites\/iad\.yaml:\d+:\d+: "token": there is no such file/);
    }
  });

  test('check: a key that is not the certificate’s is told', async () => {
    await copy.write('fra.pem', TEST_CERTIFICATE);
    await copy.write('iad.key', OTHER_KEY);
    const tls = '\n  tls: {certificate: fra.pem, key: iad.key, listen: [127.0.0.1:8853]}';
    await copy.edit('sites/fra.yaml', 'dns:', `dns:${tls}`);
    const { code, err } = await isobar('check', '--config', copy.dir);
    assert.equal(code, 1);
    assert.match(err, /iad\.key is not the key of the certificate in .*fra\.pem\n1 problem\n$/);
  });

  test('explain: the steps that lead to an answer', async () => {
    const question = ['explain', 'www.example.com', '--client', '192.0.2.7', '--config', copy.dir];
    const { code, out } = await isobar(...question);
    assert.equal(code, 0);
    assert.match(out, /client +region europe .*nearest first: fra, iad, sin/);
    assert.match(out, /answer +127\.1\.1\.1 \(fra-lb1\/web\), 127\.1\.1\.2 \(fra-lb2\/web\)/);
    const json = await isobar(...question, '--json');
    const { answer } = JSON.parse(json.out) as { answer: { address: string }[] };
    assert.deepEqual(
      answer.map(({ address }) => address),
      ['127.1.1.1', '127.1.1.2', '2001:db8:1::1', '2001:db8:1::2'],
    );
  });

  test('explain: a name or a client that is not known is one sentence', async () => {
    const at = ['--config', copy.dir];
    const name = await isobar('explain', 'ftp.example.com', '--client', '192.0.2.7', ...at);
    assert.deepEqual([name.code, name.out], [1, '']);
    assert.match(name.err, /^ftp\.example\.com is not a health-aware name; there are: www.*\n$/);
    const client = await isobar('explain', 'www.example.com', '--client', 'me', ...at);
    assert.deepEqual([client.code, client.err], [1, '"me" is not an IP address\n']);
  });

  test('schema: JSON Schema of each kind of file', async () => {
    const all = JSON.parse((await isobar('schema')).out) as Record<string, { type: string }>;
    assert.deepEqual(Object.keys(all).sort(), ['deployment', 'site', 'zone']);
    assert.deepEqual(JSON.parse((await isobar('schema', 'site')).out), all.site);
  });

  test('status: that no agent answers is one sentence', async () => {
    const api = `http://127.0.0.1:${await freePort()}`;
    const { code, out, err } = await isobar('status', '--api', api);
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /^no agent answers at http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*\n$/);
  });
});

/** Makes ten mistakes in `copy`; gives the file and line of each. */
async function tenMistakes(deployment: TempDeployment): Promise<string[]> {
  const mistakes: [string, string, string][] = [
    ['deployment.yaml', 'timeout: 500ms', 'timeuot: 300ms'],
    ['deployment.yaml', 'interval: 500ms', 'interval: 500'],
    ['deployment.yaml', 'sites: [iad, fra, sin]', 'sites: [iat, fra, sin]'],
    ['deployment.yaml', '203.0.113.0/24', '203.0.113.7/24'],
    ['deployment.yaml', 'drain: 3s', 'report_stale: 2s'],
    ['sites/iad.yaml', 'site: iad', 'site: fra'],
    ['sites/sin.yaml', 'sin-lb2', 'fra-lb1'],
    ['sites/sin.yaml', 'as: 65000', 'as: 0'],
    ['zones/example.com.yaml', 'check: web', 'check: wed'],
    ['zones/example.com.yaml', 'policy: nearest', 'policy: neerest'],
  ];
  const places: string[] = [];
  for (const [file, from, to] of mistakes) {
    places.push(`${file}:${await deployment.edit(file, from, to)}:`);
  }
  return places;
}

const SECOND_SERVICE = `
  - name: web
    check: web
    policy: nearest
    pool: all
`;

describe('isobar run', () => {
  const backend = new Backend();
  let health = 0;
  let fra: FraProcess | null = null;
  let place: Place;

  before(async () => {
    health = await backend.listen('127.67.1.1', 0);
  });
  after(() => backend.close());
  afterEach(async () => {
    await fra?.kill();
    fra = null;
  });

  const start = async (): Promise<FraProcess> => {
    place = await prepareFra(copy, health);
    fra = new FraProcess(place);
    await fra.ready();
    return fra;
  };

  test('answers DNS, tells its status, drains, and ends in order on SIGTERM', async () => {
    const daemon = await start();
    const answer = await ask(place.dns, 'www.example.com', TYPE.A, '192.0.2.0');
    assert.deepEqual(answer, ['127.67.1.1'], 'only what is healthy');
    const json = await isobar('status', '--json', '--api', place.api);
    const { site, endpoints, neighbors } = JSON.parse(json.out) as Status;
    assert.equal(site, 'fra');
    assert.equal(endpoints.find(({ id }) => id === 'fra-lb2/web')?.eligible, false);
    assert.notEqual(neighbors[0]!.state, 'Established');
    const at = ['--site', 'fra', '--config', copy.dir];
    const tables = await isobar('status', ...at);
    assert.match(tables.out, /^fra-lb1\/web +fra +127\.67\.1\.1 .* yes /m);
    const live = await isobar(
      'explain',
      'www.example.com',
      '--client',
      '192.0.2.7',
      '--live',
      ...at,
    );
    assert.match(live.out, /answer +127\.67\.1\.1 \(fra-lb1\/web\), /);
    assert.equal((await isobar('drain', '--reason', 'a test', ...at)).code, 0);
    assert.equal((await daemon.status()).drain?.reason, 'a test');
    assert.equal((await isobar('undrain', ...at)).code, 0);
    assert.equal((await daemon.status()).drain, null);
    const { code, ms } = await daemon.end('SIGTERM');
    assert.equal(code, 0);
    assert.ok(ms < 5_000, `${ms} ms`);
  });

  test('keeps its configuration while the new one is broken, and takes the next good one', async () => {
    const daemon = await start();
    const good = await copy.read('zones/example.com.yaml');
    await copy.write('zones/example.com.yaml', good.replace('policy: nearest', 'policy: neerest'));
    await eventually('the problems are logged', () => daemon.log.includes('the old one stays'));
    assert.match(daemon.log, /zones\/example\.com\.yaml:\d+:\d+: .*neerest/);
    assert.deepEqual(await ask(place.dns, 'www.example.com', TYPE.A, '192.0.2.0'), ['127.67.1.1']);
    assert.doesNotMatch(daemon.log, /new configuration in use/);
    await copy.write('zones/example.com.yaml', `${good}${SECOND_SERVICE}`);
    await eventually('the next one is in use', () =>
      daemon.log.includes('new configuration in use'),
    );
    assert.deepEqual(await ask(place.dns, 'web.example.com', TYPE.A, '192.0.2.0'), ['127.67.1.1']);
    await copy.edit('sites/fra.yaml', place.api.slice('http://'.length), '127.0.0.1:1');
    await eventually('what needs a restart is named', () => daemon.log.includes('after a restart'));
    assert.equal((await daemon.status()).site, 'fra', 'the API is where it was');
    assert.equal((await daemon.end('SIGINT')).code, 0);
  });

  test('a port that is taken is one sentence, and exit code 1', async () => {
    place = await prepareFra(copy, health);
    const taken = createServer().listen(place.dns.port, place.dns.address);
    await once(taken, 'listening');
    const args = ['--site', 'fra', '--config', copy.dir, '--log-level', 'silent'];
    const { code, out, err } = await isobar('run', ...args);
    taken.close();
    assert.deepEqual([code, out], [1, '']);
    assert.equal(err, `TCP 127.0.0.1:${place.dns.port}: in use by another program\n`);
  });

  test('a site that is not in the configuration is one sentence, and exit code 1', async () => {
    const { code, err } = await isobar('run', '--site', 'lhr', '--config', copy.dir);
    assert.equal(code, 1);
    assert.match(err, /^there is no site "lhr"; the configuration has fra, iad, sin\n$/);
  });

  test('SIGTERM during the first probes ends it, too', async () => {
    place = await prepareFra(copy, health);
    await copy.edit('deployment.yaml', 'timeout: 500ms', 'timeout: 20s');
    await copy.edit('deployment.yaml', 'interval: 500ms', 'interval: 30s');
    backend.silent = true;
    try {
      fra = new FraProcess(place);
      await eventually('the API listens', async () => {
        const ready = await fetch(`${place.api}/readyz`).catch(() => null);
        return ready?.status === 503;
      });
      const { code, ms } = await fra.end('SIGTERM');
      assert.equal(code, 0);
      assert.ok(ms < 5_000, `${ms} ms`);
    } finally {
      backend.silent = false;
    }
  });
});
