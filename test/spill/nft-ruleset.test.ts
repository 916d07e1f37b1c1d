/** The ruleset's text: what each peer gets, and that shares fill the slots and nothing beyond. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { spillLayout } from '../../src/spill/layout.ts';
import {
  SLOTS,
  shareTransaction,
  spillRuleset,
  tunnelFilter,
} from '../../src/spill/nft-ruleset.ts';
import { kernelConfig } from './support.ts';

const layout = spillLayout(kernelConfig(), 'fra');

/** The elements of a share transaction as [first slot, last slot, peer]. */
function ranges(text: string): [number, number, string][] {
  return [...text.matchAll(/(\d+)(?:-(\d+))? timeout \d+ms : goto to_(\w+)/g)].map((match) => [
    Number(match[1]),
    Number(match[2] ?? match[1]),
    match[3]!,
  ]);
}

test('shares lie side by side from slot 0, with the lease on each', () => {
  assert.equal(
    shareTransaction(layout, { sin: 0.0001, iad: 0.3, lhr: 0.5 }, 10_000),
    'flush map ip isobar_spill share\n' +
      'add element ip isobar_spill share { 0-2999 timeout 10000ms : goto to_iad, ' +
      '3000 timeout 10000ms : goto to_sin }\n',
  );
});

test('no share empties the map', () => {
  assert.equal(shareTransaction(layout, { iad: 0 }, 10_000), 'flush map ip isobar_spill share\n');
});

test('any shares: slots are disjoint, in range, and as many as were asked for', () => {
  const share = fc.double({ min: -0.5, max: 2, noNaN: true });
  fc.assert(
    fc.property(share, share, (iad, sin) => {
      const taken = ranges(shareTransaction(layout, { iad, sin }, 1));
      let next = 0;
      for (const [first, last] of taken) {
        assert.equal(first, next);
        assert.ok(last >= first && last < SLOTS);
        next = last + 1;
      }
      const sum = Math.max(0, iad) + Math.max(0, sin);
      assert.ok(Math.abs(next / SLOTS - Math.min(1, sum)) < 2 / SLOTS);
    }),
  );
});

test('raising a share moves no flow of the same peer away', () => {
  fc.assert(
    fc.property(fc.nat(SLOTS), fc.nat(SLOTS), (a, b) => {
      const low = ranges(shareTransaction(layout, { iad: Math.min(a, b) / SLOTS }, 1))[0];
      const high = ranges(shareTransaction(layout, { iad: Math.max(a, b) / SLOTS }, 1))[0];
      if (low) assert.ok(high && high[0] === low[0] && high[1] >= low[1]);
    }),
  );
});

test('loading empties rules and configured sets, but no flow set and no counter', () => {
  const text = spillRuleset(layout);
  const flushed = [...text.matchAll(/^flush .*$/gm)].map((match) => match[0]);
  assert.deepEqual(flushed, [
    'flush table ip isobar_spill',
    'flush set ip isobar_spill vips',
    'flush set ip isobar_spill targets',
    'flush set ip isobar_spill tunnels',
  ]);
  assert.doesNotMatch(text, /^(delete|destroy)/m);
});

test('the guard against loops stands before every rule that could send a packet away', () => {
  const chain = /chain prerouting \{([^}]*)\}/.exec(spillRuleset(layout))![1]!;
  assert.ok(chain.indexOf('iifname @tunnels goto from_tunnel') >= 0);
  assert.ok(chain.indexOf('from_tunnel') < chain.indexOf('known_'));
  assert.ok(chain.indexOf('from_tunnel') < chain.indexOf('new_flow'));
});

test('a prefix VIP is matched whole in quoted ICMP headers', () => {
  const config = kernelConfig();
  const vips = [{ ...config.vips[0]!, prefixes: ['198.18.80.0/24', '2001:db8:80::/48'] }];
  const text = spillRuleset(spillLayout({ ...config, vips }, 'fra'));
  assert.match(text, /@th,160,24 12980816 limit rate/); // 0xc61250
  assert.match(text, /set vips \{\n.*elements = \{ 198\.18\.80\.0\/24 \}/);
  assert.doesNotMatch(text, /2001:db8/);
});

test('only the tunnel ends of peers may send to the VXLAN port', () => {
  assert.match(
    tunnelFilter(layout, ['10.9.0.2', '10.9.0.3']),
    /udp dport 4789 ip saddr != \{ 10\.9\.0\.2, 10\.9\.0\.3 \} drop/,
  );
  assert.match(tunnelFilter(layout, []), /udp dport 4789 drop/);
});
