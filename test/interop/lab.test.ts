/** The lab's promise to the machine that it runs on: nothing of it stays behind. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Interrupted, namespacesOf, withNetLab } from '../../lab/netns.ts';
import { whyNoLab } from '../../lab/tools.ts';
import { until } from '../../lab/wait.ts';
import { runProgram } from '../../src/net/host.ts';
import { need } from '../support/need.ts';

const labDir = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'lab');
const main = join(labDir, 'main.js');
const netns = pathToFileURL(join(labDir, 'netns.js')).href;

/** Namespaces and folders of the lab whose names begin with `tag`. */
const leftOf = (tag: string): string[] => [
  ...namespacesOf(tag),
  ...readdirSync(tmpdir()).filter((name) => name.startsWith(`isobar-${tag}`)),
];

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve) => child.once('exit', resolve));

test('the lab lists its scenarios, and refuses one that it does not know', async () => {
  const help = spawn(process.execPath, [main, '--help']);
  let text = '';
  help.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  assert.equal(await exitOf(help), 0);
  assert.match(text, /site-loss .*\n {2}overload /);
  assert.equal(await exitOf(spawn(process.execPath, [main, 'site-los'])), 2);
});

test('the lab says in one sentence what it misses', () => {
  assert.equal(
    whyNoLab(1000, (program) => program !== 'bird' && program !== 'nft'),
    'the lab cannot run here: it needs root (sudo) and nft, bird (lab/setup installs them)',
  );
  assert.equal(
    whyNoLab(0, () => true),
    null,
  );
});

const tools = ['ip', 'nft', 'bird', 'redis-server', 'setpriv'];

describe('teardown', { skip: need('root', ...tools) }, () => {
  /** A lab in the middle of its building: processes run in some of its namespaces. */
  const building = async (): Promise<{ child: ChildProcess; tag: string }> => {
    const child = spawn(process.execPath, [main, 'overload'], { stdio: 'ignore' });
    const tag = `lab${child.pid}-`;
    await until('some namespaces', 20_000, () => namespacesOf(tag).length >= 4);
    return { child, tag };
  };

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`${signal} in the middle of building leaves no namespace and no process`, async () => {
      const { child, tag } = await building();
      const ended = exitOf(child);
      child.kill(signal);
      assert.equal(await ended, 130);
      assert.deepEqual(leftOf(tag), []);
    });
  }

  test('what a killed lab left behind is removed by the next one', async () => {
    const { child, tag } = await building();
    const ended = exitOf(child);
    child.kill('SIGKILL');
    await ended;
    assert.notDeepEqual(namespacesOf(tag), []);
    const pids = async (): Promise<string> => {
      const all = namespacesOf(tag).map((id) => runProgram('ip', ['netns', 'pids', id]));
      return (await Promise.all(all)).join('');
    };
    await until('the processes to end', 5_000, async () => (await pids()) === '');
    await withNetLab('lab', async () => {});
    assert.deepEqual(leftOf(tag), []);
  });

  test('an exception that nobody catches ends in a teardown, too', async () => {
    const script = `import { withNetLab } from ${JSON.stringify(netns)};
      await withNetLab('labu', async (lab) => {
        await lab.namespace('a');
        setImmediate(() => { throw new Error('nobody catches this'); });
        await new Promise(() => {});
      }).catch((error) => { process.exitCode = error.message === 'nobody catches this' ? 7 : 8; });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    assert.equal(await exitOf(child), 7);
    assert.deepEqual(leftOf(`labu${child.pid}-`), []);
  });

  test('a scenario that fails ends what it started', async () => {
    let pid: number | undefined;
    const failing = withNetLab('labf', async (lab) => {
      const space = await lab.namespace('a');
      pid = space.spawn('sleep', '60').pid;
      throw new Error('the scenario failed');
    });
    await assert.rejects(failing, (error) => !(error instanceof Interrupted));
    assert.deepEqual(leftOf(`labf${process.pid}-`), []);
    assert.throws(() => process.kill(pid!, 0), /ESRCH/);
  });
});
