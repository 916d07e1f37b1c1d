/**
 * One speaker, as a process of its own so that it can be started inside a network namespace:
 *
 *     node bgp-namespace.js FILE
 *
 * FILE has a BgpSite and its routes as JSON. It prints a JSON line with every neighbour and what
 * `why` says of it, again and again, and reads the key files anew at SIGHUP.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { WatchThread } from '../../src/bgp/bfd/watch.ts';
import { TcpDialler } from '../../src/bgp/dial.ts';
import { EvidenceSource } from '../../src/bgp/evidence.ts';
import type { Explanation } from '../../src/bgp/investigate.ts';
import type { BgpKeys } from '../../src/bgp/ports.ts';
import { type NeighborStatus, Speaker } from '../../src/bgp/speaker.ts';
import { readBgpKeys } from '../../src/config/bgp-keys.ts';
import type { BgpSite } from '../../src/model/bgp.ts';
import type { RoutePlan } from '../../src/model/plan.ts';
import { systemHost } from '../../src/net/host.ts';

export interface SpeakerFile {
  readonly bgp: BgpSite;
  readonly plans: readonly RoutePlan[];
}

/** One printed line: by neighbour. */
export type SpeakerLine = Readonly<
  Record<string, { readonly status: NeighborStatus; readonly why: Explanation | null }>
>;

const EVERY_MS = 100;

async function keysOf(bgp: BgpSite): Promise<BgpKeys> {
  const read = await readBgpKeys(bgp);
  if (!read.ok) throw new Error(read.error);
  return read.value.keys;
}

async function run(file: string): Promise<void> {
  const { bgp, plans } = JSON.parse(readFileSync(file, 'utf8')) as SpeakerFile;
  const clock = new SystemClock();
  const host = systemHost;
  const evidence = new EvidenceSource({ host, dialler: new TcpDialler(), clock });
  const ports = { clock, prng: prng(1), log: silentLog };
  const bfd = new WatchThread({ ...ports, onProblem: (text) => process.stderr.write(`${text}\n`) });
  const told = { bfd, evidence, onEvent: () => {} };
  const speaker = new Speaker({ bgp, keys: await keysOf(bgp), ...told, ...ports });
  process.on('SIGHUP', () => void keysOf(bgp).then((keys) => speaker.useKeys(keys)));
  speaker.apply(plans);
  await speaker.start();
  for (;;) {
    const rows = speaker.neighbors().map(async (status) => {
      const why = await speaker.why(status.name);
      return [status.name, { status, why }];
    });
    process.stdout.write(`${JSON.stringify(Object.fromEntries(await Promise.all(rows)))}\n`);
    await sleep(EVERY_MS);
  }
}

await run(process.argv[2]!);
