/**
 * A UDP socket that could not be connected was sent on all the same, and threw into the event loop: one
 * DNS check at an address without a route, such as IPv6 where there is none, ended the daemon.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run, targetOf } from '../support/probe.ts';

test('a DNS probe at an address without a route fails, and nothing else does', async () => {
  // Nothing leaves the machine: from a loopback address there is no way to any other.
  const target = targetOf('dns', 53, { source4: '127.0.0.1' });
  const result = await run({ ...target, address: '192.0.2.1' });
  assert.deepEqual(result, { ok: false, detail: 'connect EINVAL 192.0.2.1:53' });
});
