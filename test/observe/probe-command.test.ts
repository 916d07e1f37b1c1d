import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { eventually } from '../support/eventually.ts';
import { run, targetOf, temporaryFile } from '../support/probe.ts';

const shell = (script: string, port = 8080) =>
  targetOf('command', port, { command: ['/bin/sh', '-c', script] });

describe('command probe', () => {
  test('an exit with 0 is good; the last line is the detail', async () => {
    assert.deepEqual(await run(shell('echo one; echo two; echo')), { ok: true, detail: 'two' });
    assert.deepEqual(await run(shell(':')), { ok: true, detail: 'exit 0' });
  });

  test('any other exit is bad, as is a signal', async () => {
    const bad = await run(shell('echo disk full; exit 2'));
    assert.deepEqual(bad, { ok: false, detail: 'exit 2: disk full' });
    assert.equal((await run(shell('exit 3'))).detail, 'exit 3, without a word');
    assert.equal((await run(shell('kill -9 $$'))).detail, 'the command was ended by SIGKILL');
  });

  test('is told what it is to look at', async () => {
    const names = ['CHECK', 'LOAD_BALANCER', 'ADDRESS', 'PORT', 'SOURCE', 'TIMEOUT_MS'];
    const script = `echo ${names.map((name) => `[$ISOBAR_${name}]`).join('')}`;
    const all = '[web][fra-lb1][127.0.0.1][8080][][5000]';
    assert.deepEqual(await run(shell(script)), { ok: true, detail: all });
    assert.equal((await run(shell(script, 0))).detail, all.replace('8080', ''));
  });

  test('arguments are never read by a shell', async () => {
    const target = targetOf('command', 0, { command: ['/bin/echo', '$HOME; echo `id`'] });
    assert.deepEqual(await run(target), { ok: true, detail: '$HOME; echo `id`' });
  });

  test('a program that is not there, or prints too much, is bad', async () => {
    const missing = targetOf('command', 0, { command: ['/nonexistent/program'] });
    assert.equal((await run(missing)).ok, false);
    const long = await run(shell('while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done'));
    assert.deepEqual(long, { ok: false, detail: 'the command wrote more than 65536 bytes' });
  });

  test('what a terminal would obey does not get into the detail', async () => {
    const { detail } = await run(shell("printf 'a\\033[31mb\\n'"));
    assert.equal(detail, 'a [31mb');
  });

  for (const how of ['its timeout', 'an abort'] as const) {
    test(`${how} ends it with all that it has started`, async () => {
      const file = temporaryFile('pids', '');
      const clock = new VirtualClock();
      const stop = new AbortController();
      const script = `sleep 600 & echo $$ $! >${file}; wait`;
      const result = run(shell(script), clock, stop.signal);
      await eventually('it has begun', () => readFileSync(file, 'utf8').endsWith('\n'));
      const pids = readFileSync(file, 'utf8').trim().split(' ');
      if (how === 'an abort') stop.abort();
      else clock.advance(5_000);
      assert.equal((await result).ok, false);
      assert.equal(clock.pending, 0);
      const gone = (pid: string): boolean =>
        !existsSync(`/proc/${pid}`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
      await eventually('all of it has ended', () => pids.every(gone));
    });
  }
});
