/**
 * Our speaker as a process of its own, so that it can live in a namespace, be killed and be frozen.
 * What it is told and what it answers: `speaker.ts`. It ends with its parent.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { SystemClock } from '../../src/base/clock.ts';
import { pinoLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { WatchThread } from '../../src/bgp/bfd/watch.ts';
import { TcpDialler } from '../../src/bgp/dial.ts';
import type { BgpKeys } from '../../src/bgp/ports.ts';
import { Speaker } from '../../src/bgp/speaker.ts';
import type { BgpSite } from '../../src/model/bgp.ts';
import { monotonic_ms } from '../wait.ts';
import type { Answer, Call, Told } from './speaker.ts';

let speaker: Speaker | null = null;

const tell = (message: Answer | Told): void => void process.send?.(message);

/** The keys of its sessions, without the end of the line. */
function keysOf({ neighbors }: BgpSite): BgpKeys {
  const files = neighbors.flatMap(({ md5_key_file }) => md5_key_file ?? []);
  return new Map(files.map((file) => [file, Buffer.from(readFileSync(file, 'utf8').trim())]));
}

function make(bgp: BgpSite): Speaker {
  const log = pinoLog('debug', {});
  const ports = { clock: new SystemClock(), prng: prng(process.pid), log };
  const watch = new WatchThread({ ...ports, onProblem: (text) => log.error({}, text ?? 'well') });
  const options = {
    bgp,
    keys: keysOf(bgp),
    ...ports,
    dialler: new TcpDialler(),
    bfd: watch,
    guard: watch,
  };
  return new Speaker({ ...options, onEvent: (event) => tell({ event, at_ms: monotonic_ms() }) });
}

async function answer(call: Call): Promise<unknown> {
  if (call.name === 'start') {
    speaker = make(call.bgp);
    speaker.apply(call.routes);
    return speaker.start();
  }
  if (!speaker) throw new Error('the speaker has not been started');
  if (call.name === 'apply') return speaker.apply(call.routes);
  if (call.name === 'reload') return speaker.reload(call.bgp);
  if (call.name === 'stop') return speaker.stop(call.text);
  if (call.name === 'received') return speaker.received(call.neighbor);
  return speaker.neighbors();
}

process.on('message', async (call: Call) => {
  const at_ms = monotonic_ms();
  try {
    tell({ id: call.id, at_ms, value: await answer(call) });
  } catch (error) {
    tell({ id: call.id, at_ms, error: (error as Error).stack ?? String(error) });
  }
});
