/** RFC 7606, case by case, on bytes put together here without the encoder. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asPathText, mergeAs4Path } from '../../../src/bgp/wire/as-path.ts';
import { aigpMetric } from '../../../src/bgp/wire/attribute-rows.ts';
import { type CodecContext, DEFAULT_CONTEXT } from '../../../src/bgp/wire/attributes.ts';
import { decodeMessage } from '../../../src/bgp/wire/message.ts';
import { endOfRib, routeChanges } from '../../../src/bgp/wire/update.ts';
import { formatAddress, formatPrefix } from '../../../src/net/ip.ts';

const EXTERNAL = DEFAULT_CONTEXT;
const INTERNAL: CodecContext = { ...DEFAULT_CONTEXT, ibgp: true };
const TWO_OCTETS: CodecContext = { ...DEFAULT_CONTEXT, four_octet_as: false };

const ORIGIN = '40010100';
const AS_PATH = '400206 0201 0000fde9';
const NEXT_HOP = '400304 c0000201';
const GOOD = `${ORIGIN} ${AS_PATH} ${NEXT_HOP}`;
const ROUTE = '20 0a000001';
const MP_ROUTE =
  '800e26 0002 01 10 20010db8000000000000000000000001 00 80 20010db8008000000000000000000080';

const plain = (text: string): string => text.replace(/\s/g, '');
const u16 = (value: number): string => value.toString(16).padStart(4, '0');

function update(attributes: string, nlri = ROUTE, withdrawn = ''): Uint8Array {
  const [a, n, w] = [plain(attributes), plain(nlri), plain(withdrawn)];
  const body = `${u16(w.length / 2)}${w}${u16(a.length / 2)}${a}${n}`;
  return Buffer.from(`${'ff'.repeat(16)}${u16(19 + body.length / 2)}02${body}`, 'hex');
}

/** "class code/subcode" of the fault, or "fine", and what becomes of the routes. */
function outcome(bytes: Uint8Array, context = EXTERNAL): { fault: string; routes: string[] } {
  const { message, fault } = decodeMessage(bytes, context);
  const text = fault ? `${fault.class} ${fault.code}/${fault.subcode}` : 'fine';
  if (!message) return { fault: text, routes: [] };
  assert.ok(message.type === 'update');
  const { announced, withdrawn } = routeChanges(message.update, fault);
  return {
    fault: text,
    routes: [
      ...withdrawn.map((prefix) => `-${formatPrefix(prefix)}`),
      ...announced.map(({ prefix }) => `+${formatPrefix(prefix)}`),
    ],
  };
}

const IN = ['+10.0.0.1/32'];
const OUT = ['-10.0.0.1/32'];

