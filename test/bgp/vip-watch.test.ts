import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { SETTLE_MS, TABLE_MS, VipWatch } from '../../src/bgp/vip-watch.ts';

const VIP = '198.18.80.80/32';

function bench() {
  const clock = new VirtualClock();
  const seen = new Set<string>();
  const told: string[] = [];
  const watch = new VipWatch({
    clock,
    sees: (prefix) => seen.has(prefix),
    changed: (prefix, there) => void told.push(`${there ? '+' : '-'}${prefix}`),
  });
  watch.expect([VIP]);
  /** The neighbour sends the VIP, or withdraws it. */
  const hear = (there: boolean): void => {
    if (there) seen.add(VIP);
    else seen.delete(VIP);
    watch.heard();
  };
  return { clock, seen, told, watch, hear };
}

describe('the watch for our VIPs', () => {
  test('tells when one that was seen is gone for good, and when it is back', () => {
    const { clock, told, watch, hear } = bench();
    watch.open();
    hear(true);
    clock.advance(TABLE_MS);
    assert.deepEqual([told, watch.missing], [[], []]);
    hear(false);
    clock.advance(SETTLE_MS / 2);
    hear(true); // another path was found
    clock.advance(SETTLE_MS);
    assert.deepEqual(told, []);
    hear(false);
    clock.advance(SETTLE_MS);
    assert.deepEqual([told, watch.missing], [[`-${VIP}`], [VIP]]);
    hear(true);
    clock.advance(SETTLE_MS);
    assert.deepEqual(told, [`-${VIP}`, `+${VIP}`]);
  });

  test('has patience with the table of a new session, and looks for what was seen in the last', () => {
    const { clock, told, watch, hear, seen } = bench();
    watch.open();
    hear(true);
    clock.advance(TABLE_MS);
    watch.close();
    seen.clear();
    clock.advance(TABLE_MS);
    watch.open();
    clock.advance(TABLE_MS - 1);
    assert.deepEqual(told, []);
    clock.advance(1);
    assert.deepEqual(told, [`-${VIP}`]);
  });

  test('says nothing of one that it never sent back, nor of one that we withdraw', () => {
    const { clock, told, watch, hear } = bench();
    watch.open();
    clock.advance(TABLE_MS);
    assert.deepEqual(watch.missing, [VIP]);
    hear(true);
    clock.advance(SETTLE_MS);
    watch.expect([]);
    hear(false);
    clock.advance(SETTLE_MS);
    assert.deepEqual([told, watch.missing], [[], []]);
  });

  test('leaves no timer behind', () => {
    const { clock, watch } = bench();
    watch.open();
    watch.heard();
    watch.close();
    watch.heard();
    assert.equal(clock.pending, 0);
  });
});
