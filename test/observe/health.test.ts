import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { HealthExpression } from '../../src/model/check.ts';
import type { Config } from '../../src/model/config.ts';
import { evaluateHealth, targetsOf } from '../../src/observe/health.ts';
import { testConfig } from '../support/config.ts';
import { Farm } from './farm.ts';

const target = (index: number): HealthExpression => ({ kind: 'target', target: index });
const TARGETS = 5;

const { health } = fc.letrec<{ health: HealthExpression; list: HealthExpression[] }>((tie) => ({
  list: fc.array(tie('health'), { minLength: 1, maxLength: 3 }),
  health: fc.oneof(
    { maxDepth: 3 },
    fc.nat(TARGETS - 1).map(target),
    tie('list').map((of): HealthExpression => ({ kind: 'all', of })),
    tie('list').map((of): HealthExpression => ({ kind: 'any', of })),
    fc.tuple(tie('list'), fc.nat(2)).map(
      ([of, n]): HealthExpression => ({
        kind: 'at-least',
        count: Math.min(n + 1, of.length),
        of,
      }),
    ),
  ),
}));

const evaluate = (expression: HealthExpression, states: readonly (boolean | null)[]) =>
  evaluateHealth(expression, (i) => ({ holds: states[i]!, why: `t${i}` }));

/** What the unknown ones could be, all of it. */
function worlds(states: readonly (boolean | null)[]): boolean[][] {
  const [first, ...rest] = states;
  if (first === undefined) return [[]];
  const tails = worlds(rest);
  const heads = first === null ? [true, false] : [first];
  return heads.flatMap((head) => tails.map((tail) => [head, ...tail]));
}

function plain(expression: HealthExpression, up: readonly boolean[]): boolean {
  if (expression.kind === 'target') return up[expression.target]!;
  const good = expression.of.filter((part) => plain(part, up)).length;
  if (expression.kind === 'all') return good === expression.of.length;
  return good >= (expression.kind === 'at-least' ? expression.count : 1);
}

const state = fc.constantFrom(true, false, null);
const states = fc.array(state, { minLength: TARGETS, maxLength: TARGETS });

describe('health as an expression', () => {
  test('what is known is so in every world that is left', () => {
    fc.assert(
      fc.property(health, states, (expression, known) => {
        const { holds } = evaluate(expression, known);
        if (holds === null) return;
        for (const world of worlds(known)) assert.equal(plain(expression, world), holds);
      }),
    );
  });

  test('with everything known it is known', () => {
    const all = fc.array(fc.boolean(), { minLength: TARGETS, maxLength: TARGETS });
    fc.assert(
      fc.property(health, all, (expression, up) => {
        assert.equal(evaluate(expression, up).holds, plain(expression, up));
      }),
    );
  });

  test('it depends on its targets and on nothing else', () => {
    fc.assert(
      fc.property(health, states, states, (expression, one, other) => {
        const own = new Set(targetsOf(expression));
        const mixed = one.map((each, i) => (own.has(i) ? each : other[i]!));
        assert.deepEqual(evaluate(expression, mixed), evaluate(expression, one));
      }),
    );
  });

  test('it tells the parts that make it so', () => {
    const three = [target(0), target(1), target(2)];
    const why = (expression: HealthExpression, up: (boolean | null)[]): string =>
      evaluate(expression, up).why;
    assert.equal(why({ kind: 'all', of: three }, [true, false, false]), 't1, t2');
    assert.equal(why({ kind: 'any', of: three }, [false, true, false]), 't1');
    const two = { kind: 'at-least', count: 2, of: three } as const;
    assert.equal(why(two, [true, false, false]), 'only 1 of 2 hold: t1, t2');
  });
});

describe('an endpoint of several checks', () => {
  /** The first endpoint's health is put together from three targets; the site has no others. */
  function config(kind: 'all' | 'any'): Config {
    const base = testConfig();
    const [first] = base.endpoints;
    const targets = ['web', 'tls', 'api'].map((name, i) => {
      const check = { ...base.targets[0]!.check, name };
      return { ...base.targets[0]!, id: `fra-lb1/${name}/ipv4`, port: 80 + i, check };
    });
    const expression: HealthExpression = { kind, of: [target(0), target(1), target(2)] };
    return { ...base, targets, endpoints: [{ ...first!, id: 'fra-lb1/site', health: expression }] };
  }

  test('follows its parts at once, and tells which of them fail', async () => {
    const farm = new Farm();
    const observer = farm.observer(config('all'));
    const told: string[] = [];
    observer.onVerdict((id, { up, detail }) => told.push(`${id} ${up}: ${detail}`));
    observer.start();
    await farm.clock.advanceAsync(2_000);
    farm.down.add('fra-lb1/tls');
    await farm.clock.advanceAsync(2_000);
    const all = ['web', 'tls', 'api'].map((name) => `${name} at 127.1.1.1: HTTP 200`);
    assert.deepEqual(told, [
      `fra-lb1/site true: ${all.join(', ')}`,
      'fra-lb1/site false: tls at 127.1.1.1: connection refused',
    ]);
    farm.down.add('fra-lb1/web');
    await farm.clock.advanceAsync(2_000);
    const { detail, downs } = observer.sights(0)['fra-lb1/site']!;
    const failing = ['web', 'tls'].map((name) => `${name} at 127.1.1.1: connection refused`);
    assert.deepEqual([detail, downs, told.length], [failing.join(', '), 1, 2]);
  });

  test('is not ready before all of them are known, and survives what leaves one of them', async () => {
    const farm = new Farm();
    farm.hanging.add('fra-lb1/tls');
    const observer = farm.observer(config('any'));
    let ready = false;
    void observer.ready.then(() => {
      ready = true;
    });
    observer.start();
    await farm.clock.advanceAsync(100);
    assert.equal(observer.sights(100)['fra-lb1/site']!.up, true, 'one that passes is enough');
    assert.equal(ready, false);
    await farm.clock.advanceAsync(300);
    assert.equal(ready, true);
    farm.down.add('fra-lb1/web');
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.sights(0)['fra-lb1/site']!.up, true);
  });

  test('keeps its verdict while a check that is added has not been made', async () => {
    const farm = new Farm();
    const whole = config('all');
    const observer = farm.observer({
      ...whole,
      endpoints: [{ ...whole.endpoints[0]!, health: target(0) }],
    });
    observer.start();
    await farm.clock.advanceAsync(1_000);
    observer.reconfigure(whole);
    assert.equal(observer.sights(1_000)['fra-lb1/site']!.up, true);
    farm.down.add('fra-lb1/api');
    await farm.clock.advanceAsync(100);
    assert.equal(observer.sights(1_100)['fra-lb1/site']!.up, false);
  });
});
