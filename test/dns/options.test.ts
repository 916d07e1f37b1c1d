/** What a response says in its OPT record: cookies, NSID, keepalive, padding, extended errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { TRANSPORT } from '../../src/dns/respond.ts';
import { buildQuery, optRecord, type ReadMessage, readMessage } from '../support/dns-query.ts';
import { openDoor } from '../support/dns-zone.ts';

const A = 1;
const [NSID, COOKIE, KEEPALIVE, PADDING, ERROR] = [3, 10, 11, 12, 15];
const client8 = [1, 2, 3, 4, 5, 6, 7, 8];
const name = 'ns1.example.com';

/** The options of a response by code; a code that comes twice fails. */
function optionsOf({ opt }: ReadMessage): Map<number, number[]> {
  const options = new Map<number, number[]>();
  const bytes = [...(opt?.rdata ?? [])];
  for (let at = 0; at < bytes.length; ) {
    const code = (bytes[at]! << 8) | bytes[at + 1]!;
    const end = at + 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    assert.ok(!options.has(code) && end <= bytes.length);
    options.set(code, bytes.slice(at + 4, end));
    at = end;
  }
  return options;
}

const withCookie = (data: readonly number[]) => ({ edns: { options: [[COOKIE, data] as const] } });
const errorOf = (message: ReadMessage): number | null => {
  const data = optionsOf(message).get(ERROR);
  if (data) assert.equal(data.length, 2, 'no text');
  return data ? (data[0]! << 8) | data[1]! : null;
};

test('a client cookie comes back with a server cookie, which is then good and kept', () => {
  const { ask, counters } = openDoor();
  const learned = optionsOf(ask(name, A, withCookie(client8))).get(COOKIE)!;
  assert.equal(learned.length, 24);
  assert.deepEqual(learned.slice(0, 8), client8);
  assert.equal(counters.get('cookies'), 0);
  const again = ask(name, A, withCookie(learned));
  assert.equal(again.answers.length, 1);
  assert.deepEqual(optionsOf(again).get(COOKIE), learned);
  assert.equal(counters.get('cookies'), 1);
});

test('a cookie is renewed after half an hour, and made anew after an hour', () => {
  const clock = new VirtualClock();
  const { ask, counters } = openDoor(undefined, { clock });
  const first = optionsOf(ask(name, A, withCookie(client8))).get(COOKIE)!;
  clock.advance(31 * 60_000);
  const second = optionsOf(ask(name, A, withCookie(first))).get(COOKIE)!;
  assert.notDeepEqual(second, first);
  assert.equal(counters.get('cookies'), 1);
  clock.advance(30 * 60_000);
  ask(name, A, withCookie(first));
  assert.equal(counters.get('cookies'), 1);
  ask(name, A, withCookie(second));
  assert.equal(counters.get('cookies'), 2);
});

test('a cookie of a length that none has is FORMERR, with OPT (RFC 7873 §5.2.2)', () => {
  const { ask } = openDoor();
  for (const length of [0, 7, 9, 15, 41]) {
    const answer = ask(name, A, withCookie(new Array(length).fill(1)));
    assert.equal(answer.rcode, 1, `${length} octets`);
    assert.ok(answer.opt);
    assert.equal(optionsOf(answer).size, 0);
  }
  for (const length of [8, 16, 24, 40]) {
    assert.equal(ask(name, A, withCookie(new Array(length).fill(1))).rcode, 0, `${length} octets`);
  }
});

test('of two cookies the first counts (RFC 7873 §5.2)', () => {
  const { ask } = openDoor();
  const options = [[COOKIE, client8] as const, [COOKIE, [9]] as const];
  const answer = ask(name, A, { edns: { options } });
  assert.deepEqual(optionsOf(answer).get(COOKIE)!.slice(0, 8), client8);
});

test('where cookies are required, UDP with a client cookie alone gets BADCOOKIE and a new one', () => {
  const { ask, counters } = openDoor(undefined, {
    dns: { cookies: { secret_file: null, required: true } },
  });
  const refused = ask(name, A, withCookie(client8));
  assert.equal(refused.rcode, 23);
  assert.equal(refused.aa, false);
  assert.deepEqual(refused.answers, []);
  assert.equal(refused.question, `${name}. 1`);
  const cookie = optionsOf(refused).get(COOKIE)!;
  assert.equal(ask(name, A, withCookie(cookie)).rcode, 0);
  const spoilt = [...cookie.slice(0, 23), cookie[23]! ^ 1];
  const again = ask(name, A, withCookie(spoilt));
  assert.equal(again.rcode, 23);
  assert.deepEqual(optionsOf(again).get(COOKIE), cookie);
  assert.equal(ask(name, A, { ...withCookie(cookie), client: '192.0.2.2' }).rcode, 23);
  assert.equal(counters.get('badcookie'), 3);
  // Who has shown none, or is on a connection, is answered (RFC 7873 §5.2.1, §5.2.3).
  assert.equal(ask(name, A, { edns: {} }).rcode, 0);
  assert.equal(ask(name, A).rcode, 0);
  const tcp = ask(name, A, { ...withCookie(client8), transport: TRANSPORT.TCP });
  assert.equal(tcp.rcode, 0);
  assert.equal(optionsOf(tcp).get(COOKIE)!.length, 24);
  // A malformed query stays one.
  assert.equal(ask(name, A, { ...withCookie(client8), tail: [0] }).rcode, 1);
});

