/** What becomes of a restarting neighbour's routes (RFC 4724 §4.2, RFC 8538). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import type { Ending } from '../../src/bgp/fsm-model.ts';
import { agree, ourOpen, type PeerRestart } from '../../src/bgp/open-check.ts';
import { RestartHelper, STALE_MAX_MS } from '../../src/bgp/restart-helper.ts';
import { MIRRORED, SETTINGS } from '../support/fsm-bench.ts';
import { FakeSink } from '../support/peer-bench.ts';

const TCP: Ending = { by: 'tcp' };
const BOTH: PeerRestart = {
  time_ms: 120_000,
  notification: true,
  families: [
    { family: 4, forwarding: true },
    { family: 6, forwarding: true },
  ],
};

function bench() {
  const clock = new VirtualClock();
  const sink = new FakeSink();
  return { clock, sink, helper: new RestartHelper(clock, sink) };
}
const agreement = (restart: PeerRestart | null) => ({
  ...agree(SETTINGS, ourOpen(MIRRORED)),
  restart,
});

describe('when the session drops', () => {
  test('routes are kept as stale, and swept when the restart takes too long', () => {
    const { clock, sink, helper } = bench();
    helper.ended(agreement(BOTH), TCP);
    clock.advance(119_999);
    assert.deepEqual(sink.told, ['stale 4', 'stale 6']);
    assert.equal(helper.left_ms, 1);
    clock.advance(1);
    assert.deepEqual(sink.told.slice(2), ['sweep 4', 'sweep 6']);
    assert.deepEqual([helper.left_ms, clock.pending], [null, 0]);
  });

  test('those of a family that the peer does not keep go at once', () => {
    const { sink, helper } = bench();
    helper.ended(agreement({ ...BOTH, families: [{ family: 6, forwarding: false }] }), TCP);
    assert.deepEqual(sink.told, ['stale 4', 'sweep 4', 'stale 6']);
  });

  test('all go if the peer did not ask for help', () => {
    const { sink, helper, clock } = bench();
    helper.ended(agreement(null), TCP);
    assert.deepEqual([sink.told, clock.pending], [['clear'], 0]);
  });

  test('a NOTIFICATION keeps them only with the N bit of both, and never a hard reset', () => {
    const kept = (notification: boolean, ending: Ending): boolean => {
      const { sink, helper } = bench();
      helper.ended(agreement({ ...BOTH, notification }), ending);
      return !sink.told.includes('clear');
    };
    const holdTimer: Ending = { by: 'us', code: 4, subcode: 0 };
    assert.equal(kept(true, holdTimer), true);
    assert.equal(kept(false, holdTimer), false);
    assert.equal(kept(true, { by: 'peer', code: 6, subcode: 4 }), true);
    assert.equal(kept(false, { by: 'peer', code: 6, subcode: 4 }), false);
    assert.equal(kept(true, { by: 'peer', code: 6, subcode: 9 }), false);
    assert.equal(kept(true, { by: 'us', code: 6, subcode: 10 }), false);
  });
});

describe('when the peer is back', () => {
  test('what it has told again stays and the rest goes at its End-of-RIB', () => {
    const { clock, sink, helper } = bench();
    helper.ended(agreement(BOTH), TCP);
    helper.established(agreement(BOTH));
    helper.complete(4);
    assert.deepEqual(sink.told.slice(2), ['sweep 4']);
    helper.complete(6);
    helper.complete(6);
    assert.deepEqual(sink.told.slice(3), ['sweep 6']);
    assert.equal(clock.pending, 0);
  });

  test('without its forwarding state, or without any restart in its OPEN, nothing is kept', () => {
    const lost = { ...BOTH, families: [{ family: 4, forwarding: false } as const] };
    for (const restart of [lost, null]) {
      const { clock, sink, helper } = bench();
      helper.ended(agreement(BOTH), TCP);
      helper.established(agreement(restart));
      assert.deepEqual(sink.told.slice(2), ['sweep 4', 'sweep 6']);
      assert.equal(clock.pending, 0);
    }
  });

  test('and never completes its table, the rest goes after six minutes', () => {
    const { clock, sink, helper } = bench();
    helper.ended(agreement(BOTH), TCP);
    helper.established(agreement(BOTH));
    clock.advance(STALE_MAX_MS - 1);
    assert.equal(sink.told.length, 2);
    clock.advance(1);
    assert.deepEqual(sink.told.slice(2), ['sweep 4', 'sweep 6']);
  });

  test('and drops again, what is stale from before is not kept a second time', () => {
    const { sink, helper } = bench();
    helper.ended(agreement(BOTH), TCP);
    helper.established(agreement(BOTH));
    helper.ended(agreement(BOTH), TCP);
    assert.deepEqual(sink.told.slice(2), ['sweep 4', 'stale 4', 'sweep 6', 'stale 6']);
  });
});

test('an enhanced refresh sweeps what was not told again, at its end or after six minutes', () => {
  const { clock, sink, helper } = bench();
  helper.begin(6);
  helper.complete(4);
  assert.deepEqual(sink.told, ['stale 6']);
  helper.complete(6);
  helper.begin(6);
  clock.advance(STALE_MAX_MS);
  assert.deepEqual(sink.told, ['stale 6', 'sweep 6', 'stale 6', 'sweep 6']);
});
