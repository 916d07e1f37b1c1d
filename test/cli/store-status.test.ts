import assert from 'node:assert/strict';
import { test } from 'node:test';
import { metricsText } from '../../src/api/metrics.ts';
import { statusText } from '../../src/cli/status.ts';
import { STARTED } from '../support/status.ts';

test('status and metrics name the servers of the store that fail, and why', () => {
  const server = (name: string, state: 'up' | 'read-only' | 'down', error: string | null) => {
    return { name, state, for_ms: 3_000, error };
  };
  const store = [
    server('192.0.2.1:6379', 'up', null),
    server('192.0.2.2:6379', 'read-only', 'OOM command not allowed'),
    server('192.0.2.3:6379', 'down', 'connect ECONNREFUSED'),
    server('192.0.2.4:6379', 'down', null),
  ];
  const lines = statusText({ ...STARTED, store }).split('\n');
  assert.deepEqual(
    lines.filter((line) => line.startsWith('STORE')),
    [
      'STORE 192.0.2.2:6379 read-only for 3.0 s: OOM command not allowed',
      'STORE 192.0.2.3:6379 down for 3.0 s: connect ECONNREFUSED',
      'STORE 192.0.2.4:6379 down for 3.0 s: not tried yet',
    ],
  );
  const metrics = metricsText({ ...STARTED, store });
  const values = (name: string): string[] =>
    [...metrics.matchAll(new RegExp(`^isobar_store_server_${name}\\{.*\\} (\\d)$`, 'gm'))].map(
      ([, value]) => value!,
    );
  assert.deepEqual(values('readable'), ['1', '1', '0', '0']);
  assert.deepEqual(values('writable'), ['1', '0', '0', '0']);
});
