/** The commands about overrides, against a daemon, and what they print. */
import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { after, before, describe, test } from 'node:test';
import type { OverrideStatus } from '../../src/agent/status.ts';
import type { OverridesInUse } from '../../src/api/overrides.ts';
import {
  effectText,
  overridesText,
  removedText,
  timeOf,
  undrainText,
} from '../../src/cli/overrides.ts';
import { statusText } from '../../src/cli/status.ts';
import { TempDeployment } from '../support/deployment.ts';
import { type Ended, FraProcess, isobar, moveOthers, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

describe('with fra alone running, of three sites', () => {
  const backend = new Backend();
  let copy: TempDeployment;
  let fra: FraProcess;

  before(async () => {
    copy = await TempDeployment.create();
    const place = await prepareFra(copy, await backend.listen('127.67.1.1', 0));
    await moveOthers(copy);
    fra = new FraProcess(place);
    await fra.ready();
  });
  after(async () => {
    await fra.kill();
    await backend.close();
    await copy.destroy();
  });

  const run = (...args: string[]): Promise<Ended> => isobar(...args, '--config', copy.dir);
  // A process takes its time to start: what the commands have done is asked of the API.
  const list = async (): Promise<readonly OverrideStatus[]> => (await fra.status()).overrides;

  test('a dead site is drained by the agent of another, for a while, and comes back', async () => {
    const drain = ['drain', '--site', 'iad', '--for', '2h', '--reason', 'power', '--by', 'ann'];
    const drained = await run(...drain);
    assert.deepEqual([drained.code, drained.err], [0, '']);
    assert.match(drained.out, /^iad is draining; .* it ends in 120 min$/m);
    const [table, json] = await Promise.all([run('overrides'), run('overrides', '--json')]);
    assert.match(
      table.out,
      /^site=iad +drain +ann +power +.* 120 min +fra\/fra +iad-lb1\/web iad-lb2\/web$/m,
    );
    assert.equal((JSON.parse(json.out) as OverridesInUse).overrides[0]!.reason, 'power');
    assert.equal((await fra.status()).drain, null);
    const back = await run('undrain', '--site', 'iad');
    assert.deepEqual([back.code, back.out], [0, 'iad is no longer drained\n']);
    assert.deepEqual(await list(), []);
  });

  test('an override is tried, refused, given all the same, and removed', async () => {
    const down = ['override', 'down', '--endpoint', 'fra-lb1', '--reason', 'bad disks'];
    const [trial, refused] = await Promise.all([run(...down, '--dry-run'), run(...down)]);
    assert.equal(trial.code, 0);
    assert.match(trial.out, /^endpoint=fra-lb1 would be in force at all sites$/m);
    assert.match(trial.out, /^www\.example\.com would have no usable endpoint left$/m);
    assert.match(trial.out, /^ {2}endpoint fra-lb1\/web: healthy → forced-down$/m);
    assert.match(trial.out, /^nothing has been applied$/m);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /www\.example\.com would have no usable endpoint left.*--yes/);
    assert.deepEqual(await list(), []);
    assert.equal((await run(...down, '--yes')).code, 0);
    const [one] = await list();
    assert.deepEqual(
      [one!.by, one!.reason, one!.left_ms],
      [process.env.SUDO_USER || userInfo().username, 'bad disks', null],
    );
    assert.match(statusText(await fra.status()), /^OVERRIDES {2}down endpoint=fra-lb1: /m);
    const removed = await run('override', 'remove', '--endpoint', 'fra-lb1');
    assert.deepEqual([removed.code, removed.out], [0, 'removed: endpoint=fra-lb1\n']);
    assert.deepEqual(await list(), []);
  });

  test('mistakes are told, with what was probably meant', async () => {
    const wrong: [number, RegExp, ...string[]][] = [
      [2, /--for how long/, 'override', 'up', '--site', 'fra'],
      [2, /--site, --service, --endpoint or --label/, 'override', 'down'],
      [2, /say which/, 'override', 'remove'],
      [2, /say which site/, 'drain'],
      [1, /no site "frb"; did you mean "fra".*--force/, 'override', 'drain', '--site', 'frb'],
      [1, /"site" is empty/, 'override', 'drain', '--site', '', '--service', 'www.example.com'],
      [1, /"site" is empty/, 'drain', '--site', ''],
      [1, /no agent answers at/, 'overrides', '--at', 'iad'],
    ];
    await Promise.all(
      wrong.map(async ([code, text, ...args]) => {
        const ended = await run(...args);
        assert.equal(ended.code, code, args.join(' '));
        assert.match(ended.err, text);
      }),
    );
    assert.deepEqual(await list(), []);
  });
});

