import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { SystemClock, VirtualClock } from '../../src/base/clock.ts';
import { type CommandOutcome, runCommand } from '../../src/observe/command.ts';
import { eventually } from '../support/eventually.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0)) await step();
});

const never = new AbortController().signal;
const limits = { timeout_ms: 60_000, output_bytes_max: 1_000, env: {} };

function run(argv: readonly string[], some: Partial<typeof limits> = {}): Promise<CommandOutcome> {
  return runCommand(argv, { ...limits, ...some }, new SystemClock(), never);
}

/** A shell that writes its process id to a file, so that a test can look whether it is gone. */
async function shell(script: string): Promise<{ argv: string[]; pid(): Promise<number> }> {
  const folder = await mkdtemp(join(tmpdir(), 'isobar-command-'));
  undo.push(() => rm(folder, { recursive: true }));
  const file = join(folder, 'pid');
  return {
    argv: ['/bin/sh', '-c', script.replaceAll('PIDFILE', file)],
    pid: async () => {
      await eventually('its process id', () => existsSync(file));
      return Number(await readFile(file, 'utf8'));
    },
  };
}

/** Whether a process still runs; one that has ended and waits for its parent does not. */
function alive(pid: number): boolean {
  const file = `/proc/${pid}/stat`;
  return existsSync(file) && !/\) Z /.test(readFileSync(file, 'utf8'));
}

describe('a command', () => {
  test('its exit code and its standard output', async () => {
    const argv = ['/bin/sh', '-c', 'echo 12; echo aside >&2; exit 3'];
    assert.deepEqual(await run(argv), { kind: 'exit', code: 3, output: '12\n' });
  });

  test('arguments reach the program as they are: there is no shell', async () => {
    const outcome = await run(['echo', '$HOME', ';', '`id`', 'a  b']);
    assert.deepEqual(outcome, { kind: 'exit', code: 0, output: '$HOME ; `id` a  b\n' });
  });

  test('its environment is what it was given, with a path to find programs', async () => {
    process.env.ISOBAR_TEST_SECRET = 'hush';
    undo.push(() => delete process.env.ISOBAR_TEST_SECRET);
    const outcome = await run(['env'], { env: { ADDRESS: '192.0.2.1' } });
    assert.ok(outcome.kind === 'exit');
    const names = outcome.output
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    assert.deepEqual(names.sort(), ['ADDRESS', 'LANG', 'PATH']);
  });

  test('one that does not exist, or cannot be one', async () => {
    const missing = await run(['/nonexistent/program']);
    assert.deepEqual(missing, { kind: 'failed', detail: 'was not found' });
    const zero = await run(['/bin/echo', 'a\0b']);
    assert.equal(zero.kind, 'failed');
  });

  test('one that is killed by a signal', async () => {
    const outcome = await run(['/bin/sh', '-c', 'kill -TERM $$']);
    assert.deepEqual(outcome, { kind: 'failed', detail: 'was ended by SIGTERM' });
  });

  test('one that writes without end is ended', async () => {
    const outcome = await run(['yes']);
    assert.deepEqual(outcome, { kind: 'failed', detail: 'wrote more than 1000 bytes' });
  });

  test('at its timeout it is killed with what it has started', async () => {
    const clock = new VirtualClock();
    const { argv, pid } = await shell(
      'sleep 1000 & echo $! > PIDFILE.new; mv PIDFILE.new PIDFILE; wait',
    );
    const outcome = runCommand(argv, { ...limits, timeout_ms: 500 }, clock, never);
    const child = await pid();
    assert.ok(alive(child));
    clock.advance(500);
    assert.deepEqual(await outcome, { kind: 'failed', detail: 'did not end within 500 ms' });
    await eventually('its child is gone', () => !alive(child));
    assert.equal(clock.pending, 0);
  });

  test('what it leaves behind in its group is killed, and does not hold the result up', async () => {
    const { argv, pid } = await shell('sleep 1000 & echo $! > PIDFILE; echo 5');
    assert.deepEqual(await run(argv), { kind: 'exit', code: 0, output: '5\n' });
    const child = await pid();
    await eventually('its child is gone', () => !alive(child));
  });

  test('stopped: it ends at once, and one that was stopped before does not begin', async () => {
    const stopping = new AbortController();
    const { argv, pid } = await shell(
      'echo $$ > PIDFILE.new; mv PIDFILE.new PIDFILE; exec sleep 1000',
    );
    const outcome = runCommand(argv, limits, new VirtualClock(), stopping.signal);
    const child = await pid();
    stopping.abort();
    assert.deepEqual(await outcome, { kind: 'failed', detail: 'stopped' });
    await eventually('it is gone', () => !alive(child));
    const again = await runCommand(['echo'], limits, new VirtualClock(), stopping.signal);
    assert.deepEqual(again, { kind: 'failed', detail: 'stopped' });
  });
});
