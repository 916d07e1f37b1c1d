import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSPORT } from '../../src/dns/respond.ts';
import { record, testConfig } from '../support/config.ts';
import { buildQuery, optRecord, type ReadMessage, readMessage } from '../support/dns-query.ts';
import { openDoor, zoneConfig } from '../support/dns-zone.ts';

const A = 1;
const NS = 2;
const CNAME = 5;
const SOA = 6;
const MX = 15;
const TXT = 16;
const AAAA = 28;
const SRV = 33;
const DS = 43;
const ANY = 255;

const { ask, raw, counters } = openDoor();
const show = (message: ReadMessage): string[] =>
  message.answers.map(({ name, type, text }) => `${name} ${type} ${text}`);
const negativeSoa = 'example.com. 6 60 ns1.example.com. hostmaster.example.com. 7 60';
const authority = (message: ReadMessage): string[] =>
  message.authority.map(({ name, type, ttl, text }) => `${name} ${type} ${ttl} ${text}`);

test('a static record is answered with authority, the question as it was asked', () => {
  const answer = ask('Ns1.eXample.COM', A, { id: 0xbeef });
  assert.deepEqual(show(answer), ['Ns1.eXample.COM. 1 192.0.2.53']);
  assert.equal(answer.question, 'Ns1.eXample.COM. 1');
  assert.equal(answer.id, 0xbeef);
  assert.equal(answer.flags, 0x8500); // QR, AA, RD
  assert.equal(answer.answers[0]!.ttl, 300);
  assert.equal(answer.answers[0]!.class, 1);
  assert.equal(answer.opt, null);
});

test('RD and CD are copied; AD, RA and Z are clear (RFC 6895 §2.1, RFC 4035 §3.1.6)', () => {
  assert.equal(ask('ns1.example.com', A, { flags: 0x0000 }).flags, 0x8400);
  assert.equal(ask('ns1.example.com', A, { flags: 0x01f0 }).flags, 0x8510);
});

test('every static type comes back as the zone has it', () => {
  assert.deepEqual(show(ask('ns1.example.com', AAAA)), [
    'ns1.example.com. 28 20010db8000000000000000000000053',
  ]);
  assert.deepEqual(show(ask('example.com', SOA)), [
    'example.com. 6 ns1.example.com. hostmaster.example.com. 7 60',
  ]);
  assert.equal(ask('example.com', SOA).answers[0]!.ttl, 300);
  assert.match(show(ask('example.com', TXT))[0]!, /16 0b763d73706631202d616c6c$/);
});

test('NS, MX and SRV bring the addresses of the names that they point at', () => {
  const added = (message: ReadMessage) =>
    message.additional.map(({ name, type }) => `${name} ${type}`);
  const ns = ask('example.com', NS);
  assert.deepEqual(show(ns), [
    'example.com. 2 ns1.example.com.',
    'example.com. 2 ns2.example.net.',
  ]);
  assert.deepEqual(added(ns), ['ns1.example.com. 1', 'ns1.example.com. 28']);
  const mx = ask('example.com', MX);
  assert.equal(show(mx)[0], 'example.com. 15 10 mail.example.com.');
  // www is health-aware: its two nearest load balancers, both families.
  assert.deepEqual(added(mx), [
    'mail.example.com. 1',
    'www.example.com. 1',
    'www.example.com. 1',
    'www.example.com. 28',
    'www.example.com. 28',
  ]);
  const srv = ask('_sip._tcp.example.com', SRV);
  assert.deepEqual(show(srv), ['_sip._tcp.example.com. 33 5060 mail.example.com.']);
  assert.deepEqual(added(srv), ['mail.example.com. 1']);
});

test('a missing name is NXDOMAIN with the SOA, its TTL the negative one (RFC 2308 §3)', () => {
  const answer = ask('missing.example.com', A);
  assert.equal(answer.rcode, 3);
  assert.ok(answer.aa);
  assert.deepEqual(authority(answer), [negativeSoa]);
  // The lesser of the SOA's TTL (300) and its minimum (900).
  assert.equal(ask('missing.sub.example.com', A).authority[0]!.ttl, 300);
});

