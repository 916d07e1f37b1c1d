/**
 * A program for tests: one watch thread, told what to do by lines of JSON on standard input, and
 * telling what it sees by lines of JSON on standard output. It can block its own main thread.
 */
import { createInterface } from 'node:readline';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { WatchThread } from '../../src/bgp/bfd/watch.ts';
import type { BfdSession, BfdStatus, BfdTarget } from '../../src/bgp/ports.ts';
import type { BfdSettings } from '../../src/model/bgp.ts';

/** The key as text, since JSON has no octets. */
export type SiteTarget = Omit<BfdTarget, 'key'> & { readonly key: string | null };

export type SiteCommand =
  | { readonly do: 'open'; readonly name: string; readonly target: SiteTarget }
  | { readonly do: 'update'; readonly name: string; readonly settings: BfdSettings }
  | { readonly do: 'close'; readonly name: string }
  | { readonly do: 'block'; readonly ms: number }
  | { readonly do: 'status' }
  | { readonly do: 'stop' };

export type SiteWord =
  | {
      readonly word: 'changed';
      readonly name: string;
      readonly state: string;
      readonly text: string;
    }
  | { readonly word: 'status'; readonly of: Readonly<Record<string, BfdStatus | null>> }
  | { readonly word: 'stopped'; readonly after_ms: number };

const say = (word: SiteWord): void => void process.stdout.write(`${JSON.stringify(word)}\n`);
const clock = new SystemClock();
const watch = new WatchThread({ clock, prng: prng(1), log: silentLog });
const sessions = new Map<string, BfdSession>();

async function obey(command: SiteCommand): Promise<void> {
  switch (command.do) {
    case 'open': {
      const { name, target } = command;
      const key = target.key === null ? null : new TextEncoder().encode(target.key);
      const changed = (state: string, text: string): void =>
        say({ word: 'changed', name, state, text });
      sessions.set(name, watch.open({ ...target, key }, changed));
      break;
    }
    case 'update':
      sessions.get(command.name)?.update(command.settings, null);
      break;
    case 'close':
      sessions.get(command.name)?.close();
      break;
    case 'block':
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, command.ms);
      break;
    case 'status': {
      const of = Object.fromEntries([...sessions].map(([name, it]) => [name, it.status()]));
      say({ word: 'status', of });
      break;
    }
    case 'stop': {
      const from = clock.now();
      await watch.stop();
      say({ word: 'stopped', after_ms: clock.now() - from });
      process.stdin.destroy();
    }
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => void obey(JSON.parse(line) as SiteCommand));
