import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { makeSnapshot } from '../../../src/dns/snapshot.ts';
import { TYPE } from '../../../src/dns/wire/codes.ts';
import { formatName } from '../../../src/dns/wire/name.ts';
import { parseAddress } from '../../../src/net/ip.ts';
import { record, type TestConfig, withZones } from '../../support/config.ts';
import { buildQuery, nameOctets, type ReadRecord, readMessage } from '../../support/dns-query.ts';
import { geoOf, policyOf, zoneConfig } from '../../support/dns-zone.ts';
import {
  collect,
  datagram,
  NOW_MS,
  SECRETS,
  stage,
  transferConfig,
} from '../../support/transfer.ts';
import { assertSigned, signRequest } from '../../support/tsig.ts';

const [SOA, AXFR, IXFR] = [6, 252, 251];
const FORMERR = 1;
const REFUSED = 5;
const NOTAUTH = 9;
/** The file's serial is 7; NOW_MS lies so many seconds after 2026-01-01. */
const SERIAL = 7 + (NOW_MS - Date.UTC(2026, 0, 1)) / 1000;
const NOW_S = NOW_MS / 1000;

const axfr = buildQuery({ name: 'example.com', type: AXFR });

/** IXFR with the serial that the client has, in an SOA in the authority section. */
function ixfr(serial: number): Uint8Array {
  const numbers = [serial, 1, 1, 1, 1].flatMap((n) => [n >>> 24, n >>> 16, n >>> 8, n]);
  const rdata = [0, 0, ...numbers];
  const soa = [...nameOctets('example.com'), 0, SOA, 0, 1, 0, 0, 0, 0, 0, rdata.length, ...rdata];
  const counts = [1, 0, 1, 0] as const;
  return buildQuery({ name: 'example.com', type: IXFR, counts, tail: soa });
}

function records(messages: readonly Uint8Array[]): ReadRecord[] {
  return messages.flatMap((message) => readMessage(message).answers);
}

/** With 5000 hosts in the zone, which take several messages. */
function largeConfig(): TestConfig {
  const base = zoneConfig();
  const many = Array.from({ length: 5000 }, (_, i) =>
    record(`host${i}.example.com`, TYPE.A, Uint8Array.of(198, 18, i >> 8, i & 255)),
  );
  const zone = { ...base.zones[0]!, records: [...base.zones[0]!.records, ...many] };
  return transferConfig({}, withZones(base, [zone, base.zones[1]!]));
}

const isAddress = (type: number): boolean => type === TYPE.A || type === TYPE.AAAA;
const line = ({ name, ttl, type, rdata }: ReadRecord): string =>
  `${name} ${ttl} ${type} ${Buffer.from(rdata).toString('hex')}`;

