/**
 * Giving memory back, and not taking it. V8 collects garbage when a thread makes more of it, and does not count shared
 * memory, so a thread that allocates nothing would hold on for ever to large shared arrays that it
 * has laid aside.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Frees what this thread no longer refers to. Takes some milliseconds, by the size of its heap. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}

/**
 * Has V8 keep the space for new objects as small as it is, in every thread: left alone it grows to
 * 32 MB as soon as something lasts, and what a daemon makes is either gone at once or stays. To be
 * called before much is loaded, and again with each new thread, since V8 forgets it then.
 */
export function keepNewSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/**
 * Has V8 collect old objects when their space has grown by half: left alone it lets it double or more.
 * Reports of other sites live for a second each, just long enough to become old. At a fifth, probing
 * 20,000 targets would cost twice the CPU time.
 */
export function keepOldSpaceSmall(): void {
  setFlagsFromString('--heap-growing-percent=50');
}
