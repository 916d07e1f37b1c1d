/** Which mistake is named for what a session and its host have seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diagnose, type WhyStatus, whyText } from '../../src/bgp/why.ts';
import {
  ADDRESS,
  checkSituations,
  error,
  FINE,
  KEYED,
  NONE,
  rose,
  SETTINGS,
  SILENT,
  type Situation,
  socket,
  told,
  waiting,
} from '../support/why.ts';

const HOST: Situation[] = [
  {
    name: 'the interface does not exist',
    settings: { interface: 'eth9' },
    evidence: { link: { device: 'eth9', state: 'missing' }, route: null },
    code: 'interface-missing',
    certainty: 'certain',
    text: /no interface eth9/,
  },
  {
    name: 'the interface is down',
    evidence: { link: { device: 'eth0', state: 'down' } },
    code: 'interface-down',
    certainty: 'certain',
    text: /eth0 is down: ip link set dev eth0 up/,
  },
  {
    name: 'the cable is out',
    evidence: { link: { device: 'eth0', state: 'no-carrier' } },
    code: 'no-carrier',
    certainty: 'certain',
    text: /eth0 has no carrier/,
  },
  {
    name: 'no route',
    status: { last_failure: 'cannot connect: no route to 192.0.2.1 (ENETUNREACH)' },
    evidence: { route: { kind: 'none', text: 'there is no route' }, link: null, next_hop: null },
    code: 'no-route',
    certainty: 'certain',
    text: /no route to 192\.0\.2\.1: there is no route/,
  },
  {
    name: 'the address is our own',
    evidence: { route: { kind: 'own' } },
    code: 'own-address',
    certainty: 'certain',
    text: /an address of this machine itself/,
  },
  {
    name: 'behind a router with TTL 1',
    settings: { ttl: 1 },
    evidence: { route: { kind: 'route', device: 'eth0', gateway: '192.0.2.254' } },
    code: 'too-few-hops',
    certainty: 'certain',
    text: /behind the router 192\.0\.2\.254, and a TTL of 1 reaches only the same link: count the hops and set multihop/,
  },
  {
    name: 'behind a router with TTL security for one hop',
    settings: { ttl_security: 1 },
    evidence: { route: { kind: 'route', device: 'eth0', gateway: '192.0.2.254' } },
    code: 'too-few-hops',
    certainty: 'certain',
    text: /ttl_security: 1 reaches only the same link/,
  },
  {
    name: 'nobody answers ARP',
    evidence: { next_hop: { address: ADDRESS, state: 'FAILED' } },
    code: 'no-arp',
    certainty: 'certain',
    text: /192\.0\.2\.1 does not answer ARP on eth0/,
  },
  {
    name: 'nobody answers neighbour discovery',
    evidence: { next_hop: { address: 'fe80::1', state: 'INCOMPLETE' } },
    code: 'no-arp',
    certainty: 'certain',
    text: /fe80::1 does not answer neighbour discovery on eth0/,
  },
  {
    name: 'the source is not ours',
    settings: { source: '192.0.2.9' },
    status: {
      last_failure: 'cannot connect: source 192.0.2.9: this machine does not have the address',
    },
    code: 'source-missing',
    certainty: 'certain',
    text: /does not have the source address 192\.0\.2\.9/,
  },
  {
    name: 'a key without koffi',
    settings: KEYED,
    status: {
      last_failure: 'TCP MD5 needs the optional package koffi, on 64-bit Linux',
    },
    code: 'koffi-missing',
    certainty: 'certain',
    text: /TCP MD5 needs the optional package koffi/,
  },
  {
    name: 'the key could not be read',
    settings: { ...KEYED, key_missing: true },
    status: waiting,
    code: 'key-missing',
    certainty: 'certain',
    text: /the key in \/etc\/isobar\/key could not be read, and there is no session without it/,
  },
  {
    name: 'passive, and nothing listens here',
    settings: { passive: true, listening: false },
    status: waiting,
    code: 'not-listening',
    certainty: 'certain',
    text: /set bgp\.listen/,
  },
];

const TCP: Situation[] = [
  {
    name: 'another MD5 key',
    settings: KEYED,
    evidence: rose('TCPMD5Failure', 4),
    code: 'md5-differs',
    certainty: 'likely',
    text: /MD5 key differs: TCPMD5Failure has risen by 4/,
  },
  {
    name: 'another MD5 key, and only we dial',
    settings: KEYED,
    evidence: { unsigned: 'silent' },
    code: 'md5-differs',
    certainty: 'likely',
    text: /answers neither with our MD5 key nor without one: its key differs, or a firewall/,
  },
  {
    name: 'silence from afar, with a key',
    settings: KEYED,
    evidence: {
      unsigned: 'silent',
      route: { kind: 'route', device: 'eth0', gateway: '192.0.2.254' },
    },
    code: 'no-answer',
    certainty: 'possible',
    text: /a firewall drops it, or the neighbour has no TCP MD5 key for us/,
  },
  {
    name: 'a key here and none there, which dials us',
    settings: KEYED,
    evidence: rose('TCPMD5NotFound', 2),
    code: 'md5-missing-there',
    certainty: 'likely',
    text: /does not sign what it sends \(TCPMD5NotFound: 2\)/,
  },
  {
    name: 'a key here and none there, which answers only without',
    settings: KEYED,
    evidence: { unsigned: 'accepted' },
    code: 'md5-missing-there',
    certainty: 'certain',
    text: /answers without TCP MD5 and not with it/,
  },
  {
    name: 'a neighbour that has spoken to us, and has taken its key away',
    settings: KEYED,
    status: { messages_in: { ...SILENT.messages_in, open: 1 }, sessions: 1 },
    evidence: { unsigned: 'accepted' },
    code: 'md5-missing-there',
    certainty: 'possible',
    text: /no key for us any more, or its side of the session is shut down/,
  },
  {
    name: 'a key there and none here',
    evidence: rose('TCPMD5Unexpected', 3),
    code: 'md5-missing-here',
    certainty: 'likely',
    text: /no key is configured for it here \(TCPMD5Unexpected: 3\): set md5_key_file/,
  },
  {
    name: 'counters of other neighbours say nothing about one without a key',
    evidence: rose('TCPMD5Failure', 7),
    code: 'no-answer',
    certainty: 'possible',
    text: /does not answer/,
  },
  {
    name: 'nothing listens',
    status: {
      last_failure: 'cannot connect: nothing listens on 192.0.2.1:179 (ECONNREFUSED)',
    },
    code: 'nothing-listens',
    certainty: 'certain',
    text: /nothing listens on 192\.0\.2\.1 port 179 \(connection refused\)/,
  },
  {
    name: 'nothing listens, and the refusal is not signed',
    settings: KEYED,
    evidence: { ...rose('TCPMD5NotFound', 5), unsigned: 'refused' },
    code: 'nothing-listens',
    certainty: 'certain',
    text: /nothing listens on 192\.0\.2\.1 port 179/,
  },
  {
    name: 'TTL security here, an ordinary TTL there',
    settings: { ttl_security: 2 },
    evidence: rose('TCPMinTTLDrop', 6),
    code: 'ttl-security-here',
    certainty: 'likely',
    text: /TTL below 254 and is dropped \(TCPMinTTLDrop: 6\)/,
  },
  {
    name: 'TTL security there, TTL 64 here, while the connection stands',
    status: { state: 'OpenSent', last_failure: null, messages_out: { ...NONE, open: 1 } },
    evidence: socket({ unacknowledged: 45, retransmits: 3 }),
    code: 'ttl-security-there',
    certainty: 'likely',
    text: /we send TTL 64 and the neighbour seems to check it \(GTSM\): 45 octets/,
  },
  {
    name: 'TTL security there, TTL 64 here, after the connection',
    status: {
      ...told(4, 0, 'after 240 s'),
      messages_in: { ...NONE, open: 1 },
      messages_out: { ...NONE, open: 1, notification: 1 },
    },
    code: 'ttl-security-there',
    certainty: 'likely',
    text: /no answer to our OPEN, though its own has come; set ttl_security here/,
  },
  {
    name: 'our octets are lost although we send TTL 255',
    settings: { ttl_security: 1 },
    status: { state: 'OpenSent', last_failure: null },
    evidence: socket({ unacknowledged: 45, retransmits: 1 }),
    code: 'unacknowledged',
    certainty: 'possible',
    text: /hears nothing of what we send on the connection: 45 octets unacknowledged, sent again once/,
  },
  {
    name: 'it closes at once',
    status: { last_failure: 'connection closed by the peer', state: 'Idle' },
    settings: { source: '192.0.2.2' },
    code: 'not-known-there',
    certainty: 'likely',
    text: /does not know us; configure 192\.0\.2\.2 and AS 65001 there/,
  },
  {
    name: 'it closes at once, and has spoken to us before',
    settings: { ...KEYED, ttl_security: 1 },
    status: {
      last_failure: 'read ECONNRESET',
      messages_in: { ...SILENT.messages_in, open: 1 },
      sessions: 1,
    },
    evidence: { ...rose('TCPMinTTLDrop', 17), unsigned: 'silent' },
    code: 'waits-there',
    certainty: 'likely',
    text: /takes the connection and closes it: it waits after an error/,
  },
  {
    name: 'silence',
    code: 'no-answer',
    certainty: 'possible',
    text: /a firewall drops it, the neighbour wants a TCP MD5 key, or checks the TTL/,
  },
  {
    name: 'passive, and it does not dial',
    settings: { passive: true },
    status: waiting,
    code: 'waiting',
    certainty: 'possible',
    text: /we wait for 192\.0\.2\.1 to connect/,
  },
];

checkSituations('why, on this host and its links', HOST);
checkSituations('why, between two TCPs', TCP);

test('what is surer comes first', () => {
  const findings = diagnose(
    { ...SILENT, last_error_in: error(6, 2, 'maintenance') },
    { ...FINE, ...rose('TCPMD5Failure', 1), next_hop: { address: ADDRESS, state: 'FAILED' } },
    { ...SETTINGS, ...KEYED },
  );
  const codes = findings.map(({ code }) => code);
  assert.deepEqual(codes, ['no-arp', 'md5-differs', 'shutdown']);
});

test('an established session with nothing amiss has no findings, and says so', () => {
  const was = { last_error_in: error(6, 2), silent_ms: 2_000 };
  const up: WhyStatus = { ...SILENT, state: 'Established', ...was };
  const settled = { ...up, sessions: 5, for_ms: 3_600_000 };
  assert.deepEqual(diagnose(settled, FINE, SETTINGS), []);
  assert.deepEqual(diagnose(up, { ...FINE, ...rose('TCPMD5Failure', 1) }, SETTINGS), []);
  const text = 'tor1: Established for 3 s\nlast message from it: 2 s ago\nnothing is amiss';
  assert.equal(whyText('tor1', up, []), text);
});

test('for people: how it stands, then each finding with how sure it is', () => {
  const text = whyText('tor1', SILENT, [{ code: 'x', certainty: 'likely', text: 'it rains' }]);
  assert.deepEqual(text.split('\n'), [
    'tor1: Active for 3 s',
    'last message from it: never',
    'last failure: cannot connect: no answer within 5 s',
    'likely: it rains',
  ]);
});

test('the octets of the last faulty message are shown', () => {
  const fault = { class: 'treat-as-withdraw', text: 'malformed AS_PATH (3/11)' } as const;
  const status = { ...SILENT, last_fault: { ...fault, bytes: '400202', at_ms: 1 } };
  const shown =
    'last faulty message: malformed AS_PATH (3/11) (treat-as-withdraw), its last octets 400202';
  assert.ok(whyText('tor1', status, []).split('\n').includes(shown));
});