describe('a zone to a secondary (RFC 5936)', () => {
  test('the SOA first and last, and between them every record of the zone file, once', () => {
    const config = transferConfig();
    const all = records(collect(stage(config).server, axfr));
    assert.equal(all[0]!.type, SOA);
    assert.equal(all.at(-1)!.text, all[0]!.text);
    const steered = config.services.map(({ name }) => `${name}.`);
    const sent = all
      .slice(1, -1)
      .filter(({ name, type }) => !(steered.includes(name) && isAddress(type)));
    const inFile = config.zones[0]!.records.slice(1);
    const plain = ({ name, ttl, type }: ReadRecord): string => `${name} ${ttl} ${type}`;
    assert.deepEqual(
      sent.map(plain).sort(),
      inFile.map(({ owner, ttl_s, type }) => `${formatName(owner)} ${ttl_s} ${type}`).sort(),
    );
    assert.equal(new Set(all.slice(1).map(line)).size, all.length - 1);
    const text = sent.map(({ name, text: data }) => `${name} ${data}`);
    // Glue below a delegation, and what the parent says below the apex of a zone served here.
    assert.ok(text.includes('ns.down.example.com. 192.0.2.54'));
    assert.ok(text.includes('host.sub.example.com. 203.0.113.66'));
    assert.ok(text.includes('example.com. 20 www.example.com.'));
    assert.ok(text.includes('_sip._tcp.example.com. 5060 mail.example.com.'));
  });

  test('AA, the id and the question of the request; OPT only if the request has it', () => {
    const { server } = stage(transferConfig());
    const [plain] = collect(server, axfr);
    const { id, aa, question, opt } = readMessage(plain!);
    assert.deepEqual([id, aa, question, opt], [0x1234, true, 'example.com. 252', null]);
    const edns = buildQuery({ name: 'example.com', type: AXFR, edns: {} });
    assert.ok(readMessage(collect(server, edns)[0]!).opt);
  });

  test('names in rdata are compressed in types of RFC 1035 only (RFC 3597 §4)', () => {
    const message = collect(stage(transferConfig()).server, axfr)[0]!;
    const all = readMessage(message).answers;
    const mx = all.find(({ type }) => type === TYPE.MX)!;
    assert.ok(mx.rdata.length < 2 + nameOctets('mail.example.com').length);
    const srv = all.find(({ type }) => type === TYPE.SRV)!;
    assert.equal(srv.rdata.length, 6 + nameOctets('mail.example.com').length);
  });

  test('a large zone comes in messages of at most 16 KiB, one made at each step', () => {
    const { packet, mac } = signRequest(axfr, SECRETS[0]!, NOW_S);
    const messages = collect(stage(largeConfig()).server, packet, '127.0.0.1');
    assert.ok(messages.length > 5);
    assert.ok(messages.every(({ length }) => length <= 16384));
    assert.ok(messages.slice(0, -1).every(({ length }) => length > 16000));
    assertSigned(messages, SECRETS[0]!, mac);
    const hosts = records(messages).filter(({ name }) => name.startsWith('host'));
    assert.equal(new Set(hosts.map(line)).size, 5001);
  });

  test('a record larger than that has a message of its own; one too large ends in SERVFAIL', () => {
    const transferOf = (octets: number): Uint8Array[] => {
      const base = zoneConfig();
      const large = record('large.example.com', 65280, new Uint8Array(octets).fill(1));
      const zone = { ...base.zones[0]!, records: [...base.zones[0]!.records, large] };
      const config = transferConfig({}, withZones(base, [zone, base.zones[1]!]));
      return collect(stage(config).server, axfr);
    };
    const messages = transferOf(65000);
    assert.deepEqual(messages.map(({ length }) => length > 60000).filter(Boolean), [true]);
    assert.equal(records(messages).at(-1)!.type, SOA);
    assert.equal(readMessage(transferOf(65535).at(-1)!).rcode, 2);
  });

  test('a transfer under way goes on with the zone and serial that it began with', () => {
    const { server, snapshot, serials, events } = stage(largeConfig());
    const messages = server.answer(axfr, parseAddress('192.0.2.1')!)!;
    const old = [messages.next().value!];
    serials.rise(0, NOW_MS + 60_000);
    const empty = transferConfig();
    const zone = { ...empty.zones[0]!, records: empty.zones[0]!.records.slice(0, 2) };
    const config = withZones(empty, [zone]);
    const { health, transfers } = snapshot;
    server.use(makeSnapshot(config, geoOf(config), health, 1232, policyOf(config), transfers));
    for (let next = messages.next(); !next.done; next = messages.next()) old.push(next.value);
    assert.equal(events[0]!.outcome, 'sent');
    assert.ok(records(old).length > 5000);
    const serial = (all: ReadRecord[]): string => all[0]!.text.split(' ')[2]!;
    assert.equal(serial(records(old)), String(SERIAL));
    assert.equal(serial(records(old).slice(-1)), String(SERIAL));
    const fresh = records(collect(server, axfr));
    assert.ok(fresh.length < 20);
    assert.ok(Number(serial(fresh)) > SERIAL);
  });
});