test('a missing type, and an empty non-terminal, are NODATA with the SOA', () => {
  for (const name of ['mail.example.com', 'er.example.com', 'ent.wild.example.com']) {
    const answer = ask(name, AAAA);
    assert.equal(answer.rcode, 0, name);
    assert.deepEqual(answer.answers, []);
    assert.deepEqual(authority(answer), [negativeSoa]);
  }
});

test('a wildcard answers for names that do not exist, any depth below it (RFC 4592)', () => {
  assert.deepEqual(show(ask('a.wild.example.com', A)), ['a.wild.example.com. 1 192.0.2.77']);
  assert.deepEqual(show(ask('a.b.wild.example.com', A)), ['a.b.wild.example.com. 1 192.0.2.77']);
  assert.deepEqual(show(ask('*.wild.example.com', A)), ['*.wild.example.com. 1 192.0.2.77']);
  assert.equal(ask('a.wild.example.com', AAAA).rcode, 0);
  assert.deepEqual(authority(ask('a.wild.example.com', AAAA)), [negativeSoa]);
});

test('a wildcard does not reach past an existing name or empty non-terminal', () => {
  assert.deepEqual(show(ask('known.wild.example.com', A)), [
    'known.wild.example.com. 1 192.0.2.78',
  ]);
  assert.deepEqual(show(ask('known.wild.example.com', TXT)), []);
  assert.equal(ask('x.known.wild.example.com', A).rcode, 3);
  assert.equal(ask('x.ent.wild.example.com', A).rcode, 3);
});

test('below a cut comes a referral with glue and without authority', () => {
  for (const name of ['down.example.com', 'a.b.down.example.com', 'ns.down.example.com']) {
    const answer = ask(name, A);
    assert.equal(answer.rcode, 0);
    assert.equal(answer.aa, false);
    assert.deepEqual(answer.answers, []);
    assert.deepEqual(answer.authority.map(({ name, text }) => `${name} ${text}`).sort(), [
      'down.example.com. ns.down.example.com.',
      'down.example.com. ns.elsewhere.net.',
    ]);
    assert.deepEqual(
      answer.additional.map(({ name, text }) => `${name} ${text}`),
      ['ns.down.example.com. 192.0.2.54'],
    );
  }
});

test('the parent side of a cut answers for DS itself (RFC 4035 §3.1.4.1)', () => {
  const answer = ask('down.example.com', DS);
  assert.ok(answer.aa);
  assert.deepEqual(authority(answer), [negativeSoa]);
  assert.equal(ask('x.down.example.com', DS).aa, false);
});

test('DS at the apex of a zone of ours is its parent zone’s to answer (RFC 4035 §3.1.4.1)', () => {
  const digest = Uint8Array.of(0, 1, 13, 2, ...new Array(32).fill(7));
  const { zones } = zoneConfig();
  const [parent, child] = [zones[0]!, zones[1]!];
  const records = [...parent.records, record('sub.example.com', DS, digest)];
  const both = openDoor(zoneConfig({ zones: [{ ...parent, records }, child] }));
  const answer = both.ask('sub.example.com', DS);
  assert.ok(answer.aa);
  assert.deepEqual(answer.answers[0]!.rdata, digest);
  assert.equal(both.ask('sub.example.com', A).authority[0]!.name, 'sub.example.com.');
  assert.deepEqual(authority(ask('sub.example.com', DS)), [negativeSoa]);
  const alone = openDoor(zoneConfig({ zones: [child] }));
  assert.equal(alone.ask('sub.example.com', DS).authority[0]!.name, 'sub.example.com.');
});

test('a name between two apexes of ours exists: NXDOMAIN would deny the child (RFC 8020)', () => {
  const { zones } = zoneConfig();
  const deep = { ...zones[1]!, origin: 'a.b.example.com', records: [] };
  const door = openDoor(testConfig({ services: [], zones: [zones[0]!, deep] }));
  assert.equal(door.ask('b.example.com', A).rcode, 0);
  assert.equal(door.ask('x.b.example.com', A).rcode, 3);
});

test('the closest enclosing zone answers, whatever its parent says', () => {
  const answer = ask('host.sub.example.com', A);
  assert.deepEqual(show(answer), ['host.sub.example.com. 1 192.0.2.100']);
  assert.equal(ask('gone.sub.example.com', A).authority[0]!.name, 'sub.example.com.');
});

