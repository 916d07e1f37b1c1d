/** `isobar status` as an operator reads it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Status } from '../../src/agent/status.ts';
import { statusText } from '../../src/cli/status.ts';
import { STARTED } from '../support/status.ts';

const endpoint: Status['endpoints'][number] = {
  id: 'fra-lb1/web',
  site: 'fra',
  addresses: ['192.0.2.1'],
  eligible: false,
  reason: { code: 'hold-down', text: 'up again; used in 5.0 s if it stays so' },
  fault: null,
  for_ms: 15_000,
  next_ms: 5_000,
  detail: '200',
  votes: { up: 2, down: 0, assigned: 3 },
  penalty: 1_000,
};

/** The cells of the row that begins with `first`. */
function row(status: Status, first: string): string[] {
  const line = statusText(status)
    .split('\n')
    .find((each) => each.startsWith(`${first} `));
  return line?.split(/ {2,}/) ?? [];
}

describe('isobar status', () => {
  test('an endpoint: its verdict, since when, who says so, when it may change, and why', () => {
    const status = { ...STARTED, endpoints: [endpoint] };
    assert.deepEqual(row(status, 'ENDPOINT').slice(3), [
      'ANSWERED',
      'FOR',
      'VOTES',
      'CHANGES',
      'WHY',
    ]);
    assert.deepEqual(row(status, 'fra-lb1/web'), [
      ...['fra-lb1/web', 'fra', '192.0.2.1', 'no', '15.0 s', '2 of 3 up', 'in 5.0 s'],
      'up again; used in 5.0 s if it stays so',
    ]);
    const settled = { ...endpoint, for_ms: null, next_ms: null };
    const cells = row({ ...STARTED, endpoints: [settled] }, 'fra-lb1/web');
    assert.deepEqual([cells[4], cells[6]], ['-', '-']);
  });

  test('a drain: by whom, why, and when it ends by itself', () => {
    const drain = { for_ms: 5_000, left_ms: null, by: 'ann', reason: 'power' };
    assert.match(statusText({ ...STARTED, drain }), /^DRAINING for 5\.0 s by ann: power$/m);
    const ends = { ...drain, left_ms: 240_000 };
    assert.match(
      statusText({ ...STARTED, drain: ends }),
      /^DRAINING .* by ann, 4 min left: power$/m,
    );
  });

  test('what is answered although health speaks against it, before all tables', () => {
    const guarded = { ...endpoint, reason: { code: 'eviction-guard', text: 'kept' } } as const;
    const services = [
      { name: 'www.example.com', last_answer_kept: true },
      { name: 'api.example.com', last_answer_kept: false },
    ];
    const lines = statusText({ ...STARTED, endpoints: [guarded], services }).split('\n\n');
    assert.match(lines[1]!, /^GUARDED: .*: fra-lb1\/web$/);
    assert.match(lines[2]!, /^LAST ANSWER KEPT: .*: www\.example\.com$/);
    assert.doesNotMatch(statusText({ ...STARTED, endpoints: [endpoint] }), /GUARDED|KEPT/);
  });

  test('a site that does not trust its own eyes', () => {
    const site: Status['sites'][number] = {
      site: 'iad',
      state: 'healthy',
      load: null,
      demand: null,
      reason: { code: 'healthy', text: '2 of 2 endpoints serve' },
      report_age_ms: 100,
      suspect: 'every endpoint of the other sites is down',
      uplink: null,
      agents: [],
    };
    const why = row({ ...STARTED, sites: [site] }, 'iad').at(-1)!;
    assert.match(why, /^2 of 2 endpoints serve; does not trust its own eyes: every endpoint/);
  });
});
