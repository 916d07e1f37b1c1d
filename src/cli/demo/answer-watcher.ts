/** The thread of an AnswerWatch: asks each server without end, and tells each answer that is new. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../base/clock.ts';
import type { HostPort } from '../../net/ip.ts';
import { DnsClient } from './dns-client.ts';

export interface WatcherStart {
  readonly servers: readonly HostPort[];
  readonly name: string;
  readonly subnet: string;
  /** Time between an answer and the next question, in milliseconds. */
  readonly every_ms: number;
}

export interface AnswerSeen {
  /** Index of the server. */
  readonly server: number;
  readonly addresses: readonly string[];
  /** In milliseconds since 1970 on the monotonic clock: threads differ in where it begins. */
  readonly at_ms: number;
}

const { servers, name, subnet, every_ms } = workerData as WatcherStart;
const clock = new SystemClock();
const dns = new DnsClient(clock);

let stopped = false;

async function watch(address: HostPort, server: number): Promise<void> {
  let last: string | null = null;
  while (!stopped) {
    const { addresses } = await dns.lookup(address, name, subnet);
    const at_ms = performance.timeOrigin + clock.now();
    const text = addresses.join(' ');
    if (text !== last && !stopped)
      parentPort!.postMessage({ server, addresses, at_ms } satisfies AnswerSeen);
    last = text;
    await new Promise<void>((resolve) => clock.timer(every_ms, resolve));
  }
}

// Any message is the word to end. The thread ends itself: see AnswerWatch.stop.
parentPort!.once('message', () => {
  stopped = true;
  dns.close();
  parentPort!.close();
});
for (const [index, address] of servers.entries()) void watch(address, index);
