/** The commands about overrides, against a daemon, and what they print. */
import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import { after, before, describe, test } from 'node:test';
import type { OverrideStatus } from '../../src/agent/status.ts';
import type { OverridesInUse } from '../../src/api/overrides.ts';
import { effectText, overridesText, timeOf } from '../../src/cli/overrides.ts';
import { TempDeployment } from '../support/deployment.ts';
import { type Ended, FraProcess, freePort, isobar, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

describe('with fra alone running, of three sites', () => {
  const backend = new Backend();
  let copy: TempDeployment;
  let fra: FraProcess;

  before(async () => {
    copy = await TempDeployment.create();
    const place = await prepareFra(copy, await backend.listen('127.67.1.1', 0));
    for (const [site, port] of [
      ['iad', 8302],
      ['sin', 8303],
    ] as const) {
      await copy.edit(`sites/${site}.yaml`, `127.0.0.1:${port}`, `127.0.0.1:${await freePort()}`);
    }
    fra = new FraProcess(place);
    await fra.ready();
  });
  after(async () => {
    await fra.kill();
    await backend.close();
    await copy.destroy();
  });

  const run = (...args: string[]): Promise<Ended> => isobar(...args, '--config', copy.dir);
  const list = async (): Promise<OverridesInUse['overrides']> =>
    (JSON.parse((await run('overrides', '--json')).out) as OverridesInUse).overrides;

  test('a dead site is drained by the agent of another, for a while, and comes back', async () => {
    const drained = await run(
      'drain',
      '--site',
      'iad',
      '--for',
      '2h',
      '--reason',
      'power',
      '--by',
      'ann',
    );
    assert.deepEqual([drained.code, drained.err], [0, '']);
    assert.match(drained.out, /^iad is draining; .* it ends in 120 min$/m);
    const table = (await run('overrides')).out;
    assert.match(
      table,
      /^site=iad +drain +ann +power +.* 120 min +fra\/fra +iad-lb1\/web iad-lb2\/web$/m,
    );
    assert.equal((await fra.status()).drain, null);
    const back = await run('undrain', '--site', 'iad');
    assert.deepEqual([back.code, back.out], [0, 'iad is no longer drained\n']);
    assert.equal((await run('overrides')).out, 'nothing is overridden\n');
  });

  test('an override is tried, refused, given all the same, listed and removed', async () => {
    const down = ['override', 'down', '--endpoint', 'fra-lb1', '--reason', 'bad disks'];
    const trial = await run(...down, '--dry-run');
    assert.equal(trial.code, 0);
    assert.match(trial.out, /^endpoint=fra-lb1 would be in force at all sites$/m);
    assert.match(trial.out, /^www\.example\.com would have no usable endpoint left$/m);
    assert.match(trial.out, /^ {2}endpoint fra-lb1\/web: healthy → forced-down$/m);
    assert.match(trial.out, /^nothing has been applied$/m);
    const refused = await run(...down);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /www\.example\.com would have no usable endpoint left.*--yes/);
    assert.deepEqual(await list(), []);
    assert.equal((await run(...down, '--yes')).code, 0);
    const [one] = await list();
    assert.deepEqual(
      [one!.by, one!.reason, one!.left_ms],
      [userInfo().username, 'bad disks', null],
    );
    assert.match(
      (await run('status', '--site', 'fra')).out,
      /^OVERRIDES {2}down endpoint=fra-lb1: /m,
    );
    const removed = await run('override', 'remove', '--endpoint', 'fra-lb1');
    assert.deepEqual([removed.code, removed.out], [0, 'removed: endpoint=fra-lb1\n']);
    const again = await run('override', 'remove', 'endpoint=fra-lb1');
    assert.equal(again.code, 1);
    assert.match(again.err, /no override is in force for "endpoint=fra-lb1"; there is none/);
  });

  test('mistakes are told, with what was probably meant', async () => {
    const wrong: [number, RegExp, ...string[]][] = [
      [2, /--for how long/, 'override', 'up', '--site', 'fra'],
      [2, /--site, --service, --endpoint or --label/, 'override', 'down'],
      [2, /--for 5: write a time/, 'override', 'down', '--site', 'fra', '--for', '5'],
      [2, /say which/, 'override', 'remove'],
      [2, /say which site/, 'drain'],
      [1, /no site "frb"; did you mean "fra".*--force/, 'override', 'drain', '--site', 'frb'],
      [1, /no site "idd"; did you mean "iad"/, 'drain', '--site', 'idd'],
      [1, /there is no site "nrt"/, 'overrides', '--at', 'nrt'],
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

test('a time is a number and a unit, up to days', () => {
  assert.deepEqual(['90s', '30m', '1.5h', '3d'].map(timeOf), [90e3, 18e5, 54e5, 3 * 864e5]);
  for (const wrong of ['', '5', '0s', '-1h', '367d', '9000h', '1w', 'd']) {
    assert.throws(() => timeOf(wrong), /write a time of 1s to 366d/);
  }
});