describe('one malformed attribute', () => {
  const cases: [string, string, string, string[]][] = [
    ['nothing wrong', GOOD, 'fine', IN],
    ['ORIGIN of 3', GOOD.replace('40010100', '40010103'), 'treat-as-withdraw 3/6', OUT],
    ['ORIGIN of two bytes', `4001020000 ${AS_PATH} ${NEXT_HOP}`, 'treat-as-withdraw 3/5', OUT],
    ['no ORIGIN', `${AS_PATH} ${NEXT_HOP}`, 'treat-as-withdraw 3/3', OUT],
    ['no AS_PATH', `${ORIGIN} ${NEXT_HOP}`, 'treat-as-withdraw 3/3', OUT],
    ['no NEXT_HOP', `${ORIGIN} ${AS_PATH}`, 'treat-as-withdraw 3/3', OUT],
    ['NEXT_HOP of 5 bytes', `${ORIGIN} ${AS_PATH} 400305c000020100`, 'treat-as-withdraw 3/5', OUT],
    [
      'segment too long',
      `${ORIGIN} 400206 0202 0000fde9 ${NEXT_HOP}`,
      'treat-as-withdraw 3/11',
      OUT,
    ],
    ['empty segment', `${ORIGIN} 400202 0200 ${NEXT_HOP}`, 'treat-as-withdraw 3/11', OUT],
    [
      'segment of type 5',
      `${ORIGIN} 400206 0501 0000fde9 ${NEXT_HOP}`,
      'treat-as-withdraw 3/11',
      OUT,
    ],
    [
      'confederation segment',
      `${ORIGIN} 400206 0301 0000fde9 ${NEXT_HOP}`,
      'treat-as-withdraw 3/11',
      OUT,
    ],
    [
      'AS 0 in the path',
      `${ORIGIN} 400206 0201 00000000 ${NEXT_HOP}`,
      'treat-as-withdraw 3/11',
      OUT,
    ],
    ['MED of 3 bytes', `${GOOD} 800403000001`, 'treat-as-withdraw 3/5', OUT],
    ['ATOMIC_AGGREGATE with a byte', `${GOOD} 40060100`, 'attribute-discard 3/5', IN],
    ['AGGREGATOR of 6 bytes', `${GOOD} c00706fde9c0000201`, 'attribute-discard 3/9', IN],
    ['AGGREGATOR of AS 0', `${GOOD} c0070800000000c0000201`, 'attribute-discard 3/9', IN],
    ['COMMUNITIES of 6 bytes', `${GOOD} c00806fde800010000`, 'treat-as-withdraw 3/5', OUT],
    ['COMMUNITIES of none', `${GOOD} c00800`, 'treat-as-withdraw 3/5', OUT],
    ['extended communities of 7', `${GOOD} c0100700000000000000`, 'treat-as-withdraw 3/5', OUT],
    ['large communities of 8', `${GOOD} c020080000000000000000`, 'treat-as-withdraw 3/5', OUT],
    [
      'AS_SET (RFC 9774)',
      `${ORIGIN} 400206 0101 0000fde9 ${NEXT_HOP}`,
      'treat-as-withdraw 3/11',
      OUT,
    ],
    ['AS_CONFED_SET', `${ORIGIN} 400206 0401 0000fde9 ${NEXT_HOP}`, 'treat-as-withdraw 3/11', OUT],
    ['AS_PATH of a lone type', `${ORIGIN} 400201 02 ${NEXT_HOP}`, 'treat-as-withdraw 3/11', OUT],
    ['NEXT_HOP 0.0.0.0', `${ORIGIN} ${AS_PATH} 40030400000000`, 'treat-as-withdraw 3/8', OUT],
    ['NEXT_HOP 224.0.0.5', `${ORIGIN} ${AS_PATH} 400304e0000005`, 'treat-as-withdraw 3/8', OUT],
    ['ORIGINATOR_ID from outside', `${GOOD} 8009040a000001`, 'attribute-discard 3/1', IN],
    ['CLUSTER_LIST from outside', `${GOOD} 800a040a000001`, 'attribute-discard 3/1', IN],
    ['OTC', `${GOOD} c0230400000001`, 'fine', IN],
    ['OTC of 3 bytes', `${GOOD} c02303000001`, 'treat-as-withdraw 3/5', OUT],
    ['OTC without the optional bit', `${GOOD} 40230400000001`, 'treat-as-withdraw 3/4', OUT],
    ['AIGP', `${GOOD} 801a0b 01000b 0000000000000064`, 'fine', IN],
    ['AIGP as transitive', `${GOOD} c01a0b 01000b 0000000000000064`, 'attribute-discard 3/4', IN],
    ['AIGP with a short metric', `${GOOD} 801a07 010007 00000064`, 'attribute-discard 3/9', IN],
    ['AIGP with a TLV cut off', `${GOOD} 801a04 02000b 00`, 'attribute-discard 3/9', IN],
    ['AIGP out of reach', `${GOOD} 801a0b 01000b ${'ff'.repeat(8)}`, 'attribute-discard 3/9', IN],
    ['AIGP with two metrics', `${GOOD} 801a16 ${`01000b${'00'.repeat(8)}`.repeat(2)}`, 'fine', IN],
    ['a second unknown one', `${GOOD} c0ff0101 c0ff0102`, 'attribute-discard 3/1', IN],
    ['a lone flags and code', `${GOOD} c0ff`, 'treat-as-withdraw 3/5', OUT],
    ['a cut extended length', `${GOOD} d0ff01`, 'treat-as-withdraw 3/5', OUT],
    ['AIGP with a TLV of no length', `${GOOD} 801a03 020000`, 'attribute-discard 3/9', IN],
    ['optional flag on ORIGIN', `c0010100 ${AS_PATH} ${NEXT_HOP}`, 'treat-as-withdraw 3/4', OUT],
    ['a second ORIGIN', `${GOOD} 40010102`, 'attribute-discard 3/1', IN],
    ['LOCAL_PREF from outside', `${GOOD} 40050400000064`, 'attribute-discard 3/1', IN],
    ['AS4_PATH from a new speaker', `${GOOD} c01106 0201 0000fde9`, 'attribute-discard 3/1', IN],
    ['MP_REACH as well-known', `${MP_ROUTE.replace('80', '40')} ${GOOD}`, 'session-reset 3/4', []],
    ['MP_UNREACH as transitive', `c00f03 0002 01 ${GOOD}`, 'session-reset 3/4', []],
    ['MP_REACH of 4 bytes', `800e04 0002 01 00 ${GOOD}`, 'session-reset 3/5', []],
    ['IPv6 extended communities', `${GOOD} c01914${'00'.repeat(20)}`, 'fine', IN],
    ['… of 19 bytes', `${GOOD} c01913${'00'.repeat(19)}`, 'treat-as-withdraw 3/5', OUT],
    ['extended communities of no known type', `${GOOD} c01008${'ff'.repeat(8)}`, 'fine', IN],
    ['MP_UNREACH of 129 bits', `800f04 0002 01 81 ${GOOD}`, 'session-reset 3/9', []],
    ['MP_UNREACH cut short', `800f02 0002 ${GOOD}`, 'session-reset 3/5', []],
    ['unknown optional', `${GOOD} c0ff0101`, 'fine', IN],
    ['unknown well-known', `${GOOD} 40ff0101`, 'session-reset 3/2', []],
    ['an attribute beyond the list', `${GOOD} c0ff0501`, 'treat-as-withdraw 3/5', OUT],
    ['a lone flags byte', `${GOOD} c0`, 'treat-as-withdraw 3/5', OUT],
  ];
  for (const [name, attributes, fault, routes] of cases) {
    test(name, () => assert.deepEqual(outcome(update(attributes)), { fault, routes }));
  }
});

