/** Waiting for what other processes do: for interop and contract tests only. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Returns as soon as `holds` is true; fails with `what` if that takes more than `limit_ms`. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limit_ms = 30_000,
): Promise<void> {
  const end = performance.now() + limit_ms;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not within ${limit_ms} ms: ${what}`);
    await sleep(5);
  }
}
