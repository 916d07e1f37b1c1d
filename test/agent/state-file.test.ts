/** What outlives the agent: whole or not at all, and never in the way. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { DISK_MAX_MS } from '../../src/agent/kept-file.ts';
import { type SavedState, StateFile } from '../../src/agent/state-file.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { drainOrder, sightOf, WITHDRAWN } from '../decide/world.ts';
import { need } from '../support/need.ts';

const { override } = drainOrder('fra');
const DRAIN = { override, for_ms: 1_000, left_ms: 5_000 };
const STATE: SavedState = {
  overrides: [DRAIN],
  routes: { web: sightOf(), api: { ...WITHDRAWN, withdrawn_by: 'drain', drained: true } },
};

describe('the state file of a site', () => {
  let dir = '';
  let path = '';
  let errors: string[] = [];
  let clock = new VirtualClock();
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'isobar-state-'));
  });
  after(() => rm(dir, { recursive: true }));
  beforeEach(async () => {
    for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true });
    errors = [];
    clock = new VirtualClock();
    path = join(dir, 'fra.state.json');
  });

  function file(changes: { dir?: string; site?: string; wallOffset?: number } = {}): StateFile {
    const log: Log = {
      ...silentLog,
      error: (fields, text) => errors.push(`${text}: ${JSON.stringify(fields)}`),
    };
    const { wallOffset, ...rest } = changes;
    const of = wallOffset === undefined ? clock : new VirtualClock(0, wallOffset);
    return new StateFile({
      dir,
      deployment: 'test',
      site: 'fra',
      agent: 'fra',
      clock: of,
      log,
      ...rest,
    });
  }

  const save = async (state: SavedState): Promise<void> => {
    const one = file();
    one.save(state);
    await one.flush();
  };

  test('gives back what was saved, and how long ago', async () => {
    assert.equal(await file().load(), null);
    await save(STATE);
    clock.advance(90_000);
    assert.deepEqual(await file().load(), { ...STATE, elapsed_ms: 90_000 });
    assert.deepEqual(await readdir(dir), ['fra.state.json'], 'nothing is left beside it');
    assert.deepEqual(errors, []);
  });

  test('believes a wall clock that was set neither back nor years ahead', async () => {
    await save(STATE);
    const load = async (wallOffset: number) => (await file({ wallOffset }).load())!.elapsed_ms;
    assert.equal(await load(0), 0);
    assert.equal(await load(clock.wall() * 2), 30 * 86_400_000);
  });

  test('is made with its directory, and written only for news', async () => {
    const one = file({ dir: join(dir, 'var', 'isobar') });
    one.save(STATE);
    await one.flush();
    const written = join(dir, 'var', 'isobar', 'fra.state.json');
    const text = await readFile(written, 'utf8');
    clock.advance(5_000);
    one.save({
      overrides: [{ ...DRAIN, for_ms: 6_000, left_ms: 0 }],
      routes: { ...STATE.routes, web: { ...STATE.routes.web!, for_ms: 5_000 } },
    });
    await one.flush();
    assert.equal(await readFile(written, 'utf8'), text);
    one.save({ ...STATE, overrides: [] });
    await one.flush();
    assert.deepEqual((await one.load())?.overrides, []);
  });

  test('has the last of many states, one write at a time', async () => {
    const one = file();
    for (let i = 0; i < 100; i++) {
      const stamp = { ...override.stamp, clock: i };
      one.save({ ...STATE, overrides: [{ ...DRAIN, override: { ...override, stamp } }] });
    }
    await one.flush();
    assert.equal((await one.load())?.overrides[0]?.override.stamp.clock, 99);
  });

  test('that is damaged, foreign or too large is told and not used', async () => {
    await save(STATE);
    const good = await readFile(path, 'utf8');
    for (const text of [
      good.slice(0, -20),
      '',
      '[]',
      ' '.repeat(5_000_000),
      '{"isobar_state":2}',
    ]) {
      errors = [];
      await writeFile(path, text);
      assert.equal(await file().load(), null);
      assert.equal(errors.length, 1);
    }
    await writeFile(path, good.replace('"site":"fra"', '"site":"iad"'));
    assert.equal(await file().load(), null);
    assert.match(errors.at(-1)!, /it is of test\/iad/);
  });

  test('loses only the part that is damaged, or that another version wrote', async () => {
    await save(STATE);
    const whole = JSON.parse(await readFile(path, 'utf8'));
    whole.parts.routes.value.web.penalty = -1;
    await writeFile(path, JSON.stringify(whole));
    assert.deepEqual(await file().load(), { ...STATE, routes: {}, elapsed_ms: 0 });
    assert.match(errors[0]!, /its part \\"routes\\" is damaged/);
    errors = [];
    whole.parts.overrides.version = 9;
    whole.parts.other = { version: 1, value: 'of a newer one' };
    await writeFile(path, JSON.stringify(whole));
    assert.deepEqual((await file().load())?.overrides, []);
    assert.ok(!errors.some((text) => text.includes('overrides')));
  });

  describe('that is a named pipe', { skip: need('mkfifo') }, () => {
    test('is not waited for', async () => {
      execFileSync('mkfifo', [path]);
      assert.equal(await file().load(), null);
      assert.match(errors[0]!, /not a regular file/);
      await save(STATE);
      assert.deepEqual((await file().load())?.routes, STATE.routes, 'the next write replaces it');
    });
  });

  test('is not written through what lies where it is made', async () => {
    const elsewhere = join(dir, 'elsewhere');
    await writeFile(elsewhere, 'untouched');
    await symlink(elsewhere, `${path}.new`);
    await save(STATE);
    assert.equal(await readFile(elsewhere, 'utf8'), 'untouched');
    await writeFile(`${path}.new`, 'half of what a crash', { mode: 0o666 });
    await save({ ...STATE, overrides: [] });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual((await file().load())?.overrides, []);
  });

  test('on a disk that hangs does not keep the agent from ending', async () => {
    const one = file();
    one.save(STATE);
    const end = one.flush();
    clock.advance(DISK_MAX_MS);
    await end;
    assert.match(errors[0]!, /no answer from the disk in 2 s/);
    await one.flush();
    assert.deepEqual(clock.pending, 0, 'no timer is left');
  });

  test('that cannot be written is told once, tried again, and stops nobody', async () => {
    await writeFile(join(dir, 'file'), '');
    const one = file({ dir: join(dir, 'file') });
    for (const overrides of [STATE.overrides, [], STATE.overrides]) {
      one.save({ ...STATE, overrides });
      await one.flush();
    }
    assert.equal(errors.length, 1);
    await rm(join(dir, 'file'));
    one.save(STATE);
    await one.flush();
    assert.deepEqual((await one.load())?.overrides, STATE.overrides);
  });
});