test('the strongest of several faults decides', () => {
  const discard = '40060100';
  const withdraw = '800403000001';
  assert.equal(outcome(update(`${GOOD} ${discard} ${withdraw}`)).fault, 'treat-as-withdraw 3/5');
  assert.equal(outcome(update(`${GOOD} ${withdraw} 40ff0101`)).fault, 'session-reset 3/2');
});

test('AS4_PATH and AS4_AGGREGATOR are dropped if malformed, and the route stays (RFC 6793 §6)', () => {
  const good = GOOD.replace(AS_PATH, '400204 0201 fde9');
  assert.equal(outcome(update(`${good} c01106 0201 fa56ea00`), TWO_OCTETS).fault, 'fine');
  for (const broken of [
    'c01106 0202 fa56ea00', // one number is missing
    'c01106 0501 fa56ea00',
    'c01106 0201 00000000',
    'c01104 0201 fde9',
    'c01206 fde9 c0000201',
    'c01208 00000000 c0000201',
  ]) {
    const { fault, routes } = outcome(update(`${good} ${broken}`), TWO_OCTETS);
    assert.match(fault, /^attribute-discard 3/, broken);
    assert.deepEqual(routes, IN);
  }
});

test('an internal peer must send LOCAL_PREF', () => {
  assert.equal(outcome(update(GOOD), INTERNAL).fault, 'treat-as-withdraw 3/3');
  assert.equal(outcome(update(`${GOOD} 40050400000064`), INTERNAL).fault, 'fine');
  const short = outcome(update(`${GOOD} 400503000064`), INTERNAL);
  assert.deepEqual(short, { fault: 'treat-as-withdraw 3/5', routes: OUT });
});

test('what only internal peers may say is checked there (RFC 7606 §7.9, §7.10)', () => {
  const internal = `${GOOD} 40050400000064`;
  const within = (more: string): string => outcome(update(`${internal} ${more}`), INTERNAL).fault;
  assert.equal(within('8009040a000001 800a080a0000010a000002'), 'fine');
  assert.equal(within('8009030a0000'), 'treat-as-withdraw 3/5');
  assert.equal(within('800a00'), 'treat-as-withdraw 3/5');
  assert.equal(within('800a050a00000100'), 'treat-as-withdraw 3/5');
});

test('a NOTIFICATION shows what was wrong (RFC 4271 §6.3)', () => {
  const data = (attributes: string, nlri = ROUTE): string => {
    const { fault } = decodeMessage(update(attributes, nlri), EXTERNAL);
    return Buffer.from(fault!.data).toString('hex');
  };
  assert.equal(data(`${GOOD} 40ff0101`), '40ff0101'); // 2: the attribute
  assert.equal(data(`${AS_PATH} ${NEXT_HOP}`), '01'); // 3: its type
  assert.equal(data(`c0010100 ${AS_PATH} ${NEXT_HOP}`), 'c0010100'); // 4
  assert.equal(data(`${GOOD} 800403000001`), '800403000001'); // 5
  assert.equal(data(`${GOOD} 90040003000001`), '90040003000001');
  assert.equal(data(`40010109 ${AS_PATH} ${NEXT_HOP}`), '40010109'); // 6
  assert.equal(data(`${ORIGIN} ${AS_PATH} 400304e0000005`), '400304e0000005'); // 8
  assert.equal(data(`${GOOD} c0070800000000c0000201`), 'c0070800000000c0000201'); // 9
  assert.equal(data(GOOD, '21 0a000001 00'), ''); // 10
  assert.equal(data(`${ORIGIN} 400206 0501 0000fde9 ${NEXT_HOP}`), ''); // 11
});

