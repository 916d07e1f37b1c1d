import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  canonicalAddress,
  formatAddress,
  formatPrefix,
  maskAddress,
  parseAddress,
  parseHostPort,
  parsePrefix,
  prefixContains,
  unmapAddress,
} from '../../src/net/ip.ts';

test('IPv4 text is read strictly: no octal, no short forms, no spaces', () => {
  assert.equal(canonicalAddress('192.0.2.1'), '192.0.2.1');
  for (const bad of [
    '010.0.0.1',
    '10.1',
    '1',
    '256.0.0.1',
    '1.2.3.4.5',
    '1..2.3',
    ' 1.2.3.4',
    '',
  ]) {
    assert.equal(parseAddress(bad), null, bad);
  }
});

test('IPv6 text is printed as RFC 5952 asks', () => {
  for (const [text, canonical] of [
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // a single zero group stays (§4.2.2)
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // the longest run is shortened (§4.2.3)
    ['::', '::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201'],
    ['fe80::', 'fe80::'],
  ]) {
    assert.equal(canonicalAddress(text!), canonical);
  }
  for (const bad of ['fe80::1%eth0', ':::', '1::2::3', '12345::', '1:2:3']) {
    assert.equal(parseAddress(bad), null, bad);
  }
});

test('any address survives printing and parsing, and Node agrees that it is one', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1), { minLength: 16, maxLength: 16 })
      .map((a) => Uint8Array.from(a)),
  );
  fc.assert(
    fc.property(octets, (address) => {
      const text = formatAddress(address);
      assert.equal(isIP(text), address.length === 4 ? 4 : 6);
      assert.deepEqual(parseAddress(text), address);
    }),
  );
});

test('a prefix with host bits set is refused', () => {
  assert.equal(parsePrefix('192.0.2.1/24'), null);
  assert.equal(parsePrefix('192.0.2.0/33'), null);
  assert.equal(parsePrefix('192.0.2.0/024'), null);
  assert.equal(formatPrefix(parsePrefix('2001:DB8::/32')!), '2001:db8::/32');
});

test('a prefix contains exactly the addresses that it equals after masking', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.integer({ min: 0, max: 32 }),
      (a, b, length) => {
        const prefix = { address: maskAddress(a, length), length };
        const expected = formatAddress(maskAddress(b, length)) === formatAddress(prefix.address);
        assert.equal(prefixContains(prefix, b), expected);
        assert.ok(prefixContains(prefix, a));
      },
    ),
  );
});

test('IPv4-mapped addresses are folded to IPv4, others kept', () => {
  assert.equal(formatAddress(unmapAddress(parseAddress('::ffff:192.0.2.7')!)), '192.0.2.7');
  assert.equal(formatAddress(unmapAddress(parseAddress('2001:db8::7')!)), '2001:db8::7');
});

test('host and port need brackets around IPv6', () => {
  assert.deepEqual(parseHostPort('[2001:db8::1]:53'), { address: '2001:db8::1', port: 53 });
  assert.deepEqual(parseHostPort('127.0.0.1:5301'), { address: '127.0.0.1', port: 5301 });
  for (const bad of ['2001:db8::1:53', '[127.0.0.1]:53', '127.0.0.1', '127.0.0.1:65536', ':53']) {
    assert.equal(parseHostPort(bad), null, bad);
  }
});