describe('health-aware names are frozen in', () => {
  const addresses = (all: ReadRecord[], name: string): string[] =>
    all.filter((one) => one.name === name && one.type === TYPE.A).map(({ text }) => text);

  test('as a client in the default region is answered, with all addresses and their TTL', () => {
    const all = records(collect(stage(transferConfig()).server, axfr));
    assert.deepEqual(addresses(all, 'www.example.com.'), ['127.1.1.1', '127.1.1.2']);
    assert.deepEqual(addresses(all, 'backup.example.com.'), ['127.1.3.1', '127.1.3.2']);
    assert.deepEqual(addresses(all, 'weighted.example.com.'), ['127.1.1.1', '127.1.1.2']);
    const www = all.filter(({ name, type }) => name === 'www.example.com.' && isAddress(type));
    assert.deepEqual(
      www.map(({ type, ttl }) => [type, ttl]),
      [
        [TYPE.A, 5],
        [TYPE.A, 5],
        [TYPE.AAAA, 5],
        [TYPE.AAAA, 5],
      ],
    );
    assert.ok(!all.some(({ name }) => name === 'none.example.com.'));
  });

  test('in the state in which the transfer began, whatever moves before they are sent', () => {
    const made = stage(largeConfig());
    const messages = made.server.answer(axfr, parseAddress('192.0.2.1')!)!;
    const all = [messages.next().value!];
    made.eligible((id) => !id.startsWith('fra'));
    for (let next = messages.next(); !next.done; next = messages.next()) all.push(next.value);
    assert.ok(all.length > 5);
    assert.deepEqual(addresses(records(all), 'www.example.com.'), ['127.1.1.1', '127.1.1.2']);
  });

  test('without who is down', () => {
    const made = stage(transferConfig());
    made.eligible((id) => id !== 'fra-lb1/web');
    const one = records(collect(made.server, axfr));
    assert.deepEqual(addresses(one, 'www.example.com.'), ['127.1.1.2']);
    made.eligible((id) => !id.startsWith('fra'));
    const next = records(collect(made.server, axfr));
    assert.deepEqual(addresses(next, 'www.example.com.'), ['127.1.2.1', '127.1.2.2']);
  });
});

describe('who gets a zone', () => {
  const rcodeOf = (packet: Uint8Array, client: string, config = transferConfig()): number =>
    readMessage(collect(stage(config).server, packet, client)[0]!).rcode;
  const signed = (key = SECRETS[0]!): Uint8Array => signRequest(axfr, key, NOW_S).packet;

  test('prefix and key must both fit where both are given', () => {
    assert.equal(rcodeOf(axfr, '192.0.2.200'), 0);
    assert.equal(rcodeOf(axfr, '198.51.100.1'), REFUSED);
    assert.equal(rcodeOf(axfr, '127.0.0.1'), REFUSED);
    assert.equal(rcodeOf(signed(), '127.0.0.1'), 0);
    assert.equal(rcodeOf(signed(SECRETS[1]), '127.0.0.1'), REFUSED);
    assert.equal(rcodeOf(signed(), '198.51.100.1'), REFUSED);
    assert.equal(rcodeOf(signed(), '::ffff:127.0.0.1'), 0);
  });

  test('by IPv6 as well, and a prefix of IPv4-mapped addresses is one of IPv4', () => {
    const rule = (prefix: string) => transferConfig({ allow: [{ prefix, key: null }] });
    const mapped = rule('::ffff:192.0.2.0/120');
    assert.equal(rcodeOf(axfr, '192.0.2.1', mapped), 0);
    assert.equal(rcodeOf(axfr, '::ffff:192.0.2.1', mapped), 0);
    assert.equal(rcodeOf(axfr, '192.0.3.1', mapped), REFUSED);
    const six = rule('2001:db8:1::/48');
    assert.equal(rcodeOf(axfr, '2001:db8:1::53', six), 0);
    assert.equal(rcodeOf(axfr, '2001:db8:2::53', six), REFUSED);
    assert.equal(rcodeOf(axfr, '192.0.2.1', rule('::/0')), REFUSED);
  });

  test('a wrong signature is not overlooked where none is needed', () => {
    const wrong = { ...SECRETS[0]!, secret: Buffer.from('guessed') };
    const made = stage(transferConfig());
    const answer = collect(made.server, signRequest(axfr, wrong, NOW_S).packet)[0]!;
    assert.equal(readMessage(answer).rcode, NOTAUTH);
    assert.equal(readMessage(answer).answers.length, 0);
  });

  test('nobody gets a zone that names nobody: REFUSED; NOTAUTH for what is no zone of ours', () => {
    const ask = (name: string): number => rcodeOf(buildQuery({ name, type: AXFR }), '192.0.2.1');
    assert.equal(ask('sub.example.com'), REFUSED);
    assert.equal(ask('www.example.com'), NOTAUTH);
    assert.equal(ask('example.org'), NOTAUTH);
    assert.equal(ask('EXAMPLE.com'), 0);
  });

  test('a refusal to somebody with a good key is signed', () => {
    const { packet, mac } = signRequest(axfr, SECRETS[1]!, NOW_S);
    const answers = collect(stage(transferConfig()).server, packet, '127.0.0.1');
    assert.equal(readMessage(answers[0]!).rcode, REFUSED);
    assertSigned(answers, SECRETS[1]!, mac);
  });

  test('64 at once; the next hears SERVFAIL until one of them ends', () => {
    const made = stage(transferConfig());
    const open = (): Iterator<Uint8Array> => made.server.answer(axfr, parseAddress('192.0.2.1')!)!;
    const rcode = (messages: Iterator<Uint8Array>): number =>
      readMessage(messages.next().value!).rcode;
    const all = Array.from({ length: 64 }, open);
    assert.deepEqual(
      all.map(rcode),
      all.map(() => 0),
    );
    assert.equal(rcode(open()), 2);
    all[3]!.return!();
    assert.equal(rcode(open()), 0);
    assert.deepEqual(
      made.events.map(({ outcome }) => outcome),
      ['busy', 'broken-off'],
    );
  });

  test('a refusal that nobody takes keeps nobody out', () => {
    const made = stage(transferConfig());
    const strangers = Array.from({ length: 100 }, () => {
      const messages = made.server.answer(axfr, parseAddress('198.51.100.1')!)!;
      assert.equal(readMessage(messages.next().value!).rcode, REFUSED);
      return messages;
    });
    assert.equal(readMessage(collect(made.server, axfr)[0]!).rcode, 0);
    assert.ok(strangers.every((messages) => messages.next().done));
  });

  test('each request for a zone is told, with who asked and what became of it', () => {
    const made = stage(transferConfig());
    collect(made.server, signed(), '127.0.0.1');
    collect(made.server, axfr, '198.51.100.1');
    collect(made.server, ixfr(SERIAL));
    const told = made.events.map(({ client, key, outcome, serial }) => [
      client,
      key,
      outcome,
      serial,
    ]);
    assert.deepEqual(told, [
      ['127.0.0.1', 'transfer.key', 'sent', SERIAL],
      ['198.51.100.1', null, 'refused', null],
      ['192.0.2.1', null, 'current', SERIAL],
    ]);
  });
});

