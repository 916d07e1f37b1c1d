import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Keyring, type TsigSecret } from '../../../src/dns/transfer/signing.ts';
import { buildQuery, readMessage } from '../../support/dns-query.ts';
import { SECRETS } from '../../support/transfer.ts';
import { assertSigned, signatureOf, signRequest } from '../../support/tsig.ts';

const NOW_S = 1_795_000_000;
const key = SECRETS[0]!;
const query = buildQuery({ name: 'Example.com', type: 6, flags: 0x0100 });
const ring = new Keyring(SECRETS);

const NOTAUTH = 9;
const [BADSIG, BADKEY, BADTIME] = [16, 17, 18];

function refusal(packet: Uint8Array, now_s = NOW_S): Uint8Array {
  const verdict = ring.verify(packet, now_s);
  assert.equal(verdict.kind, 'bad');
  assert.ok(verdict.kind === 'bad' && verdict.answer);
  return verdict.answer;
}

describe('a signed request (RFC 8945 §5.2)', () => {
  for (const algorithm of ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const) {
    test(`${algorithm}: taken, and its answer is signed with its MAC`, () => {
      const own: TsigSecret = { name: 'k', algorithm, secret: Buffer.from('0123456789') };
      const { packet, mac } = signRequest(query, own, NOW_S);
      const verdict = new Keyring([own]).verify(packet, NOW_S);
      assert.ok(verdict.kind === 'good');
      assert.equal(verdict.key, 'k');
      assert.deepEqual(verdict.message, query);
      const answers = [1, 2, 3].map((i) => verdict.signer.sign(query, NOW_S + i));
      assertSigned(answers, own, mac);
    });
  }

  test('without a signature it is just a query', () => {
    assert.equal(ring.verify(query, NOW_S).kind, 'unsigned');
  });

  test("names of key and algorithm in capitals are the same; a Buffer's octets stay as they are", () => {
    const { packet } = signRequest(query, key, NOW_S);
    const at = packet.length - signatureTail(packet);
    const shouted = Buffer.from(packet);
    shouted[at + 1] = shouted[at + 1]! & 0xdf;
    const before = Buffer.from(shouted);
    assert.equal(ring.verify(shouted, NOW_S).kind, 'good');
    assert.deepEqual(shouted, before);
  });

  test('a forwarder may change the message id; the answer has the new one', () => {
    const { packet } = signRequest(query, key, NOW_S);
    packet[0] = 0x77;
    const verdict = ring.verify(packet, NOW_S);
    assert.ok(verdict.kind === 'good');
    assert.equal(verdict.message[0], 0x77);
  });

  test('a key that we do not have, or with another algorithm: NOTAUTH, BADKEY, not signed', () => {
    for (const options of [{ key: 'unknown.key' }, { algorithm: 'hmac-md5.sig-alg.reg.int' }]) {
      const answer = refusal(signRequest(query, key, NOW_S, options).packet);
      assert.equal(readMessage(answer).rcode, NOTAUTH);
      assert.equal(readMessage(answer).question, 'Example.com. 6');
      const { error, mac } = signatureOf(answer);
      assert.deepEqual([error, mac.length], [BADKEY, 0]);
    }
  });

  test('any octet changed: NOTAUTH, BADSIG, not signed', () => {
    const wrong: TsigSecret = { ...key, secret: Buffer.from('guessed') };
    const changed = signRequest(query, key, NOW_S).packet;
    changed[14] = changed[14]! ^ 1;
    for (const packet of [signRequest(query, wrong, NOW_S).packet, changed]) {
      const answer = refusal(packet);
      assert.equal(readMessage(answer).rcode, NOTAUTH);
      const { error, mac } = signatureOf(answer);
      assert.deepEqual([error, mac.length], [BADSIG, 0]);
    }
  });

  test("a clock beyond the fudge: NOTAUTH, BADTIME, signed, with the client's time and ours", () => {
    const { packet, mac } = signRequest(query, key, NOW_S, { fudge_s: 300 });
    assert.equal(ring.verify(packet, NOW_S + 300).kind, 'good');
    assert.equal(ring.verify(packet, NOW_S - 300).kind, 'good');
    for (const now_s of [NOW_S + 301, NOW_S - 301]) {
      const answer = refusal(packet, now_s);
      assert.equal(readMessage(answer).rcode, NOTAUTH);
      const { error, other, time_s } = signatureOf(answer);
      assert.deepEqual([error, time_s], [BADTIME, NOW_S]);
      assert.equal(Buffer.from(other).readUIntBE(0, 6), now_s);
      assertSigned([answer], key, mac);
    }
  });

  test('a MAC cut to half is taken, and answered with a whole one; a shorter one is FORMERR', () => {
    const half = signRequest(query, key, NOW_S, { mac_octets: 16 });
    const verdict = ring.verify(half.packet, NOW_S);
    assert.ok(verdict.kind === 'good');
    assertSigned([verdict.signer.sign(query, NOW_S)], key, half.mac);
    const short = refusal(signRequest(query, key, NOW_S, { mac_octets: 15 }).packet);
    assert.equal(readMessage(short).rcode, 1);
    assert.equal(readMessage(short).additional.length, 0);
  });

  test('a second signature, or one that is not last: FORMERR', () => {
    const once = signRequest(query, key, NOW_S).packet;
    const twice = signRequest(once, key, NOW_S).packet;
    const early = Uint8Array.from([...once, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    early[11] = 2;
    for (const packet of [twice, early]) assert.equal(readMessage(refusal(packet)).rcode, 1);
  });

  test('a response is never answered', () => {
    const { packet } = signRequest(query, key, NOW_S);
    packet[2] = packet[2]! | 0x80;
    assert.deepEqual(ring.verify(packet, NOW_S), { kind: 'bad', answer: null });
  });

  test('whatever is changed or cut: no throw, and never taken', () => {
    const { packet } = signRequest(query, key, NOW_S);
    fc.assert(
      fc.property(fc.nat(packet.length - 1), fc.nat(254), fc.boolean(), (at, by, cut) => {
        const mutated = cut ? packet.slice(0, at) : Uint8Array.from(packet);
        if (!cut) mutated[at] = (mutated[at]! + by + 1) & 255;
        const verdict = ring.verify(mutated, NOW_S);
        // The id on the wire is not covered, nor is the case of the key's name.
        if (verdict.kind === 'good') assert.ok(!cut && (at < 2 || at >= query.length));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a request of ours (RFC 8945 §5.4)', () => {
  const answer = buildQuery({ name: 'example.com', type: 6, flags: 0xa400 });

  test('its answer is believed only if it is signed for it', () => {
    const signer = ring.begin(key.name)!;
    const sent = signer.sign(query, NOW_S);
    const verdict = new Keyring(SECRETS).verify(sent, NOW_S);
    assert.ok(verdict.kind === 'good');
    const good = verdict.signer.sign(answer, NOW_S + 1);
    assert.deepEqual(ring.answered(key.name, good, signer.mac, NOW_S + 2), answer);
    assert.equal(ring.answered(key.name, good, signer.mac, NOW_S + 400), null);
    assert.equal(ring.answered(key.name, good, new Uint8Array(32), NOW_S + 2), null);
    assert.equal(ring.answered('other.key', good, signer.mac, NOW_S + 2), null);
    assert.equal(ring.answered(key.name, answer, signer.mac, NOW_S + 2), null);
  });

  test('there is no signer for a key that we do not have', () => {
    assert.equal(ring.begin('unknown.key'), null);
  });
});

function signatureTail(packet: Uint8Array): number {
  return packet.length - signatureOf(packet).message.length;
}