test('beside routes in MP_REACH_NLRI alone a NEXT_HOP says nothing (RFC 4760 §3)', () => {
  const attributes = `${MP_ROUTE} ${ORIGIN} ${AS_PATH} 40030400000000`;
  assert.equal(outcome(update(attributes, '')).fault, 'fine');
});

test('an AS4_PATH loses confederation segments, and a set withdraws the route', () => {
  const good = GOOD.replace(AS_PATH, '400206 0202 fde95ba0');
  const confed = outcome(update(`${good} c0110c 0301 0000fdea 0201 fa56ea00`), TWO_OCTETS);
  assert.deepEqual(confed, { fault: 'fine', routes: IN });
  const set = outcome(update(`${good} c01106 0101 fa56ea00`), TWO_OCTETS);
  assert.deepEqual(set, { fault: 'treat-as-withdraw 3/9', routes: OUT });
});

test('the metric of AIGP is the first TLV of type 1 (RFC 7311 §3)', () => {
  const tlvs = (hex: string): Uint8Array => Buffer.from(plain(hex), 'hex');
  assert.equal(aigpMetric(tlvs('01000b 0000000100000000')), 4_294_967_296n);
  assert.equal(aigpMetric(tlvs('020005 0000 01000b 0000000000000007')), 7n);
  assert.equal(aigpMetric(tlvs('020003')), null);
});

test('IPv6 routes: announced, withdrawn, and withdrawn because of a fault elsewhere', () => {
  const attributes = `${MP_ROUTE} ${ORIGIN} ${AS_PATH}`;
  assert.deepEqual(outcome(update(attributes, '')), {
    fault: 'fine',
    routes: ['+2001:db8:80::80/128'],
  });
  const unreach = '800f14 0002 01 80 20010db8008000000000000000000080';
  assert.deepEqual(outcome(update(unreach, '')), {
    fault: 'fine',
    routes: ['-2001:db8:80::80/128'],
  });
  assert.deepEqual(outcome(update(`${MP_ROUTE} 40010109 ${AS_PATH}`, '')), {
    fault: 'treat-as-withdraw 3/6',
    routes: ['-2001:db8:80::80/128'],
  });
});

test('routes that cannot be read reset the session', () => {
  const reset = (bytes: Uint8Array): void => {
    assert.match(outcome(bytes).fault, /^session-reset 3/);
  };
  reset(update(GOOD, '21 0a000001 00')); // a prefix of 33 bits
  reset(update(GOOD, '20 0a0000'));
  reset(update('', '', '21 0a000001 00'));
  reset(update(`${MP_ROUTE} ${MP_ROUTE} ${ORIGIN} ${AS_PATH}`, ''));
  reset(update(`${MP_ROUTE.replace('10 2001', '0f 2001')} ${ORIGIN} ${AS_PATH}`, ''));
  const long = update(GOOD);
  long[19] = 0xff; // withdrawn routes length
  reset(long);
  const more = update(GOOD);
  more[22] = more[22]! + 30; // total path attribute length
  reset(more);
});

test('a broken attribute list without routes may have lost them: the session is reset', () => {
  assert.match(outcome(update('40010109', '')).fault, /^session-reset 3\/6/);
  const empty = `800e15 0002 01 10 ${'20010db8'.padEnd(32, '0')} 00`;
  const attributes = `${empty} ${ORIGIN} ${AS_PATH}`;
  assert.equal(outcome(update(attributes, '')).fault, 'fine');
  const broken = attributes.replace('40010100', '40010109');
  assert.match(outcome(update(broken, '')).fault, /^session-reset 3\/6/);
  const discarded = `${attributes} 40060100`;
  assert.equal(outcome(update(discarded, '')).fault, 'attribute-discard 3/5');
});

test('a prefix in both fields of one UPDATE is announced (RFC 4271 §4.3)', () => {
  assert.deepEqual(outcome(update(GOOD, ROUTE, ROUTE)), { fault: 'fine', routes: IN });
  assert.deepEqual(outcome(update(GOOD.replace('40010100', '40010103'), ROUTE, ROUTE)).routes, [
    ...OUT,
    ...OUT,
  ]);
});