test('aliases are followed inside our zones, up and down', () => {
  assert.deepEqual(show(ask('one.example.com', A)), [
    'one.example.com. 5 two.example.com.',
    'two.example.com. 5 host.sub.example.com.',
    'host.sub.example.com. 1 192.0.2.100',
  ]);
  assert.deepEqual(show(ask('up.sub.example.com', A)), [
    'up.sub.example.com. 5 mail.example.com.',
    'mail.example.com. 1 192.0.2.25',
  ]);
  assert.deepEqual(show(ask('one.example.com', CNAME)), ['one.example.com. 5 two.example.com.']);
});

test('an alias to a health-aware name ends in the addresses of the decision', () => {
  const answer = show(ask('alias.example.com', A));
  assert.deepEqual(
    [answer[0], ...answer.slice(1).sort()],
    [
      'alias.example.com. 5 www.example.com.',
      'www.example.com. 1 127.1.1.1',
      'www.example.com. 1 127.1.1.2',
    ],
  );
});

test('the rcode after an alias is that of its target (RFC 6604 §3)', () => {
  const lost = ask('lost.example.com', A);
  assert.equal(lost.rcode, 3);
  assert.deepEqual(show(lost), ['lost.example.com. 5 nowhere.example.com.']);
  assert.deepEqual(authority(lost), [negativeSoa]);
  const nodata = ask('one.example.com', AAAA);
  assert.equal(nodata.rcode, 0);
  assert.equal(nodata.authority[0]!.name, 'sub.example.com.');
});

test('an alias out of our zones, to a cut or into a loop stops there', () => {
  assert.deepEqual(show(ask('away.example.com', A)), ['away.example.com. 5 www.example.org.']);
  assert.equal(ask('away.example.com', A).rcode, 0);
  const cut = ask('todown.example.com', A);
  assert.ok(cut.aa);
  assert.equal(cut.authority[0]!.name, 'down.example.com.');
  assert.ok(show(ask('ping.example.com', A)).length <= 3);
});

/** A SOA record as IXFR carries it: root owner, no data. */
const knownSoa = [0, 0, 6, 0, 1, 0, 0, 0, 0, 0, 0];

test('a refused zone transfer answers EDNS with EDNS (RFC 6891 §6.1.1)', () => {
  for (const type of [251, 252]) assert.ok(ask('example.com', type, { edns: {} }).opt);
  const tail = [...knownSoa, ...optRecord({})];
  assert.ok(ask('example.com', 251, { counts: [1, 0, 1, 1], tail }).opt);
});

test('names outside our zones, other classes and zone transfers are REFUSED', () => {
  for (const answer of [
    ask('www.example.org', A),
    ask('.', NS),
    ask('com', NS),
    ask('ns1.example.com', A, { class: 3 }),
    ask('example.com', 252),
    ask('example.com', 251, { counts: [1, 0, 1, 0], tail: knownSoa }),
  ]) {
    assert.equal(answer.rcode, 5);
    assert.equal(answer.aa, false);
    assert.deepEqual(answer.answers, []);
  }
});

test('ANY gets one rrset (RFC 8482 §4.1)', () => {
  assert.equal(new Set(ask('example.com', ANY).answers.map(({ type }) => type)).size, 1);
  assert.deepEqual(show(ask('one.example.com', ANY)), ['one.example.com. 5 two.example.com.']);
  assert.equal(ask('www.example.com', ANY).answers[0]!.type, A);
  assert.deepEqual(authority(ask('er.example.com', ANY)), [negativeSoa]);
});

test('what is not a query gets no answer: responses, and packets without a header', () => {
  const dropped = counters.get('dropped');
  assert.equal(raw(buildQuery({ name: 'example.com', type: A, flags: 0x8000 })), null);
  assert.equal(raw(new Uint8Array(11)), null);
  assert.equal(raw(new Uint8Array(0)), null);
  assert.equal(counters.get('dropped') - dropped, 3);
});

test('opcodes other than QUERY are NOTIMP, the opcode copied', () => {
  const answer = ask('example.com', SOA, { flags: 0x2000 });
  assert.equal(answer.rcode, 4);
  assert.equal(answer.flags & 0x7800, 0x2000);
});

