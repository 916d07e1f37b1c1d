/** The World that outlives an agent: whole, bounded, and never younger than it was. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { WORLD_AGE_MAX_MS, WORLD_INTERVAL_MS, WorldFile } from '../../src/agent/world-file.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import type { KeptReport } from '../../src/share/world-view.ts';
import { testReport } from '../support/report.ts';

const kept = (site: string, sequence: number): KeptReport => {
  return { report: testReport(site, sequence), age_ms: 40, cut_ms: 10 };
};

describe('the world file of a site', () => {
  let dir = '';
  let path = '';
  let errors: string[] = [];
  let clock = new VirtualClock();
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'isobar-world-'));
    path = join(dir, 'fra.fra-a.world.json');
  });
  after(() => rm(dir, { recursive: true }));
  beforeEach(async () => {
    for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
    errors = [];
    clock = new VirtualClock();
  });

  function file(agent = 'fra-a', wallOffset?: number): WorldFile {
    const log: Log = { ...silentLog, error: (fields) => errors.push(JSON.stringify(fields)) };
    const of = wallOffset === undefined ? clock : new VirtualClock(0, wallOffset);
    return new WorldFile({ dir, deployment: 'test', site: 'fra', agent, clock: of, log });
  }

  const save = async (reports: readonly KeptReport[]): Promise<string> => {
    const one = file();
    one.save(() => reports);
    await one.flush();
    return readFile(path, 'utf8');
  };

  test('gives back what was heard, and how long ago that was written', async () => {
    assert.equal(await file().load(), null);
    const reports = [kept('iad', 1), kept('sin', 2)];
    await save(reports);
    clock.advance(90_000);
    assert.deepEqual(await file().load(), { reports, elapsed_ms: 90_000 });
    assert.deepEqual(errors, []);
  });

  test('is written now and then, and at the end', async () => {
    const one = file();
    const sequence = async (): Promise<number | undefined> => {
      await one.flush();
      return (await one.load())?.reports[0]?.report.sequence;
    };
    one.save(() => [kept('iad', 1)]);
    assert.equal(await sequence(), 1);
    one.save(() => assert.fail('not asked for so soon'));
    clock.advance(WORLD_INTERVAL_MS);
    one.save(() => [kept('iad', 2)]);
    assert.equal(await sequence(), 2);
    one.save(() => [kept('iad', 3)], true);
    assert.equal(await sequence(), 3);
  });

  test('believes no clock that was set back, and no world of another day', async () => {
    await save([kept('iad', 1)]);
    assert.equal((await file('fra-a', 0).load())?.elapsed_ms, 0);
    clock.advance(WORLD_AGE_MAX_MS);
    assert.notEqual(await file().load(), null);
    clock.advance(1);
    assert.equal(await file().load(), null);
    assert.deepEqual(errors, []);
  });

  test('that is damaged, foreign or too large is told and not used', async () => {
    const good = await save([kept('iad', 1), kept('sin', 1)]);
    const bad: [string, RegExp][] = [
      ['', /not a world file/],
      ['[]\n"end"', /not a world file/],
      [good.slice(0, -40), /its end is missing/],
      [good.slice(0, good.lastIndexOf('\n')), /its end is missing/],
      [good.replace('"penalty":0', '"penalty":-1'), /its line 2 is damaged/],
      [good.replace('"age_ms":40', '"age_ms":-40'), /its line 2 is damaged/],
      [good.replace('"agent":"fra-a"', '"agent":"fra-b"'), /it is of test\/fra\/fra-b/],
      [good.replace('"deployment":"test"', '"deployment":"else"'), /it is of else/],
      [`${good}${' '.repeat(17_000_000)}`, /it is larger than/],
      [Buffer.from(good).fill(0xff, 200, 300).toString('latin1'), /damaged/],
    ];
    for (const [text, why] of bad) {
      errors = [];
      await writeFile(path, text);
      assert.equal(await file().load(), null);
      assert.equal(errors.length, 1, String(why));
      assert.match(errors[0]!, why);
    }
  });

  test('leaves out what does not fit rather than all of it', async () => {
    const endpoints = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, i) => {
        return [`lb${i}/web`, { up: true, for_ms: 1, downs: 0, detail: 'x'.repeat(900) }];
      }),
    );
    const large = { ...kept('iad', 1), report: testReport('iad', 1, { endpoints }) };
    await save(Array.from({ length: 12 }, () => large));
    const loaded = (await file().load())!.reports.length;
    assert.ok(loaded > 5 && loaded < 12, `${loaded} reports`);
  });
});
