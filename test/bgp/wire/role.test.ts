import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasLeaked, marksOtc, ROLES, rolesFit } from '../../../src/bgp/wire/role.ts';
import type { BgpRole } from '../../../src/model/bgp.ts';

const PEER = 65001;
const OTHER = 65002;

test('a pair of roles fits exactly as the table of RFC 9234 §4.2 says', () => {
  const pairs: [BgpRole, BgpRole][] = [
    ['provider', 'customer'],
    ['customer', 'provider'],
    ['rs', 'rs-client'],
    ['rs-client', 'rs'],
    ['peer', 'peer'],
  ];
  for (const ours of ROLES) {
    for (const theirs of ROLES) {
      const allowed = pairs.some(([a, b]) => a === ours && b === theirs);
      assert.equal(rolesFit(ours, ROLES.indexOf(theirs)), allowed, `${ours} ${theirs}`);
    }
    assert.ok(!rolesFit(ours, 5) && !rolesFit(ours, 255));
  }
});

test('a route for customers only that comes from below or aside has leaked (RFC 9234 §5)', () => {
  const leaks = (ours: BgpRole, otc: number | undefined): boolean => hasLeaked(ours, PEER, otc);
  for (const ours of ROLES) assert.ok(!leaks(ours, undefined));
  assert.ok(leaks('provider', PEER) && leaks('rs', PEER)); // from a customer, a client
  assert.ok(leaks('peer', OTHER));
  assert.ok(!leaks('peer', PEER));
  assert.ok(!leaks('customer', OTHER) && !leaks('rs-client', OTHER));
});

test('our own routes are for customers only when they go down or aside (RFC 9234 §5)', () => {
  assert.deepEqual(ROLES.filter(marksOtc), ['provider', 'rs', 'peer']);
});
