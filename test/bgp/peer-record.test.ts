/** What an operator reads about one peer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FsmTimer } from '../../src/bgp/fsm-model.ts';
import { PeerRecord } from '../../src/bgp/peer-record.ts';

test('of two connections only the one that the peer dialled is named with its timers', () => {
  const named = (...timers: FsmTimer[]): Record<string, number> => {
    const running = new Map(timers.map((timer, i) => [timer, { at_ms: 1_000 * i }]));
    const routes = { sent: 0, pending: 0, unsendable: 0 };
    const rest = { session: null, bfd: null, stale_left_ms: null, routes, now_ms: 500 };
    const settings = { name: 'router', address: '192.0.2.1', port: 179, remote_as: 65000 };
    return { ...new PeerRecord(0).status(settings, { timers: running, ...rest }).timers };
  };
  assert.deepEqual(named('hold-in', 'hold-out', 'connect-retry'), {
    'hold-in': 0,
    hold: 500,
    'connect-retry': 1_500,
  });
  assert.deepEqual(named('connect-retry', 'hold-in'), { 'connect-retry': 0, hold: 500 });
});