test('EDNS is answered with EDNS wherever its record can be read (RFC 6891 §6.1.1)', () => {
  const opt = optRecord({ payload: 1400, dnssecOk: true });
  const question = [...buildQuery({ name: 'example.com', type: SOA }).subarray(12)];
  const header = (flags: number, ...counts: number[]): number[] => [
    ...[0, 1, flags, 0],
    ...counts.flatMap((count) => [0, count]),
  ];
  for (const [what, packet, rcode] of [
    ['unknown opcode, only a header', header(0x78, 0, 0, 0, 1), 4],
    ['unknown opcode with a question', [...header(0x78, 1, 0, 0, 1), ...question], 4],
    ['UPDATE', [...header(0x28, 1, 0, 1, 1), ...question, ...knownSoa], 4],
    ['no question', header(0, 0, 0, 0, 1), 1],
    ['two questions', [...header(0, 2, 0, 0, 1), ...question, ...question], 1],
    ['a record too many', [...header(0, 1, 1, 0, 1), ...question, ...knownSoa], 1],
  ] as const) {
    const answer = readMessage(raw(Uint8Array.from([...packet, ...opt]))!);
    assert.equal(answer.rcode, rcode, what);
    assert.equal(answer.flags & 0x7800, (packet[2]! << 8) & 0x7800, what);
    assert.deepEqual([answer.opt!.class, answer.opt!.ttl], [1232, 0x8000], what);
    const mute = readMessage(raw(Uint8Array.from([...packet, ...opt.slice(0, -2)]))!);
    assert.deepEqual([mute.rcode, mute.opt], [rcode, null], what);
  }
});

test('types that are none of a question are FORMERR, obsolete ones NOTIMP (RFC 6895 §3.1)', () => {
  for (const type of [41, 128, 248, 249, 250]) assert.equal(ask('example.com', type).rcode, 1);
  for (const type of [253, 254]) assert.equal(ask('example.com', type).rcode, 4);
  for (const type of [99, 127, 256, 1000, 65280]) assert.equal(ask('example.com', type).rcode, 0);
});

test('class ANY is answered from IN, without authority for the other classes', () => {
  const answer = ask('ns1.example.com', A, { class: 255 });
  assert.equal(answer.aa, false);
  assert.deepEqual(show(answer), ['ns1.example.com. 1 192.0.2.53']);
  assert.equal(answer.answers[0]!.class, 1);
  for (const none of [0, 2, 4, 254]) {
    assert.equal(ask('ns1.example.com', A, { class: none }).rcode, 5);
  }
});

test('malformed queries are FORMERR', () => {
  const name = 'ns1.example.com';
  const bad: [string, Uint8Array][] = [
    ['no question', buildQuery({ name, type: A, counts: [0, 0, 0, 0] })],
    ['two questions', buildQuery({ name, type: A, counts: [2, 0, 0, 0] })],
    ['an answer', buildQuery({ name, type: A, counts: [1, 1, 0, 0] })],
    ['an authority record', buildQuery({ name, type: A, counts: [1, 0, 1, 0] })],
    ['trailing octets', buildQuery({ name, type: A, tail: [0] })],
    ['a missing additional record', buildQuery({ name, type: A, counts: [1, 0, 0, 1] })],
    ['a cut question', buildQuery({ name, type: A }).subarray(0, 20)],
    ['a question without class', buildQuery({ name, type: A }).subarray(0, -2)],
    [
      'a pointer in the question',
      Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1),
    ],
  ];
  for (const [what, packet] of bad) {
    const answer = raw(packet);
    assert.ok(answer, what);
    assert.equal(answer[3]! & 15, 1, what);
    assert.equal(answer[6]! | answer[7]! | answer[8]! | answer[9]!, 0, what);
  }
});

test('queries and response codes are counted', () => {
  const door = openDoor();
  door.ask('ns1.example.com', A);
  door.ask('missing.example.com', A, { transport: TRANSPORT.TCP });
  door.ask('www.example.com', A);
  const counted = Object.fromEntries(door.counters.entries().filter(([, count]) => count > 0));
  assert.deepEqual(counted, { queries: 3, tcp_queries: 1, noerror: 2, nxdomain: 1, steered: 1 });
});
