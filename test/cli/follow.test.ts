/** The follower: what a running agent is given, and what the operator is told of it. */
import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { BgpKeys } from '../../src/bgp/ports.ts';
import { Follower } from '../../src/cli/follow.ts';
import { readMachineFiles } from '../../src/cli/machine-files.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { TsigSecret } from '../../src/dns/transfer/signing.ts';
import { type GeoMap, lookupRegion } from '../../src/geo/map.ts';
import type { Config } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';
import { writeMmdb } from '../support/mmdb.ts';

/** Takes what it is given; `failure` is what it says of a room that kept the old. */
class FakeAgent {
  readonly site = 'fra';
  config: Config;
  geo: GeoMap | null = null;
  reloads = 0;
  failure: string[] = [];
  error: Error | null = null;
  cookies: readonly Uint8Array[] = [];
  keys: readonly TsigSecret[] = [];
  bgpKeys: BgpKeys = new Map();
  /** The files of the keys that were known when the last configuration came. */
  keysAtReload: readonly string[] = [];

  constructor(config: Config) {
    this.config = config;
  }

  async reload(config: Config, geo: GeoMap): Promise<readonly string[]> {
    this.reloads += 1;
    if (this.error) throw this.error;
    this.keysAtReload = [...this.bgpKeys.keys()];
    this.config = config;
    this.geo = geo;
    return this.failure;
  }

  async useCookieSecrets(secrets: readonly Uint8Array[]): Promise<void> {
    this.cookies = secrets;
  }

  async useTsigKeys(keys: readonly TsigSecret[]): Promise<void> {
    assert.equal(this.reloads, 0, 'before the zones that name them');
    this.keys = keys;
  }

  async useBgpKeys(keys: BgpKeys): Promise<void> {
    this.bgpKeys = keys;
  }
}

let demo: TempDeployment;
let clock: VirtualClock;
let agent: FakeAgent;
let follower: Follower;
let errors: string[];

const log: Log = {
  ...silentLog,
  error: (fields: object, text: string) => {
    errors.push(`${text}: ${(fields as { problems: string[] }).problems.join(' ')}`);
  },
};

async function follow(): Promise<void> {
  const config = await loadConfig(demo.dir);
  assert.ok(config.ok);
  agent = new FakeAgent(config.value);
  const files = await readMachineFiles(config.value, 'fra');
  const load = { site: agent.site };
  follower = new Follower({ dir: demo.dir, load, agent, files, clock, log });
}

/** Lets the time until the next poll pass, and what it finds be taken over. */
async function poll(): Promise<void> {
  clock.advance(5_000);
  await follower.settled();
}

beforeEach(async () => {
  demo = await TempDeployment.create();
  clock = new VirtualClock();
  errors = [];
});
afterEach(async () => {
  await follower.stop();
  await demo.destroy();
});

