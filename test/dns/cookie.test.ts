/** Server cookies: RFC 9018 appendix A, and what may be sent back when and from where. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Cookies, PROOF } from '../../src/dns/cookie.ts';
import { parseAddress } from '../../src/net/ip.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const FIRST = 'e5e973e5a6b2a43f48e7dc849e37bfcf';

/** Sends `cookie` from `client` at `now_s`; gives what it proves and what comes back. */
function take(secrets: readonly string[], client: string, cookie: string, now_s: number) {
  return takeBy(new Cookies(secrets.map(hex)), client, cookie, now_s);
}

/** The same of a server that may have seen others before. */
function takeBy(cookies: Cookies, client: string, cookie: string, now_s: number) {
  const data = hex(cookie);
  const packet = Uint8Array.from([0xff, ...data]);
  const address = parseAddress(client)!;
  const from = Uint8Array.from([0xff, ...address]);
  const family = address.length === 4 ? 4 : 6;
  const proof = cookies.take(packet, 1, data.length, from, 1, family, now_s | 0);
  const out = new Uint8Array(26);
  cookies.put(out, 1);
  return { proof, back: Buffer.from(out.subarray(1, 25)).toString('hex') };
}

test('RFC 9018 A.1: a client that has none learns its server cookie', () => {
  const { proof, back } = take([FIRST], '198.51.100.100', '2464c4abcf10c957', 1559731985);
  assert.equal(proof, PROOF.CLIENT);
  assert.equal(back, '2464c4abcf10c957010000005cf79f111f8130c3eee29480');
});

test('RFC 9018 A.2: after 40 minutes it is still good, and renewed', () => {
  const sent = '2464c4abcf10c957010000005cf79f111f8130c3eee29480';
  const { proof, back } = take([FIRST], '198.51.100.100', sent, 1559734385);
  assert.equal(proof, PROOF.GOOD);
  assert.equal(back, '2464c4abcf10c957010000005cf7a871d4a564a1442aca77');
});

test('RFC 9018 A.3: reserved octets of the maker are part of the hash', () => {
  const sent = 'fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5';
  assert.equal(take([FIRST], '203.0.113.203', sent, 1559727985).proof, PROOF.GOOD);
  const { back } = take([FIRST], '203.0.113.203', sent, 1559734700);
  assert.equal(back, 'fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e');
});

test('RFC 9018 A.4: a cookie of the secret before is good over IPv6, and renewed by the new', () => {
  const secrets = ['445536bcd2513298075a5d379663c962', 'dd3bdf9344b678b185a6f5cb60fca715'];
  const client = '2001:db8:220:1:59de:d0f4:8769:82b8';
  const sent = '22681ab97d52c298010000005cf7c57926556bd0934c72f8';
  const { proof, back } = take(secrets, client, sent, 1559741961);
  assert.equal(proof, PROOF.GOOD);
  assert.equal(back, '22681ab97d52c298010000005cf7c609a6bb79d16625507a');
  assert.equal(take([secrets[0]!], client, sent, 1559741961).proof, PROOF.BAD);
});

test('a cookie is good from an hour back to five minutes ahead (RFC 9018 §4.3)', () => {
  const made_s = 1559731985;
  const client = '198.51.100.100';
  const { back } = take([FIRST], client, '2464c4abcf10c957', made_s);
  const at = (now_s: number) => take([FIRST], client, back, now_s);
  assert.deepEqual(at(made_s + 1799), { proof: PROOF.GOOD, back });
  assert.notEqual(at(made_s + 1800).back, back);
  assert.equal(at(made_s + 3600).proof, PROOF.GOOD);
  assert.equal(at(made_s + 3601).proof, PROOF.BAD);
  assert.equal(at(made_s - 300).proof, PROOF.GOOD);
  assert.equal(at(made_s - 301).proof, PROOF.BAD);
});

test('time goes on beyond 2^31 and 2^32 seconds (RFC 1982 arithmetic)', () => {
  for (const made_s of [2 ** 31 - 10, 2 ** 32 - 10]) {
    const { back } = take([FIRST], '192.0.2.1', '0102030405060708', made_s);
    assert.equal(take([FIRST], '192.0.2.1', back, made_s + 60).proof, PROOF.GOOD);
    assert.equal(take([FIRST], '192.0.2.1', back, made_s + 4000).proof, PROOF.BAD);
  }
});

test('any octet that differs, another address, version or length: not ours', () => {
  const now_s = 1559731985;
  const { back } = take([FIRST], '192.0.2.1', '0102030405060708', now_s);
  assert.equal(take([FIRST], '192.0.2.2', back, now_s).proof, PROOF.BAD);
  for (let octet = 0; octet < 24; octet++) {
    const changed = hex(back);
    changed[octet] = changed[octet]! ^ 1;
    const sent = Buffer.from(changed).toString('hex');
    assert.equal(take([FIRST], '192.0.2.1', sent, now_s).proof, PROOF.BAD, `octet ${octet}`);
  }
  assert.equal(take([FIRST], '192.0.2.1', `${back}00`, now_s).proof, PROOF.BAD);
  assert.equal(take([FIRST], '192.0.2.1', back.slice(0, 32), now_s).proof, PROOF.BAD);
});

test('what a server saw before changes nothing, whoever sends whatever, however late', () => {
  const secrets = [FIRST, '445536bcd2513298075a5d379663c962'];
  const clients = ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '192.0.2.1'];
  const start_s = 1559731985;
  const step = fc.record({
    client: fc.nat(clients.length - 1),
    sends: fc.constantFrom('new', 'last', 'last', 'last', 'another', 'spoilt', 'old secret'),
    octet: fc.nat(23),
    later_s: fc.constantFrom(0, 0, 1, 600, 1799, 3600, -200),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const cookies = new Cookies(secrets.map(hex));
      const last = clients.map((_, i) => `0102030405060${i}08`);
      let now_s = start_s;
      for (const { client, sends, octet, later_s } of steps) {
        now_s += later_s;
        const from = clients[client]!;
        const sender = sends === 'another' ? octet % clients.length : client;
        let sent = sends === 'new' ? last[client]!.slice(0, 16) : last[sender]!;
        if (sends === 'old secret') sent = take([secrets[1]!], from, sent.slice(0, 16), now_s).back;
        if (sends === 'spoilt') {
          const octets = hex(sent);
          octets[octet % octets.length]! ^= 1;
          sent = Buffer.from(octets).toString('hex');
        }
        const answer = takeBy(cookies, from, sent, now_s);
        assert.deepEqual(answer, take(secrets, from, sent, now_s));
        last[client] = answer.back;
      }
    }),
  );
});

test('more clients than are remembered are all known, and none is taken for another', () => {
  const cookies = new Cookies([hex(FIRST)]);
  const now_s = 1559731985;
  const address = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  const own = (i: number): string => i.toString(16).padStart(16, '0');
  const made = Array.from(
    { length: 10_000 },
    (_, i) => takeBy(cookies, address(i), own(i), now_s).back,
  );
  for (let round = 0; round < 2; round++) {
    for (const [i, cookie] of made.entries()) {
      const answer = takeBy(cookies, address(i), cookie, now_s + 60);
      assert.deepEqual(answer, { proof: PROOF.GOOD, back: cookie });
      assert.equal(takeBy(cookies, address(i + 1), cookie, now_s + 60).proof, PROOF.BAD);
    }
  }
});
