/** Policy routing on a model of `ip rule`: entering and leaving, from any state in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { spillLayout } from '../../src/spill/layout.ts';
import { enterRouting, leaveRouting, type Rule } from '../../src/spill/policy-routing.ts';
import { kernelConfig } from './support.ts';

const layout = spillLayout(kernelConfig(), 'fra');
const FRESH: Rule[] = [
  { priority: 0, table: 'local' },
  { priority: 32766, table: 'main' },
];

/** Carries out the rule lines one by one; at every moment the local table must be looked up. */
function carryOut(rules: readonly Rule[], lines: readonly string[]): Rule[] {
  let state = [...rules];
  for (const line of lines) {
    const match = /^rule (add|del) pref (\d+)(?: fwmark (\d+))? lookup (\w+)$/.exec(line);
    if (!match) continue;
    const [, verb, pref, mark, table] = match;
    const rule: Rule = {
      priority: Number(pref),
      table: table!,
      ...(mark ? { fwmark: `0x${Number(mark).toString(16)}` } : {}),
    };
    const same = (other: Rule): boolean =>
      JSON.stringify(sorted(other)) === JSON.stringify(sorted(rule));
    assert.equal(state.some(same), verb === 'del', `${line} in ${JSON.stringify(state)}`);
    state = verb === 'add' ? [...state, rule] : state.filter((other) => !same(other));
    assert.ok(state.some((other) => other.table === 'local'));
  }
  return state.sort((a, b) => a.priority - b.priority);
}

const sorted = (rule: Rule): unknown[] => [rule.priority, rule.fwmark, rule.table];

test('marked packets are looked up before local addresses, and leaving puts all back', () => {
  const entered = carryOut(FRESH, enterRouting(layout, { rules: FRESH, routes: [] }));
  assert.deepEqual(
    entered.map((rule) => [rule.priority, rule.table]),
    [
      [12, '23297'],
      [12, '23298'],
      [100, 'local'],
      [32766, 'main'],
    ],
  );
  assert.deepEqual(carryOut(entered, leaveRouting({ rules: entered, routes: [] })), FRESH);
});

test('entering again changes no rule; entering from any half-way state arrives', () => {
  const lines = enterRouting(layout, { rules: FRESH, routes: [] });
  const entered = carryOut(FRESH, lines);
  fc.assert(
    fc.property(fc.nat(lines.length), (done) => {
      const rules = carryOut(FRESH, lines.slice(0, done));
      assert.deepEqual(carryOut(rules, enterRouting(layout, { rules, routes: [] })), entered);
    }),
  );
  const again = enterRouting(layout, { rules: entered, routes: [] });
  assert.deepEqual(
    again.filter((line) => line.startsWith('rule')),
    [],
  );
});

test('a peer’s table gets the VIP and no default route', () => {
  const routes = enterRouting(layout, { rules: FRESH, routes: [] }).filter((line) =>
    line.startsWith('route'),
  );
  assert.deepEqual(routes, [
    'route replace 198.18.80.80/32 via 169.254.77.2 dev t-iad onlink table 23297',
    'route replace 198.18.80.80/32 via 169.254.77.3 dev t-sin onlink table 23298',
  ]);
});
