/**
 * The dead man for real: a speaker in a process of its own, whose main thread is blocked, and BIRD,
 * from whose table the routes must go meanwhile and come back afterwards, in one and the same session.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import process from 'node:process';
import { afterEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bgpSite, freePort, neighbor, plan, until } from '../support/bgp.ts';
import { Bird } from '../support/bird.ts';
import { eventually } from '../support/eventually.ts';
import type { GuardedSpeaker } from '../support/guarded-speaker.ts';
import { need } from '../support/need.ts';

const SCRIPT = fileURLToPath(new URL('../support/guarded-speaker.js', import.meta.url));
const OURS = '127.0.46.1';
const THEIRS = '127.0.46.2';
const DEAD_MAN_MS = 200;
const STALL_MS = 2_000;
const ROUTES = [plan(['198.18.46.80/32', '2001:db8:46::80/128'], {}, ['bird'])];

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function speakerProcess(port: number): { child: ChildProcess; said: string[] } {
  const them = neighbor({ address: THEIRS, port }, { name: 'bird', source: OURS });
  const options: GuardedSpeaker = {
    bgp: bgpSite([them]),
    routes: ROUTES,
    dead_man_ms: DEAD_MAN_MS,
    stall_ms: STALL_MS,
  };
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(options)], { stdio });
  const said: string[] = [];
  child.stdout!.on('data', (chunk: Buffer) => said.push(...chunk.toString().trim().split('\n')));
  const exit = new Promise((resolve) => child.once('exit', resolve));
  cleanups.push(() => {
    child.kill('SIGKILL');
    return exit;
  });
  return { child, said };
}

describe('the dead man', { skip: need('bird', 'birdc'), timeout: 60_000 }, () => {
  for (const [what, signal] of [
    ['the main thread is blocked', 'SIGUSR1'],
    ['the main thread lives, but decides nothing', 'SIGUSR2'],
  ] as const) {
    test(`${what}: the routes go in time, and come back, in one session`, async (t) => {
      const port = await freePort(THEIRS);
      const bird = new Bird(`protocol bgp site {
        local ${THEIRS} port ${port} as 65000; neighbor ${OURS} as 65001; passive; multihop; strict bind;
        ipv4 { import all; export none; }; ipv6 { import all; export none; };
      }`);
      cleanups.push(() => bird.end());
      const routes = async (): Promise<number> => {
        const table = await bird.ask('show', 'route');
        assert.match(table, /BIRD/);
        return table.match(/198\.18\.46|2001:db8:46/g)?.length ?? 0;
      };
      await eventually('BIRD is up', async () => (await bird.ask('show', 'status')) !== '');
      const { child, said } = speakerProcess(port);
      await until(async () => (await routes()) === 2);
      child.kill(signal);
      await until(() => said.includes('stalls'));
      const from = performance.now();
      await until(async () => (await routes()) === 0);
      const gone_ms = performance.now() - from;
      assert.ok(!said.includes('lives'), 'while nobody decides');
      t.diagnostic(`withdrawn after ${gone_ms.toFixed(0)} ms, dead man ${DEAD_MAN_MS} ms`);
      await until(async () => (await routes()) === 2);
      assert.ok(said.includes('lives'));
      assert.doesNotMatch(bird.log(), /Received:|Error|closed|Malformed/i);
    });
  }
});
