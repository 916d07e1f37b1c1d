/**
 * What happens to the shared store happens to nobody else: three sites with three Redis servers, each
 * failure on one, two and all of them, under 1,000 DNS queries a second.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { end, NetLab } from '../../lab/netns.ts';
import {
  type ChaosResult,
  type ChaosStep,
  FAILURES,
  type Failure,
} from '../support/chaos-steps.ts';
import { need } from '../support/need.ts';

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), '../support/store-chaos.js');
const skip = need('root', 'ip', 'nft', 'redis-server');
const WHOLE_MAX_MS = 2_000;
/** With these on all servers no site can reach any for so long that it must notice. */
const LEAVE_ALONE: readonly Failure[] = ['kill', 'hang', 'cut'];

describe('a store that fails', { skip, timeout: 240_000 }, () => {
  const lab = new NetLab('chs');
  let sites: ChildProcess;
  let gone: Promise<never>;

  async function hear<T>(): Promise<T> {
    const [message] = (await Promise.race([once(sites, 'message'), gone])) as [T];
    return message;
  }

  async function say(word: ChaosStep): Promise<ChaosResult> {
    sites.send(word);
    return hear();
  }

  before(async () => {
    const space = await lab.namespace('all');
    const dir = join(lab.dir, 'config');
    mkdirSync(dir);
    sites = space.spawnWithMessages(process.execPath, PROGRAM, dir);
    sites.stderr?.pipe(process.stderr);
    gone = once(sites, 'exit').then(() => assert.fail('the sites have ended'));
    gone.catch(() => {});
    await hear();
  });
  after(async () => {
    if (sites.connected) sites.send('stop');
    await end(sites);
    await lab.close();
  });

  for (const failure of FAILURES) {
    for (const servers of [[0], [1, 2], [0, 1, 2]]) {
      test(`${failure}: ${servers.length} of 3`, async (t) => {
        const result = await say({ failure, servers });
        t.diagnostic(JSON.stringify(result));
        const { sent, lost, wrong, routes, alone, whole_ms, missing } = result;
        assert.deepEqual(
          { lost, wrong, routes, missing },
          { lost: 0, wrong: [], routes: [], missing: '' },
        );
        assert.ok(sent > 0);
        assert.ok(whole_ms <= WHOLE_MAX_MS, `whole after ${whole_ms} ms`);
        if (servers.length < 3) assert.deepEqual(alone, []);
        else if (LEAVE_ALONE.includes(failure)) assert.equal(alone.length, 3);
      });
    }
  }
});