describe('IXFR (RFC 1995) and datagrams', () => {
  const ask = (packet: Uint8Array, client?: string) =>
    datagram(stage(transferConfig()), packet, client);

  test('a client with the served serial, or a later one, gets the SOA alone', () => {
    const { server } = stage(transferConfig());
    for (const serial of [SERIAL, SERIAL + 1]) {
      const all = records(collect(server, ixfr(serial)));
      assert.equal(all.length, 1);
      assert.equal(all[0]!.text.split(' ')[2], String(SERIAL));
    }
  });

  test('with an earlier one, or none, the whole zone', () => {
    const { server } = stage(transferConfig());
    const whole = records(collect(server, axfr)).length;
    for (const packet of [
      ixfr(SERIAL - 1),
      ixfr(7),
      buildQuery({ name: 'example.com', type: IXFR }),
    ]) {
      assert.equal(records(collect(server, packet)).length, whole);
    }
  });

  test('by UDP: the SOA alone, for whom the zone is; AXFR is REFUSED', () => {
    const soa = readMessage(ask(ixfr(1))!);
    assert.equal(soa.answers.length, 1);
    assert.equal(soa.answers[0]!.text.split(' ')[2], String(SERIAL));
    assert.equal(readMessage(ask(ixfr(1), '198.51.100.1')!).rcode, REFUSED);
    assert.equal(readMessage(ask(axfr)!).rcode, REFUSED);
  });
});