test('bits beyond the prefix length do not matter', () => {
  assert.deepEqual(outcome(update(GOOD, '14 0a01ff')).routes, ['+10.1.240.0/20']);
});

test('End-of-RIB is known for both families and nothing else is taken for it', () => {
  const end = (bytes: Uint8Array): 4 | 6 | null => {
    const { message } = decodeMessage(bytes, EXTERNAL);
    assert.ok(message?.type === 'update');
    return endOfRib(message.update);
  };
  assert.equal(end(update('', '')), 4);
  assert.equal(end(update('800f03 0002 01', '')), 6);
  assert.equal(end(update('900f0003 0002 01', '')), 6); // as ExaBGP writes it
  assert.equal(end(update('', '', ROUTE)), null);
  assert.equal(end(update(GOOD)), null);
});

test('behind a two-octet speaker the path is put together again (RFC 6793 §4.2.3)', () => {
  const path = '400208 0203 fde9 5ba0 fdea';
  const as4 = 'c0110a 0202 fa56ea00 0000fdea';
  const { message, fault } = decodeMessage(
    update(`${ORIGIN} ${path} ${NEXT_HOP} ${as4}`),
    TWO_OCTETS,
  );
  assert.equal(fault, null);
  assert.ok(message?.type === 'update');
  assert.equal(asPathText(routeChanges(message.update, null).as_path), '65001 4200000000 65002');
  // Aggregated by the two-octet AS 65001 itself: what AS4_PATH says is outdated.
  const aggregated = `c00706 fde9 c0000201 ${as4} c01208 fa56ea00 c0000202`;
  const later = decodeMessage(update(`${ORIGIN} ${path} ${NEXT_HOP} ${aggregated}`), TWO_OCTETS);
  assert.equal(later.fault, null);
  assert.ok(later.message?.type === 'update');
  assert.equal(asPathText(routeChanges(later.message.update, null).as_path), '65001 23456 65002');
  const sequence = (as: number[]) => ({ kind: 'sequence', as }) as const;
  const set = { kind: 'set', as: [1, 2] } as const;
  assert.equal(asPathText(mergeAs4Path([sequence([1])], [sequence([7, 8])])), '1');
  assert.equal(
    asPathText(mergeAs4Path([sequence([5]), set, sequence([6])], [sequence([6])])),
    '5 {1 2} 6',
  );
});

test('two paths to one prefix are two routes (RFC 7911 §3)', () => {
  const within: CodecContext = { ...EXTERNAL, add_path4: true };
  const paths = `00000001 ${ROUTE} 00000002 ${ROUTE}`;
  const { message } = decodeMessage(
    update(GOOD, paths, `00000002 ${ROUTE} 00000003 ${ROUTE}`),
    within,
  );
  assert.ok(message?.type === 'update');
  const { announced, withdrawn } = routeChanges(message.update, null);
  assert.deepEqual(
    announced.map(({ prefix }) => prefix.path_id),
    [1, 2],
  );
  assert.deepEqual(
    withdrawn.map(({ path_id }) => path_id),
    [3],
  );
  assert.match(outcome(update(GOOD, `000001 ${ROUTE}`), within).fault, /^session-reset 3\/10/);
});

test('an IPv4 route has an IPv6 next hop only where that is agreed (RFC 8950)', () => {
  const global = '20010db8000000000000000000000001';
  const local = 'fe800000000000000000000000000001';
  const within: CodecContext = { ...EXTERNAL, extended_next_hop: true };
  const hop = (next_hop: string): string => {
    const value = plain(`0001 01 ${(plain(next_hop).length / 2).toString(16).padStart(2, '0')}
      ${next_hop} 00 ${ROUTE}`);
    const length = (value.length / 2).toString(16).padStart(2, '0');
    const bytes = update(`800e${length}${value} ${ORIGIN} ${AS_PATH}`, '');
    assert.match(outcome(bytes).fault, next_hop.length === 8 ? /fine/ : /^session-reset 3/);
    const { message, fault } = decodeMessage(bytes, within);
    if (fault || message?.type !== 'update') return `${fault?.class}`;
    return formatAddress(routeChanges(message.update, null).announced[0]!.next_hop);
  };
  assert.equal(hop('c0000201'), '192.0.2.1');
  assert.equal(hop(global), '2001:db8::1');
  assert.equal(hop(global + local), '2001:db8::1');
  assert.equal(hop(`${global}${local.slice(0, 16)}`), 'session-reset');
});
