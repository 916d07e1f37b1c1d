/**
 * Giving memory back. V8 collects garbage when a thread makes more of it, and does not count shared
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