describe('a reload', () => {
  beforeEach(follow);

  test('tells what has changed once it is in force, and nothing the second time', async () => {
    await demo.append('zones/example.com.zone', 'new A 192.0.2.1\n');
    await demo.edit('sites/fra.yaml', '127.0.0.1:8301', '127.0.0.1:8399');
    const report = await follower.reload();
    assert.deepEqual(report, {
      earlier: null,
      changes: ['zone example.com: changed', 'site fra: changed'],
      sessions: [],
      restart: ['api'],
      problems: [],
    });
    assert.equal(agent.config.sites[0]!.api.listen.port, 8399);
    clock.advance(1000);
    assert.deepEqual(await follower.reload(), {
      earlier: { ago_ms: 1000, changes: report.changes },
      changes: [],
      sessions: [],
      restart: ['api'],
      problems: [],
    });
    assert.equal(agent.reloads, 1);
  });

  test('says which BGP sessions have ended for it, and why', async () => {
    await demo.edit('sites/fra.yaml', 'hold_time: 9s', 'hold_time: 30s');
    const { changes, sessions } = await follower.reload();
    assert.deepEqual(changes, ['neighbor collector of fra: changed']);
    assert.deepEqual(sessions, ['collector: changed hold time: its session is made anew']);
    await demo.edit('sites/fra.yaml', 'connect_retry: 1s', 'announce: {med: 7}');
    assert.deepEqual((await follower.reload()).sessions, []);
  });

  test('gives every problem with its place, and leaves the agent alone', async () => {
    const before = agent.config;
    const line = await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 2');
    await demo.edit('sites/fra.yaml', 'site: fra', 'site: far');
    const { changes, problems } = await follower.reload();
    assert.deepEqual(changes, []);
    assert.equal(problems.length, 2);
    assert.match(problems[0]!, new RegExp(`^deployment\\.yaml:${line}:\\d+: 2 is not a duration`));
    assert.equal(agent.config, before);
    assert.equal((await follower.reload()).problems.length, 2, 'asked again, it says so again');
    await demo.edit('deployment.yaml', 'hold_down: 2', 'hold_down: 2s');
    await demo.edit('sites/fra.yaml', 'site: far', 'site: fra');
    const { changes: none, problems: no } = await follower.reload();
    assert.deepEqual([none, no], [[], []]);
  });

  test('tells what a room did not take', async () => {
    agent.failure = ['bgp could not take the new configuration and keeps the old one'];
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 3s');
    const { changes, problems } = await follower.reload();
    assert.deepEqual(changes, ['policy: changed']);
    assert.deepEqual(problems, agent.failure);
  });

  test('tells what a room did not take from a change that nobody asked for, and tries again', async () => {
    agent.failure = ['TCP 192.0.2.1:53: this machine does not have the address'];
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 3s');
    await poll();
    await follower.settled();
    assert.equal(agent.reloads, 1);
    await poll();
    assert.equal(agent.reloads, 1, 'by itself it does not try for ever');
    const again = await follower.reload();
    assert.deepEqual([again.changes, again.problems], [[], agent.failure]);
    assert.deepEqual(again.earlier?.changes, ['policy: changed']);
    const [problem] = agent.failure;
    agent.failure = [];
    const { changes, problems } = await follower.reload();
    assert.deepEqual([changes, problems], [[`no longer a problem: ${problem}`], []]);
    assert.equal(agent.reloads, 3);
    await follower.reload();
    assert.equal(agent.reloads, 3);
  });

  test('tries again what the agent refused', async () => {
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 3s');
    agent.error = new Error('site fra is not in the configuration');
    assert.deepEqual((await follower.reload()).problems, [agent.error.message]);
    agent.error = null;
    assert.deepEqual((await follower.reload()).changes, ['policy: changed']);
  });

  test('several at once are one after the other', async () => {
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 3s');
    const reports = await Promise.all([follower.reload(), follower.reload(), follower.reload()]);
    const changes = reports.flatMap((report) => report.changes);
    assert.deepEqual([changes, agent.reloads], [['policy: changed'], 1]);
  });
});

test('a change of the directory is taken over without being asked', async () => {
  await follow();
  await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 3s');
  await poll();
  await follower.settled();
  assert.equal(agent.config.policy.health.hold_down_ms, 3000);
});

