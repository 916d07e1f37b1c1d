import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Interfaces, outSession } from '../../src/bgp/next-hop.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { formatAddress } from '../../src/net/ip.ts';

const address = (text: string, bits: number) => ({
  address: text,
  cidr: `${text}/${bits}`,
  family: 'IPv6' as const,
  netmask: '',
  mac: '',
  internal: false,
  scopeid: 0,
});
const INTERFACES: Interfaces = {
  eth0: [address('2001:db8:1::1', 64), address('fe80::1', 64)],
  eth1: [address('2001:db8:80::80', 128), address('fe80::2', 64)],
};

/** The next hops of a session as texts; "a b" for a global and a link-local one. */
function hops(
  local: string,
  remote: string,
  next_hop: string | null = null,
  next_hop6: string | null = null,
): [string | null, string | null] {
  const settings = { local_as: 65001, role: null, next_hop, next_hop6 };
  const agreement = { context: DEFAULT_CONTEXT, ipv4: true, ipv6: true };
  const made = outSession({ settings, agreement, local, remote }, INTERFACES);
  const six = made.next_hop6;
  return [
    made.next_hop4 && formatAddress(made.next_hop4),
    six &&
      [six.subarray(0, 16), six.subarray(16)]
        .filter((it) => it.length > 0)
        .map(formatAddress)
        .join(' '),
  ];
}

describe('the next hop of a session', () => {
  test("is the site's, or else our own address of that family", () => {
    assert.deepEqual(hops('192.0.2.1', '192.0.2.9'), ['192.0.2.1', null]);
    assert.deepEqual(hops('::ffff:192.0.2.1', '::ffff:192.0.2.9'), ['192.0.2.1', null]);
    assert.deepEqual(hops('192.0.2.1', '192.0.2.9', '192.0.2.7', '2001:db8::7'), [
      '192.0.2.7',
      '2001:db8::7',
    ]);
    assert.deepEqual(hops('2001:db8:9::1', '2001:db8:9::2'), [null, '2001:db8:9::1']);
  });

  test('has the link-local address beside it for a neighbour on the same link (RFC 2545 §3)', () => {
    const both = '2001:db8:1::1 fe80::1';
    assert.equal(hops('2001:db8:1::1', '2001:db8:1::9')[1], both);
    assert.equal(hops('2001:db8:1::1', '2001:db8:2::9')[1], '2001:db8:1::1');
    assert.equal(hops('2001:db8:1::1', 'fe80::9%eth0')[1], both);
    assert.equal(hops('2001:db8:1::1', 'fe80::9%eth1')[1], '2001:db8:1::1');
    assert.equal(hops('2001:db8:1::1', '2001:db8:1::9', null, '2001:db8:1::7')[1], '2001:db8:1::7');
  });

  test('of a session between link-local addresses is a global one of that interface, if it has one', () => {
    assert.equal(hops('fe80::1%eth0', 'fe80::9%eth0')[1], '2001:db8:1::1 fe80::1');
    assert.equal(hops('fe80::2%eth1', 'fe80::9%eth1')[1], 'fe80::2');
  });
});
