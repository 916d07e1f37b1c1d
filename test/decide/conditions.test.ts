import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { evaluate, type Facts } from '../../src/decide/conditions.ts';
import type { Condition } from '../../src/model/bgp.ts';

const facts: Facts = {
  service: (name) => ({ www: true, api: false })[name] ?? null,
  states: ['healthy', 'overloaded'],
};
const service = (name: string): Condition => ({ kind: 'service', service: name });
const [www, api, fresh] = ['www', 'api', 'fresh'].map(service) as [Condition, Condition, Condition];
const holds = (condition: Condition): boolean | null => evaluate(condition, facts).holds;
const why = (condition: Condition): string => evaluate(condition, facts).why;

describe('a condition', () => {
  test('on a service holds while that has something healthy here, and is open before the first probe', () => {
    assert.deepEqual([www, api, fresh].map(holds), [true, false, null]);
    assert.equal(why(api), 'api has nothing healthy here');
  });

  test('on the site holds in each of its states: by its health and by its fitness for the VIP', () => {
    assert.equal(holds({ kind: 'site', states: ['healthy'] }), true);
    assert.equal(holds({ kind: 'site', states: ['overloaded', 'down'] }), true);
    const drained: Condition = { kind: 'site', states: ['draining', 'down'] };
    assert.equal(holds(drained), false);
    assert.equal(why(drained), 'the site is healthy and overloaded, not draining or down');
  });

  test('of all, any or some is open only while what is open could change it', () => {
    assert.equal(holds({ kind: 'all', of: [www, api, fresh] }), false);
    assert.equal(holds({ kind: 'all', of: [www, fresh] }), null);
    assert.equal(holds({ kind: 'any', of: [www, fresh] }), true);
    assert.equal(holds({ kind: 'any', of: [api, fresh] }), null);
    assert.equal(holds({ kind: 'at-least', count: 2, of: [www, www, fresh] }), true);
    assert.equal(holds({ kind: 'at-least', count: 2, of: [www, api, fresh] }), null);
    assert.equal(holds({ kind: 'at-least', count: 2, of: [www, api, api] }), false);
    assert.equal(holds({ kind: 'all', of: [] }), true);
  });

  test('that fails says which part of it does', () => {
    assert.equal(why({ kind: 'all', of: [www, api] }), 'api has nothing healthy here');
    assert.equal(
      why({ kind: 'at-least', count: 2, of: [www, api, api] }),
      'only 1 of 2 hold: api has nothing healthy here, api has nothing healthy here',
    );
    assert.equal(why({ kind: 'not', of: www }), 'www serves here');
  });

  test('obeys the laws of three-valued logic', () => {
    const leaf = fc.constantFrom(www, api, fresh);
    const { tree } = fc.letrec<{ tree: Condition }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.record({ kind: fc.constant('not' as const), of: tie('tree') }),
        fc.record({
          kind: fc.constantFrom('all' as const, 'any' as const),
          of: fc.array(tie('tree'), { maxLength: 4 }),
        }),
      ),
    }));
    const opposite = (value: boolean | null): boolean | null => (value === null ? null : !value);
    const not = (of: Condition): Condition => ({ kind: 'not', of });
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), fc.nat(4), (of, count) => {
        const any = holds({ kind: 'any', of });
        assert.equal(any, opposite(holds({ kind: 'all', of: of.map(not) })));
        assert.equal(any, holds({ kind: 'at-least', count: 1, of }));
        // An open part that is decided either way never overturns what was certain.
        const decided = (value: boolean): boolean | null =>
          evaluate(
            { kind: 'at-least', count, of },
            { ...facts, service: (name) => facts.service(name) ?? value },
          ).holds;
        const now = holds({ kind: 'at-least', count, of });
        for (const value of [true, false]) if (now !== null) assert.equal(decided(value), now);
      }),
    );
  });
});