describe('files outside the directory', () => {
  const mmdb = (country: string): Uint8Array => {
    const networks = [{ prefix: '9.0.0.0/8', country }];
    return writeMmdb({ ipVersion: 4, recordSize: 24, networks });
  };

  test('an mmdb that changes is taken over; one that is broken is told once, and is not', async () => {
    await demo.write('geo.mmdb', mmdb('US'));
    await demo.append('deployment.yaml', 'geo: {mmdb: geo.mmdb}\n');
    await demo.edit('deployment.yaml', 'continents: [EU, AF]', 'countries: [DE]');
    await demo.edit('deployment.yaml', 'continents: [NA, SA]', 'countries: [US]');
    await follow();
    const region = (): string => {
      const found = lookupRegion(agent.geo!, '9.1.1.1');
      return agent.config.regions[found!.region]!.name;
    };
    await demo.write('geo.mmdb', mmdb('DE'));
    await poll();
    assert.equal(region(), 'europe');
    const good = agent.geo;
    await demo.write('geo.mmdb', Buffer.from('half a file'));
    await poll();
    await poll();
    assert.equal(errors.length, 1, errors.join('\n'));
    assert.match(errors[0]!, /the old one stays: .*geo\.mmdb: /);
    assert.equal(agent.geo, good);
    await demo.write('geo.mmdb', mmdb('US'));
    assert.deepEqual((await follower.reload()).changes, ['geo map: made anew']);
    assert.equal(region(), 'america');
  });

  test('cookie secrets roll over without a new snapshot; a bad line keeps the old ones', async () => {
    const [first, second] = ['01'.repeat(16), '02'.repeat(16)];
    await demo.write('cookies', `${first}\n`);
    await demo.edit('sites/fra.yaml', 'dns:', 'dns:\n  cookies: {secret_file: cookies}');
    await follow();
    await demo.write('cookies', `${first}\n${second}\n`);
    await poll();
    assert.deepEqual(
      agent.cookies.map((secret) => Buffer.from(secret).toString('hex')),
      [first, second],
    );
    assert.equal(agent.reloads, 0);
    await demo.write('cookies', `${second}\nx\n`);
    const { problems } = await follower.reload();
    assert.deepEqual(problems, [
      `${join(demo.dir, 'cookies')}: line 2: not a secret of 32 hexadecimal digits`,
    ]);
    assert.equal(agent.cookies.length, 2);
  });

  test('the random secret of a site without a file stays while the process lives', async () => {
    await follow();
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 3s');
    await follower.reload();
    assert.deepEqual([agent.reloads, agent.cookies], [1, []]);
  });

  test('the secret of a TSIG key is read anew; one that is too short is not taken', async () => {
    const key = join(demo.dir, 'key');
    await demo.write('key', `${Buffer.alloc(32, 1).toString('base64')}\n`);
    await demo.append('deployment.yaml', 'tsig_keys: {k: {secret_file: key}}\n');
    await follow();
    await demo.write('key', `${Buffer.alloc(8, 2).toString('base64')}\n`);
    const { problems } = await follower.reload();
    assert.deepEqual(problems, [`${key}: too short: write at least 16 octets in base64`]);
    await demo.write('key', `${Buffer.alloc(32, 2).toString('base64')}\n`);
    assert.deepEqual(agent.keys, []);
    assert.deepEqual((await follower.reload()).changes, ['secrets of TSIG keys: read anew']);
    const secret = new Uint8Array(32).fill(2);
    assert.deepEqual(agent.keys, [{ name: 'k', algorithm: 'hmac-sha256', secret }]);
    assert.deepEqual((await follower.reload()).changes, []);
  });
});

test('the key of a BGP neighbour is read anew; one that is empty is not taken', async () => {
  const md5 = 'connect_retry: 1s\n      md5_key_file: spines.key';
  await demo.edit('sites/fra.yaml', 'connect_retry: 1s', md5);
  const file = join(demo.dir, 'spines.key');
  await demo.write('spines.key', 'first\n');
  await chmod(file, 0o600);
  await follow();
  await demo.write('spines.key', 'another\n');
  await poll();
  assert.deepEqual([...agent.bgpKeys], [[file, new TextEncoder().encode('another')]]);
  assert.deepEqual((await follower.reload()).earlier?.changes, [
    'keys of BGP neighbours: read anew',
  ]);
  await demo.write('spines.key', '\n');
  await poll();
  assert.match(errors.join(), /spines\.key: empty: write the secret into it/);
  assert.deepEqual([...agent.bgpKeys.values()], [new TextEncoder().encode('another')]);
  assert.equal(agent.reloads, 0);
});

test('while a neighbour goes from one key file to another, both keys are known', async () => {
  const named = (file: string): string => `connect_retry: 1s\n      md5_key_file: ${file}`;
  await demo.edit('sites/fra.yaml', 'connect_retry: 1s', named('a.key'));
  for (const file of ['a.key', 'b.key']) await demo.write(file, 'secret\n');
  await follow();
  await demo.edit('sites/fra.yaml', 'a.key', 'b.key');
  const { sessions } = await follower.reload();
  assert.deepEqual(sessions, ['collector: changed MD5 key file: its session is made anew']);
  assert.deepEqual(
    agent.keysAtReload,
    ['a.key', 'b.key'].map((file) => join(demo.dir, file)),
  );
  assert.deepEqual([...agent.bgpKeys.keys()], [join(demo.dir, 'b.key')]);
});
