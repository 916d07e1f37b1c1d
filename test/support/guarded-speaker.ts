/**
 * A program for tests: a speaker under guard that decides 20 times a second. On SIGUSR1 its main
 * thread is blocked; on SIGUSR2 it goes on living, but decides nothing. It says when that begins and
 * ends, one word a line.
 */
import process from 'node:process';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { WatchThread } from '../../src/bgp/bfd/watch.ts';
import { Speaker } from '../../src/bgp/speaker.ts';
import type { BgpSite } from '../../src/model/bgp.ts';
import type { RoutePlan } from '../../src/model/plan.ts';

export interface GuardedSpeaker {
  readonly bgp: BgpSite;
  readonly routes: readonly RoutePlan[];
  readonly dead_man_ms: number;
  /** How long nothing is decided after a signal. */
  readonly stall_ms: number;
}

const DECIDE_MS = 50;

async function run({ bgp, routes, dead_man_ms, stall_ms }: GuardedSpeaker): Promise<void> {
  const ports = { clock: new SystemClock(), prng: prng(1), log: silentLog };
  const watch = new WatchThread(ports);
  watch.setDeadMan(dead_man_ms);
  const speaker = new Speaker({ ...ports, bgp, guard: watch, onEvent: () => {} });
  const decide = (): void => {
    speaker.apply(routes);
    watch.renew();
  };
  let timer = setInterval(decide, DECIDE_MS);
  process.on('SIGUSR1', () => {
    console.log('stalls');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stall_ms);
    console.log('lives');
  });
  process.on('SIGUSR2', () => {
    console.log('stalls');
    clearInterval(timer);
    setTimeout(() => {
      console.log('lives');
      timer = setInterval(decide, DECIDE_MS);
    }, stall_ms);
  });
  await speaker.start();
}

await run(JSON.parse(process.argv[2]!) as GuardedSpeaker);
