import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leak, otcReceived, otcSent, ROLES, rolesFit } from '../../../src/bgp/wire/role.ts';
import type { BgpRole } from '../../../src/model/bgp.ts';

const US = 65000;
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
  const leaks = (ours: BgpRole, otc: number | undefined): boolean => leak(ours, PEER, otc) !== null;
  for (const ours of ROLES) assert.ok(!leaks(ours, undefined));
  assert.ok(leaks('provider', PEER) && leaks('rs', PEER)); // from a customer, a client
  assert.ok(leaks('peer', OTHER));
  assert.ok(!leaks('peer', PEER));
  assert.ok(!leaks('customer', OTHER) && !leaks('rs-client', OTHER));
});

test('the attribute is added on the way down, kept, and stops the way up (RFC 9234 §5)', () => {
  assert.deepEqual(
    ROLES.map((ours) => otcReceived(ours, PEER, undefined)),
    [undefined, undefined, PEER, PEER, PEER],
  );
  for (const ours of ROLES) assert.equal(otcReceived(ours, PEER, OTHER), OTHER);
  const sent = (otc: number | undefined): (number | undefined | null)[] =>
    ROLES.map((ours) => {
      const out = otcSent(ours, US, otc);
      return out === null ? null : out.otc;
    });
  // provider, route server, its client, customer, peer
  assert.deepEqual(sent(undefined), [US, US, undefined, undefined, US]);
  assert.deepEqual(sent(OTHER), [OTHER, OTHER, null, null, null]);
});