const ONE: OverrideStatus = {
  id: 'service=www.example.com',
  scope: { site: null, service: 'www.example.com', endpoint: null, label: null },
  action: 'drain',
  by: 'ann',
  reason: 'kernel',
  agent: 'fra/fra',
  for_ms: 5_000,
  left_ms: null,
  endpoints: ['a/web', 'b/web', 'c/web', 'd/web', 'e/web', 'f/web'],
  shared: ['api.example.com'],
  lost: [],
};

test('the list names who else is concerned, and who was overwritten unseen', () => {
  const lost = [
    { action: 'up' as const, by: 'bob', reason: 'test' },
    { action: null, by: 'eve', reason: '' },
  ];
  const text = overridesText({ overrides: [ONE, { ...ONE, id: 'site=fra', action: null, lost }] });
  assert.match(
    text,
    /^service=\S+ +drain +ann +kernel +5\.0 s +no end +fra\/fra +a\/web b\/web c\/web d\/web and 2 more$/m,
  );
  assert.match(text, /^site=fra +removed .* - /m);
  assert.match(text, /^service=www\.example\.com: also used by api\.example\.com$/m);
  assert.match(
    text,
    /^site=fra: the up by bob \(test\) was replaced by somebody who had not seen it$/m,
  );
  assert.match(text, /^site=fra: the removal by eve .* was replaced/m);
});

test('what an order does is told, also before the first plan', () => {
  const effect = {
    endpoints: [],
    shared: ['api.example.com'],
    changes: [],
    starved: ['x.example'],
  };
  const id = 'site=fra';
  const replaced = { action: 'up' as const, by: 'bob', reason: 'test' };
  const text = effectText({ id, applied: true, replaced, effect, connected: true });
  assert.match(
    text,
    /^site=fra is in force at all sites\nin place of the up by bob \(test\)\nendpoints: none\n.*, too$/m,
  );
  assert.match(text, /^x\.example has no usable endpoint left\n {2}nothing changes at once$/m);
  const early = { id, applied: false, replaced: null, effect: null, connected: true };
  assert.match(effectText(early), /^site=fra would be in force; the agent has made no plan/);
});

test('an order that no other site can hear of says so', () => {
  const ONLY_HERE = /^ONLY HERE so far: .* no store/m;
  const effect = { endpoints: [], shared: [], changes: [], starved: [] };
  const order = { id: 'site=fra', applied: true, replaced: null, effect, connected: false };
  assert.match(effectText(order), ONLY_HERE);
  assert.doesNotMatch(effectText(order), /at all sites/);
  assert.doesNotMatch(effectText({ ...order, applied: false }), ONLY_HERE);
  assert.match(removedText({ removed: ['site=fra'], connected: false }), ONLY_HERE);
  const end = { site: 'fra', drain: null, replaced: null, starved: [], connected: false };
  assert.match(undrainText(end), /^fra was not drained\nONLY HERE/);
});

test('a time is a number and a unit, up to days', () => {
  assert.deepEqual(['90s', '30m', '1.5h', '3d'].map(timeOf), [90e3, 18e5, 54e5, 3 * 864e5]);
  for (const wrong of ['', '5', '0s', '-1h', '367d', '9000h', '1w', 'd']) {
    assert.throws(() => timeOf(wrong), /write a time of 1s to 366d/);
  }
});
