/** The watcher: a valid change is handed over once, whole; a bad one leaves the old config alone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { VirtualClock } from '../../src/base/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { configVersion } from '../../src/config/version.ts';
import { type ConfigWatcher, watchConfig } from '../../src/config/watch.ts';
import type { Config } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';
import { need } from '../support/need.ts';

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
});
afterEach(() => demo.destroy());

describe('watching a deployment', () => {
  let clock: VirtualClock;
  let watcher: ConfigWatcher;
  let current: Config;
  let configs: Config[];
  let problems: string[][];

  beforeEach(async () => {
    clock = new VirtualClock();
    configs = [];
    problems = [];
    const loaded = await loadConfig(demo.dir);
    assert.ok(loaded.ok);
    current = loaded.value;
    watcher = watchConfig(demo.dir, {
      clock,
      current,
      onConfig: (config) => configs.push(config),
      onProblems: (found) => problems.push(found.map(formatProblem)),
    });
  });
  afterEach(() => watcher.stop());

  /** Lets `ms` pass, and then the look that is due at its end. */
  async function pass(ms: number): Promise<void> {
    clock.advance(ms);
    await watcher.settled();
  }

  test('the poll finds a change, and hands it over once', async () => {
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 7s');
    await pass(5000);
    assert.deepEqual(
      configs.map(({ policy }) => policy.health.hold_down_ms),
      [7000],
    );
    await pass(5000);
    assert.equal(configs.length, 1);
    assert.deepEqual(problems, []);
  });

  test('a bad change gives problems, keeps the old config, and the repair gives a new one', async () => {
    await demo.edit('sites/fra.yaml', 'capacity: 200', 'capactiy: 200');
    await pass(5000);
    assert.equal(configs.length, 0);
    assert.equal(problems.length, 1);
    assert.match(problems[0]![0]!, /^sites\/fra\.yaml:\d+:1: unknown key "capactiy"/);
    await demo.edit('sites/fra.yaml', 'capactiy: 200', 'capacity: 300');
    await pass(5000);
    assert.equal(configs.at(0)?.sites.at(0)?.capacity, 300);
    assert.equal(problems.length, 1);
  });

  test('a zone that has not changed is the one in use, though it is read once more', async () => {
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 7s');
    await pass(5000);
    assert.equal(configs[0]!.zones[0]!.image, current.zones[0]!.image);
  });

  test('a change that means nothing is not a new config', async () => {
    await demo.append('deployment.yaml', '# a remark\n');
    await pass(5000);
    assert.equal(configs.length, 0);
    assert.deepEqual(problems, []);
  });

  test('a new site, and a folder that was replaced, are seen', async () => {
    const text = (await demo.read('sites/sin.yaml'))
      .replaceAll('sin', 'ams')
      .replaceAll('.3', '.4');
    await demo.write(
      'sites/ams.yaml',
      text.replaceAll(':3::', ':4::').replace('10.0.0.3', '10.0.0.4'),
    );
    await pass(5000);
    assert.deepEqual(
      configs.at(-1)?.sites.map(({ name }) => name),
      ['ams', 'fra', 'iad', 'sin'],
    );
    await demo.remove('sites/ams.yaml');
    await pass(5000);
    assert.equal(configs.at(-1)?.sites.length, 3);
  });

  test('a file event makes it look after the debounce, long before the poll', async () => {
    await pass(100);
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 8s');
    // The event comes from the system in its own time; only the watcher's timers are virtual.
    while (clock.pending < 2) await turn();
    await pass(100);
    while (configs.length === 0 && clock.pending > 1) await pass(100);
    assert.equal(configs[0]?.policy.health.hold_down_ms, 8000);
    assert.ok(clock.now() < 5000, `seen at ${clock.now()} ms`);
  });

  test('nothing is handed over after stop', async () => {
    await demo.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 7s');
    clock.advance(5000);
    await watcher.stop();
    clock.advance(60_000);
    await watcher.settled();
    assert.equal(configs.length, 0);
    assert.equal(clock.pending, 0);
  });
});

describe('the version of a deployment', { skip: need('git') }, () => {
  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: demo.dir,
      encoding: 'utf8',
    }).trim();

  test('is the commit of its work tree, marked when files differ; null outside of one', async () => {
    assert.equal(await configVersion(demo.dir), null);
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'demo');
    git('tag', '-a', 'v1', '-m', 'v1');
    const commit = git('rev-parse', '--short=12', 'HEAD');
    assert.equal(await configVersion(demo.dir), commit);
    await demo.append('deployment.yaml', '# a remark\n');
    assert.equal(await configVersion(demo.dir), `${commit}-dirty`);
    assert.equal(await configVersion('/nowhere'), null);
  });
});
