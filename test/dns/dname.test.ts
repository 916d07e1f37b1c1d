/** DNAME as RFC 6672 says and Knot and NSD answer; chains of aliases of both kinds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHAIN_MAX } from '../../src/dns/alias-chain.ts';
import { TRANSPORT, type Transport } from '../../src/dns/respond.ts';
import { RCODE, TYPE } from '../../src/dns/wire/codes.ts';
import { buildQuery } from '../support/dns-query.ts';
import { configOf, decode, show, zoneOf } from '../support/dns-text.ts';
import { openDoor } from '../support/dns-zone.ts';

const LONG = Array.from({ length: 3 }, () => 'a'.repeat(60)).join('.');
const numbers = Array.from({ length: 20 }, (_, i) => i);

const { raw, counters } = openDoor(
  configOf([
    zoneOf('example.com', [
      'd 100 DNAME t',
      'd A 192.0.2.9',
      'd TXT own',
      'hidden.d A 192.0.2.66',
      'x.t A 192.0.2.10',
      '*.w.t A 192.0.2.11',
      'root DNAME .',
      'away DNAME example.net.',
      'twice DNAME d',
      'self DNAME self',
      'grow DNAME x.grow',
      'shrink.x DNAME x',
      '*.wild DNAME t',
      'c CNAME X.d',
      'again CNAME y.t',
      'y.t CNAME x.d',
      'dagain DNAME t',
      'lost CNAME nope.d',
      'child DNAME host.sub',
      'cut DNAME a.del',
      'del NS ns.example.net.',
      'below.del DNAME t',
      `long DNAME ${LONG}`,
      'l1 CNAME l2',
      'l2 CNAME l3',
      'l3 CNAME l1',
      '*.loop CNAME a.loop',
      ...numbers.map((i) => `n${i} CNAME n${i + 1}`),
      'n20 A 192.0.2.20',
      'srv SRV 0 0 1 x.d',
    ]),
    zoneOf('sub.example.com', ['www.host A 192.0.2.100', 'back DNAME t.example.com.']),
    zoneOf('apex.test', ['@ DNAME example.com.', '@ A 192.0.2.1']),
  ]),
);

function ask(name: string, type: number = TYPE.A, transport: Transport = TRANSPORT.TCP) {
  const message = decode(raw(buildQuery({ name, type }), { transport })!);
  return { ...message, lines: show(message.answers) };
}

test('names below a DNAME get it and the CNAME that it makes, with its TTL, then the target', () => {
  const answer = ask('X.d.example.com');
  assert.deepEqual(answer.lines, [
    'd.example.com. 100 DNAME t.example.com.',
    'X.d.example.com. 100 CNAME x.t.example.com.',
    'x.t.example.com. 300 A 192.0.2.10',
  ]);
  assert.ok(answer.aa);
  assert.equal(answer.rcode, RCODE.NOERROR);
  assert.deepEqual(answer.authorities, []);
  assert.equal(ask('a.w.d.example.com').lines[2], 'a.w.t.example.com. 300 A 192.0.2.11');
});

test('the owner of a DNAME is a name like any other', () => {
  assert.deepEqual(ask('d.example.com').lines, ['d.example.com. 300 A 192.0.2.9']);
  assert.deepEqual(ask('d.example.com', TYPE.DNAME).lines, [
    'd.example.com. 100 DNAME t.example.com.',
  ]);
  const none = ask('d.example.com', TYPE.CNAME);
  assert.deepEqual(none.lines, []);
  assert.equal(none.authorities[0]!.type, TYPE.SOA);
});

test('a query for CNAME ends with the one that was made', () => {
  assert.equal(ask('x.d.example.com', TYPE.CNAME).lines.length, 2);
});

test('the rcode and the SOA tell of the last name', () => {
  for (const name of ['nope.d.example.com', 'lost.example.com']) {
    const answer = ask(name);
    assert.equal(answer.rcode, RCODE.NXDOMAIN);
    assert.equal(answer.lines.at(-1), 'nope.d.example.com. 100 CNAME nope.t.example.com.');
    assert.equal(show(answer.authorities)[0]!.split(' ')[2], 'SOA');
  }
  assert.equal(ask('x.d.example.com', TYPE.TXT).rcode, RCODE.NOERROR);
  assert.equal(ask('x.d.example.com', TYPE.TXT).authorities[0]!.type, TYPE.SOA);
});

test('what the zone says below a DNAME is hidden by it (RFC 6672 §2.4)', () => {
  assert.equal(ask('hidden.d.example.com').rcode, RCODE.NXDOMAIN);
  assert.equal(ask('hidden.d.example.com').lines.length, 2);
});

test('a DNAME below a delegation is the child zone’s to answer', () => {
  const answer = ask('x.below.del.example.com');
  assert.deepEqual(answer.lines, []);
  assert.equal(answer.authorities[0]!.type, TYPE.NS);
});

test('chains go on through CNAME, DNAME, wildcards and zones, and out into a referral', () => {
  assert.deepEqual(ask('c.example.com').lines, [
    'c.example.com. 300 CNAME X.d.example.com.',
    'd.example.com. 100 DNAME t.example.com.',
    'X.d.example.com. 100 CNAME x.t.example.com.',
    'x.t.example.com. 300 A 192.0.2.10',
  ]);
  assert.equal(ask('x.twice.example.com').lines.length, 5);
  assert.equal(
    ask('www.child.example.com').lines.at(-1),
    'www.host.sub.example.com. 300 A 192.0.2.100',
  );
  assert.equal(ask('x.back.sub.example.com').lines.at(-1), 'x.t.example.com. 300 A 192.0.2.10');
  assert.deepEqual(
    ask('x.away.example.com').lines.at(-1),
    'x.away.example.com. 300 CNAME x.example.net.',
  );
  assert.deepEqual(
    ask('net.root.example.com').lines.at(-1),
    'net.root.example.com. 300 CNAME net.',
  );
  const referral = ask('x.cut.example.com');
  assert.equal(referral.lines.at(-1), 'x.cut.example.com. 300 CNAME x.a.del.example.com.');
  assert.deepEqual(show(referral.authorities), ['del.example.com. 300 NS ns.example.net.']);
});

test('a DNAME at the apex moves every name of the zone but the apex', () => {
  assert.deepEqual(ask('x.t.apex.test').lines, [
    'apex.test. 300 DNAME example.com.',
    'x.t.apex.test. 300 CNAME x.t.example.com.',
    'x.t.example.com. 300 A 192.0.2.10',
  ]);
  assert.deepEqual(ask('apex.test').lines, ['apex.test. 300 A 192.0.2.1']);
  assert.equal(ask('ns1.apex.test').lines[1], 'ns1.apex.test. 300 CNAME ns1.example.com.');
});

test('a DNAME that serves twice is in the answer once', () => {
  // y.dagain → y.t → x.d → x.t: two DNAMEs; and x.again follows one of them twice.
  const lines = ask('y.dagain.example.com').lines;
  assert.deepEqual(lines, [
    'dagain.example.com. 300 DNAME t.example.com.',
    'y.dagain.example.com. 300 CNAME y.t.example.com.',
    'y.t.example.com. 300 CNAME x.d.example.com.',
    'd.example.com. 100 DNAME t.example.com.',
    'x.d.example.com. 100 CNAME x.t.example.com.',
    'x.t.example.com. 300 A 192.0.2.10',
  ]);
  const twice = ask('y.d.example.com').lines;
  assert.deepEqual(twice, [
    'd.example.com. 100 DNAME t.example.com.',
    'y.d.example.com. 100 CNAME y.t.example.com.',
    'y.t.example.com. 300 CNAME x.d.example.com.',
    'x.d.example.com. 100 CNAME x.t.example.com.',
    'x.t.example.com. 300 A 192.0.2.10',
  ]);
});

test('a DNAME that leads to its own owner is in the answer once when it is asked for, too', () => {
  for (const type of [TYPE.DNAME, TYPE.ANY]) {
    assert.deepEqual(ask('shrink.shrink.x.example.com', type).lines, [
      'shrink.x.example.com. 300 DNAME x.example.com.',
      'shrink.shrink.x.example.com. 300 CNAME shrink.x.example.com.',
    ]);
  }
  assert.equal(ask('shrink.shrink.x.example.com', TYPE.TXT).authorities.length, 1);
});

test('a wildcard is no DNAME for what lies below the names that it makes (RFC 6672 §3.3)', () => {
  assert.deepEqual(ask('x.y.wild.example.com').lines, []);
  assert.equal(ask('x.y.wild.example.com').rcode, RCODE.NOERROR);
  assert.deepEqual(ask('y.wild.example.com', TYPE.DNAME).lines, [
    'y.wild.example.com. 300 DNAME t.example.com.',
  ]);
});

test('a name that gets too long is YXDOMAIN, with the DNAME (RFC 6672 §2.2)', () => {
  const answer = ask(`${'b'.repeat(60)}.long.example.com`);
  assert.equal(answer.rcode, RCODE.YXDOMAIN);
  assert.equal(counters.get('yxdomain'), 1);
  assert.equal(answer.lines.length, 1);
  assert.ok(answer.aa);
  assert.equal(ask('b.long.example.com').rcode, RCODE.NXDOMAIN);
});

test('loops end where they close, and every chain ends', () => {
  assert.equal(ask('l1.example.com').lines.length, 3);
  assert.deepEqual(ask('q.loop.example.com').lines, [
    'q.loop.example.com. 300 CNAME a.loop.example.com.',
    'a.loop.example.com. 300 CNAME a.loop.example.com.',
  ]);
  assert.deepEqual(ask('a.self.example.com').lines, [
    'self.example.com. 300 DNAME self.example.com.',
    'a.self.example.com. 300 CNAME a.self.example.com.',
  ]);
  const grown = ask('a.grow.example.com').lines;
  // The last one is told, but not followed.
  assert.equal(grown.length, 1 + CHAIN_MAX + 1);
  assert.equal(grown.filter((line) => line.includes('DNAME')).length, 1);
  const chain = ask('n0.example.com').lines;
  assert.equal(chain.length, CHAIN_MAX + 1);
  assert.equal(ask('n4.example.com').lines.length, 17);
  assert.equal(ask('n4.example.com').lines.at(-1), 'n20.example.com. 300 A 192.0.2.20');
  assert.equal(ask('n0.example.com').rcode, RCODE.NOERROR);
});

test('an answer that does not fit is cut at a whole rrset, with TC', () => {
  const label = 'c'.repeat(60);
  const whole = ask(`${label}.${label}.grow.example.com`);
  const cut = ask(`${label}.${label}.grow.example.com`, TYPE.A, TRANSPORT.UDP);
  assert.ok(!whole.tc && cut.tc);
  assert.deepEqual(whole.lines.slice(0, cut.lines.length), cut.lines);
});

test('a name that a DNAME hides adds no addresses', () => {
  const { additionals } = ask('srv.example.com', TYPE.SRV);
  assert.deepEqual(additionals, []);
});