test('whatever is changed in a request or cut from it, nothing throws and no zone leaks', () => {
  const made = stage(transferConfig());
  const seeds = [axfr, ixfr(1), signRequest(axfr, SECRETS[0]!, NOW_S).packet];
  const change = fc.tuple(fc.nat(300), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(change, { maxLength: 4 }),
      fc.nat(300),
      (seed, changes, cut) => {
        const packet = Uint8Array.from(seed.subarray(0, Math.max(0, seed.length - (cut % 40))));
        for (const [at, octet] of changes) if (at < packet.length) packet[at] = octet;
        datagram(made, packet, '203.0.113.1', 512);
        for (const message of collect(made.server, packet, '203.0.113.1')) {
          const zone = (message[6]! << 8) | message[7]!;
          assert.ok(zone <= 1);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

describe('ordinary queries', () => {
  const soa = buildQuery({ name: 'example.com', type: SOA });

  test('are left to others when not signed, malformed requests for zones too', () => {
    const made = stage(transferConfig());
    const client = parseAddress('192.0.2.1')!;
    const chaos = buildQuery({ name: 'example.com', type: AXFR, class: 3 });
    const version = buildQuery({ name: 'example.com', type: AXFR, edns: { version: 1 } });
    for (const packet of [soa, chaos, version, axfr.subarray(0, 20), new Uint8Array(3)]) {
      assert.equal(made.server.answer(packet, client), null);
      assert.equal(datagram(made, packet), null);
    }
  });

  test('signed ones are answered signed, with the serial of the transfer', () => {
    const { packet, mac } = signRequest(soa, SECRETS[0]!, NOW_S);
    const made = stage(transferConfig());
    const byUdp = datagram(made, packet, '203.0.113.1')!;
    for (const answers of [collect(made.server, packet, '203.0.113.1'), [byUdp]]) {
      assertSigned(answers, SECRETS[0]!, mac);
      assert.equal(readMessage(answers[0]!).answers[0]!.text.split(' ')[2], String(SERIAL));
    }
  });

  test('one whose signature leaves no room becomes TC with the question alone (RFC 8945 §5.3)', () => {
    const big = buildQuery({ name: 'big.example.com', type: TYPE.A });
    const { packet, mac } = signRequest(big, SECRETS[0]!, NOW_S);
    const made = stage(transferConfig());
    const answer = datagram(made, packet)!;
    const { tc, question, answers } = readMessage(answer);
    assert.deepEqual([tc, question, answers.length], [true, 'big.example.com. 1', 0]);
    assert.ok(answer.length <= 512);
    assertSigned([answer], SECRETS[0]!, mac);
  });

  test('an answer about a zone obeys the same limit', () => {
    const made = stage(transferConfig());
    const { packet, mac } = signRequest(ixfr(1), SECRETS[0]!, NOW_S);
    const answer = datagram(made, packet, '192.0.2.1', 150)!;
    assert.equal(readMessage(answer).tc, true);
    assertSigned([answer], SECRETS[0]!, mac);
  });

  test('no datagram is larger than its client takes, however long the names are', () => {
    const long = Array.from({ length: 31 }, () => 'abcdefg').join('.');
    const secret = { ...SECRETS[0]!, name: long };
    const name = `${'x'.repeat(60)}.${long.slice(0, 175)}.example.com`;
    const query = buildQuery({ name, type: TYPE.A });
    const unknown = { key: `y.${long}`, algorithm: `z.${long}` };
    const made = stage(transferConfig(), [secret]);
    const late = { packet: signRequest(query, secret, NOW_S - 1000).packet, rcode: NOTAUTH };
    const stranger = { packet: signRequest(query, secret, NOW_S, unknown).packet, rcode: NOTAUTH };
    const good = { packet: signRequest(query, secret, NOW_S).packet, rcode: 0 };
    for (const { packet, rcode } of [late, stranger, good]) {
      const answer = datagram(made, packet, '192.0.2.1', 512)!;
      assert.ok(answer.length <= 512, `${answer.length} octets`);
      assert.equal(readMessage(answer).rcode, rcode);
      assert.equal(datagram(made, packet, '192.0.2.1', 1232)!.length, answer.length);
    }
  });

  test('a misplaced signature is FORMERR whatever is asked', () => {
    const once = signRequest(axfr, SECRETS[0]!, NOW_S).packet;
    const { packet } = signRequest(once, SECRETS[0]!, NOW_S);
    assert.equal(readMessage(collect(stage(transferConfig()).server, packet)[0]!).rcode, FORMERR);
  });
});