test('a query without question but with a cookie asks for one, or after its own (RFC 7873 §5.4)', () => {
  const { raw } = openDoor();
  const send = (data: readonly number[], edns = {}): ReadMessage => {
    const opt = optRecord({ options: [[COOKIE, data]], ...edns });
    return readMessage(raw(Uint8Array.from([0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, ...opt]))!);
  };
  const first = send(client8);
  assert.deepEqual([first.rcode, first.id, first.question], [0, 7, '']);
  const cookie = optionsOf(first).get(COOKIE)!;
  assert.equal(cookie.length, 24);
  assert.equal(send(cookie).rcode, 0);
  const bad = send([...client8, ...new Array(16).fill(1)]);
  assert.equal(bad.rcode, 23);
  assert.deepEqual(optionsOf(bad).get(COOKIE), cookie);
  assert.equal(send([1, 2, 3]).rcode, 1);
});

test('NSID tells the identity, when it is asked for and there is one (RFC 5001)', () => {
  const asks = { edns: { options: [[NSID, []] as const] } };
  const told = openDoor(undefined, { dns: { identity: 'fra-1' } });
  assert.equal(Buffer.from(optionsOf(told.ask(name, A, asks)).get(NSID)!).toString(), 'fra-1');
  assert.equal(optionsOf(told.ask(name, A, { edns: {} })).size, 0);
  assert.equal(optionsOf(openDoor().ask(name, A, asks)).size, 0);
});

test('keepalive is answered on connections, in units of 100 ms, and ignored over UDP (RFC 7828)', () => {
  const { ask } = openDoor(undefined, { dns: { tcp_idle_ms: 30_000 } });
  const asks = { edns: { options: [[KEEPALIVE, []] as const] } };
  const tells = { edns: { options: [[KEEPALIVE, [0, 9]] as const] } };
  for (const transport of [TRANSPORT.TCP, TRANSPORT.ENCRYPTED]) {
    assert.deepEqual(optionsOf(ask(name, A, { ...asks, transport })).get(KEEPALIVE), [1, 44]);
    assert.deepEqual(optionsOf(ask(name, A, { ...tells, transport })).get(KEEPALIVE), [1, 44]);
    assert.equal(optionsOf(ask(name, A, { edns: {}, transport })).size, 0);
  }
  assert.equal(optionsOf(ask(name, A, asks)).size, 0);
});

test('padding fills encrypted responses up to a multiple of 468 octets (RFC 8467 §4.1)', () => {
  const { raw } = openDoor(undefined, { dns: { identity: 'fra-1' } });
  const options = [[PADDING, new Array(20).fill(0)] as const, [NSID, []] as const];
  for (const asked of [name, 'big.example.com', 'missing.example.com', 'www.example.org']) {
    const padded = buildQuery({ name: asked, type: A, edns: { options } });
    const answer = raw(padded, { transport: TRANSPORT.ENCRYPTED })!;
    assert.equal(answer.length % 468, 0, asked);
    assert.ok(
      optionsOf(readMessage(answer))
        .get(PADDING)!
        .every((octet) => octet === 0),
    );
    for (const transport of [TRANSPORT.UDP, TRANSPORT.TCP]) {
      assert.equal(optionsOf(readMessage(raw(padded, { transport })!)).has(PADDING), false);
    }
    const plain = buildQuery({ name: asked, type: A, edns: {} });
    const unasked = readMessage(raw(plain, { transport: TRANSPORT.ENCRYPTED })!);
    assert.equal(optionsOf(unasked).has(PADDING), false);
  }
});

test('extended errors say why, to who speaks EDNS (RFC 8914)', () => {
  const { ask } = openDoor();
  for (const [asked, type, more, error] of [
    ['www.example.org', A, {}, 20],
    [name, A, { class: 4 }, 21],
    ['version.bind', 16, { class: 3 }, 20],
    ['example.com', 252, {}, 18],
    ['example.com', A, { flags: 0x2000 }, 21],
    ['example.com', 250, {}, 30],
    [name, A, {}, null],
    ['missing.example.com', A, {}, null],
  ] as const) {
    assert.equal(errorOf(ask(asked, type, { ...more, edns: {} })), error, `${asked} ${type}`);
    assert.equal(ask(asked, type, more).opt, null);
  }
});

test('no option makes a response larger than the client takes, or costs it its OPT', () => {
  const door = openDoor(undefined, {
    dns: { identity: 'x'.repeat(250), version: 'y'.repeat(250), udp_payload_max: 1232 },
  });
  const subnet = [8, [0, 2, 128, 0, ...new Array(16).fill(1)]] as const;
  const options = [[NSID, []], [COOKIE, client8], subnet, [KEEPALIVE, []], [PADDING, []]] as const;
  const labels = ['x'.repeat(63), 'y'.repeat(63), 'z'.repeat(63)];
  for (const payload of [0, 512, 513, 600, 900, 1232, 4096]) {
    for (const asked of [
      name,
      'big.example.com',
      `${labels.join('.')}.${'w'.repeat(40)}.example.com`,
    ]) {
      for (const kind of [1, 3]) {
        const edns = { payload, options };
        const answer = door.raw(
          buildQuery({ name: asked, type: 16 + (kind % 3) - 1, class: kind, edns }),
        )!;
        assert.ok(answer.length <= Math.min(Math.max(payload, 512), 1232), `${answer.length}`);
        assert.equal(optionsOf(readMessage(answer)).get(COOKIE)!.length, 24);
      }
    }
  }
  const version = { class: 3, edns: { payload: 512, options } };
  const long = door.ask('version.bind', 16, version);
  assert.ok(long.tc, 'a text that does not fit beside its options');
  assert.equal(door.ask('version.bind', 16, { class: 3 }).answers.length, 1);
});
