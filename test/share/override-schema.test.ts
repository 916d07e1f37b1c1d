/** What may come in as an override, and what may not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkOverride,
  OVERRIDE_CHARS_MAX,
  parseOverride,
} from '../../src/share/override-schema.ts';
import { orderOf } from '../decide/world.ts';

const scope = { site: 'fra', service: 'www.example.com', endpoint: null, label: null };
const good = { override: orderOf({ scope }).override, for_ms: 5, left_ms: -3 };

function mistake(change: object): string {
  const checked = checkOverride({ ...good, ...change });
  return checked.ok ? '' : checked.error;
}

test('a whole override passes, and is a copy', () => {
  const parsed = parseOverride(JSON.stringify(good));
  assert.deepEqual(parsed, { ok: true, value: good });
  assert.equal(mistake({ left_ms: null }), '');
});

test('what is not whole, not bounded or in another register does not', () => {
  const { override } = good;
  const stamp = (clock: number) => ({ override: { ...override, stamp: { clock, agent: 'a/a' } } });
  assert.match(mistake({ for_ms: -1 }), /^for_ms/);
  assert.match(mistake({ left_ms: 'soon' }), /^left_ms/);
  assert.match(mistake({ left_ms: Number.POSITIVE_INFINITY }), /^left_ms/);
  assert.match(mistake({ override: { ...override, id: 'site=iad' } }), /not that of the scope/);
  assert.match(mistake({ override: { ...override, action: 'explode' } }), /^override\.action/);
  assert.match(mistake({ override: { ...override, reason: 'x'.repeat(201) } }), /reason/);
  assert.match(mistake(stamp(2 ** 53)), /^override\.stamp\.clock/);
  assert.match(mistake(stamp(0.5)), /^override\.stamp\.clock/);
  const replaces = Array(9).fill(override.stamp);
  assert.match(mistake({ override: { ...override, replaces } }), /^override\.replaces/);
  const nobody = { site: null, service: null, endpoint: null, label: null };
  assert.notEqual(mistake({ override: { ...override, scope: nobody, id: '' } }), '');
  for (const text of ['', 'null', '[]', '{', ' '.repeat(OVERRIDE_CHARS_MAX + 1)]) {
    assert.equal(parseOverride(text).ok, false);
  }
});
