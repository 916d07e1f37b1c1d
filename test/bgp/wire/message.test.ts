import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_CONTEXT } from '../../../src/bgp/wire/attributes.ts';
import { capabilityText, decodeCapability } from '../../../src/bgp/wire/capability.ts';
import { Framer } from '../../../src/bgp/wire/framer.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../src/bgp/wire/message.ts';
import {
  hardReset,
  notificationText,
  shutdownData,
  shutdownText,
} from '../../../src/bgp/wire/notification.ts';
import { offersFamily, openAs, unsupportedCapability } from '../../../src/bgp/wire/open.ts';
import { Reader } from '../../../src/net/cursor.ts';
import { context, message } from './arbitrary.ts';

const EXTERNAL = DEFAULT_CONTEXT;
const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const MARKER = 'ff'.repeat(16);

test('whatever can be built decodes to itself', () => {
  fc.assert(
    fc.property(
      context.chain((within) => fc.tuple(fc.constant(within), message(within))),
      ([within, made]) => {
        const bytes = encodeMessage(made, within);
        if (!bytes) return; // more than fits a message
        assert.ok(bytes.length <= (within.extended_messages ? 65_535 : 4096));
        assert.deepEqual(decodeMessage(bytes, within), { message: made, fault: null });
      },
    ),
    { numRuns: 1500 },
  );
});

test('however a stream is cut, the framer gives the same messages', () => {
  const stream = fc.array(message(EXTERNAL), { maxLength: 8 }).map((messages) =>
    messages.flatMap((it) => {
      const bytes = encodeMessage(it, EXTERNAL);
      return bytes ? [bytes] : [];
    }),
  );
  fc.assert(
    fc.property(
      stream,
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      (all, cuts) => {
        const whole = Buffer.concat(all);
        const framer = new Framer();
        const seen: Uint8Array[] = [];
        let at = 0;
        for (let i = 0; at < whole.length; i++) {
          const chunk = whole.subarray(at, at + cuts[i % cuts.length]!);
          at += chunk.length;
          assert.equal(
            framer.push(chunk, (it) => seen.push(it.slice()) > 0),
            null,
          );
          assert.ok(framer.held < 4096);
        }
        assert.deepEqual(
          seen.map((it) => Buffer.from(it)),
          all.map((it) => Buffer.from(it)),
        );
        assert.equal(framer.held, 0);
      },
    ),
    { numRuns: 200 },
  );
});

test('a broken header is named as RFC 4271 §6.1 asks, as soon as it is whole', () => {
  const cases: [string, number, string][] = [
    [`00${'ff'.repeat(15)}001304`, 1, ''],
    [`${MARKER}001204`, 2, '0012'],
    [`${MARKER}100104`, 2, '1001'],
    [`${MARKER}001404`, 2, '0014'], // a KEEPALIVE has no body
    [`${MARKER}001c01`, 2, '001c'], // an OPEN has at least 29 bytes
    [`${MARKER}001602`, 2, '0016'],
    [`${MARKER}001303`, 2, '0013'],
    [`${MARKER}001309`, 3, '09'],
    [`${MARKER}001300`, 3, '00'],
  ];
  for (const [bytes, subcode, data] of cases) {
    const fault = new Framer().push(hex(bytes), () => assert.fail('a message came out'));
    assert.deepEqual([fault?.code, fault?.subcode, fault?.class], [1, subcode, 'session-reset']);
    assert.equal(Buffer.from(fault!.data).toString('hex'), data);
  }
});

test('one byte of NOTIFICATION data survives', () => {
  const bytes = hex(`${MARKER} 0016 03 01 03 09`);
  const decoded = decodeMessage(bytes, EXTERNAL);
  assert.deepEqual(decoded.message, {
    type: 'notification',
    notification: { code: 1, subcode: 3, data: Uint8Array.of(9) },
  });
  assert.deepEqual(encodeMessage(decoded.message!, EXTERNAL), bytes);
});

test('a shutdown communication is UTF-8, cut between characters, and shown without controls', () => {
  const say = (text: string): string | null =>
    shutdownText({ code: 6, subcode: 2, data: shutdownData(text) });
  assert.equal(say('Lüfter wird getauscht'), 'Lüfter wird getauscht');
  assert.equal(say('a\u001b[31mb\n'), 'a·[31mb·');
  assert.equal(say('up \u202enwod\u2028'), 'up ·nwod·');
  assert.equal(say('ü'.repeat(200)), 'ü'.repeat(127));
  assert.equal(shutdownText({ code: 6, subcode: 2, data: Uint8Array.of(200, 65) }), 'A');
  assert.equal(shutdownText({ code: 6, subcode: 3, data: shutdownData('x') }), null);
  assert.equal(
    notificationText({ code: 6, subcode: 2, data: shutdownData('bye') }),
    'cease, administrative shutdown (6/2): bye',
  );
  const hard = hardReset({ code: 6, subcode: 2, data: shutdownData('bye') });
  assert.deepEqual([hard.code, hard.subcode], [6, 9]);
  assert.equal(
    notificationText(hard),
    'cease, hard reset (6/9): cease, administrative shutdown (6/2): bye',
  );
  assert.equal(notificationText({ ...hard, data: Uint8Array.of(6) }), 'cease, hard reset (6/9)');
});

test("BIRD's OPEN, with four octets of AS and a capability that we do not know", () => {
  const bytes = hex(`${MARKER} 003b 01 04 5ba0 0009 0a0000fe 1e 02 1c
    0104 0001 0001  0200  0600  4006 0078 0001 0100  4104 fa56ea00  4600  4700`);
  const { message: decoded, fault } = decodeMessage(bytes, EXTERNAL);
  assert.equal(fault, null);
  assert.ok(decoded?.type === 'open');
  assert.equal(openAs(decoded.open), 4_200_000_000);
  assert.ok(offersFamily(decoded.open, 1, 1));
  assert.ok(!offersFamily(decoded.open, 2, 1));
  assert.deepEqual(decoded.open.capabilities.map(capabilityText), [
    'multiprotocol IPv4',
    'route refresh',
    'extended messages',
    'graceful restart 120 s, IPv4',
    'four-octet AS',
    'enhanced route refresh',
    'unknown 71',
  ]);
});

test('a speaker without multiprotocol capability does IPv4 (RFC 4760 §8)', () => {
  const open = { my_as: 1, hold_time_s: 90, router_id: 1, capabilities: [] };
  assert.ok(offersFamily(open, 1, 1));
  assert.ok(!offersFamily(open, 2, 1));
});

test('OPEN parameters: unknown ones are refused with 2/4, wrong lengths with 2/0', () => {
  const open = (tail: string): Uint8Array => {
    const length = (19 + 9 + tail.replace(/\s/g, '').length / 2).toString(16).padStart(4, '0');
    return hex(`${MARKER} ${length} 01 04 fde8 005a 0a000001 ${tail}`);
  };
  const outcome = (tail: string): string => {
    const { fault, message: decoded } = decodeMessage(open(tail), EXTERNAL);
    if (fault) return `${fault.code}/${fault.subcode}`;
    assert.ok(decoded?.type === 'open');
    return `${decoded.open.capabilities.length} capabilities`;
  };
  assert.equal(outcome('00'), '0 capabilities');
  assert.equal(outcome('04 02 02 02 00'), '1 capabilities');
  assert.equal(outcome('03 01 01 00'), '2/4'); // authentication information, long deprecated
  assert.equal(outcome('05 02 02 02 00'), '2/0');
  assert.equal(outcome('04 02 03 02 00'), '2/0');
  assert.equal(outcome('04 02 02 41 04'), '2/0');
  assert.equal(outcome('ff ff 0005 02 0002 0200'), '1 capabilities'); // RFC 9072
});

test('an OPEN of another version is refused with 2/1 before the rest of it is read', () => {
  for (const rest of ['fde8 005a 0a000001 00', 'fde8 005a 0a000001 ff']) {
    const { fault } = decodeMessage(hex(`${MARKER} 001d 01 05 ${rest}`), EXTERNAL);
    assert.deepEqual([fault?.code, fault?.subcode], [2, 1]);
    assert.deepEqual(fault?.data, Uint8Array.of(0, 4));
  }
});

test('a message longer than 4096 bytes is not made', () => {
  const route = { address: Uint8Array.of(10, 0, 0, 1), length: 32 };
  const made: Message = {
    type: 'update',
    update: { withdrawn: Array.from({ length: 900 }, () => route), announced: [], attributes: {} },
  };
  assert.equal(encodeMessage(made, EXTERNAL), null);
});

test('extended messages: only where agreed, never for OPEN, and held only while they come', () => {
  const agreed = { ...EXTERNAL, extended_messages: true };
  const address = Uint8Array.of(10, 0, 0, 1);
  const withdrawn = Array.from({ length: 13_000 }, () => ({ address, length: 32 }));
  const made: Message = { type: 'update', update: { withdrawn, announced: [], attributes: {} } };
  assert.equal(encodeMessage(made, EXTERNAL), null);
  const bytes = encodeMessage(made, agreed)!;
  assert.equal(bytes.length, 65_023);
  assert.deepEqual(decodeMessage(bytes, agreed).message, made);
  assert.deepEqual(decodeMessage(bytes, EXTERNAL).fault?.data, bytes.subarray(16, 18));

  const framer = new Framer();
  assert.equal(framer.push(bytes, () => true)?.subcode, 2);
  framer.bytesMax = 65_535;
  const seen: number[] = [];
  for (let at = 0; at < bytes.length; at += 1000) {
    const chunk = bytes.subarray(at, at + 1000);
    assert.equal(
      framer.push(chunk, (whole) => seen.push(whole.length) > 0),
      null,
    );
  }
  assert.deepEqual(seen, [65_023]);
  const open = hex(`${MARKER} 1001 01`);
  assert.equal(framer.push(open, () => true)?.subcode, 2);
});

test('a NOTIFICATION always fits: of data that is too long the beginning is sent', () => {
  const data = new Uint8Array(5000).fill(7);
  const made: Message = { type: 'notification', notification: { code: 3, subcode: 5, data } };
  assert.equal(encodeMessage(made, EXTERNAL)?.length, 4096);
  assert.equal(encodeMessage(made, { ...EXTERNAL, extended_messages: true })?.length, 5021);
});

test('the limit may be raised by the message that agrees on it', () => {
  const open = encodeMessage(
    { type: 'open', open: { my_as: 1, hold_time_s: 90, router_id: 1, capabilities: [] } },
    EXTERNAL,
  )!;
  const long = new Uint8Array(5000).fill(0xff, 0, 16);
  long.set([5000 >> 8, 5000 & 0xff, 2], 16);
  const framer = new Framer();
  const seen: number[] = [];
  const wrong = framer.push(Buffer.concat([open, long]), (whole) => {
    framer.bytesMax = 65_535;
    return seen.push(whole.length) > 0;
  });
  assert.equal(wrong, null);
  assert.deepEqual(seen, [29, 5000]);
});

test('the marks of an enhanced refresh have exactly four bytes, else 7/1 (RFC 7313 §5)', () => {
  const outcome = (body: string): string => {
    const length = (19 + body.replace(/\s/g, '').length / 2).toString(16).padStart(4, '0');
    const bytes = hex(`${MARKER} ${length} 05 ${body}`);
    const { fault, message: decoded } = decodeMessage(bytes, EXTERNAL);
    if (!fault) return decoded?.type === 'route-refresh' ? `${decoded.refresh.subtype}` : '';
    if (fault.code === 7) assert.deepEqual(fault.data, bytes);
    return `${fault.code}/${fault.subcode}`;
  };
  assert.equal(outcome('0001 00 01'), '0');
  assert.equal(outcome('0001 01 01'), '1');
  assert.equal(outcome('0001 02 01'), '2');
  assert.equal(outcome('0001 01 01 00'), '7/1');
  assert.equal(outcome('0001 02'), '7/1');
  assert.equal(outcome('0001 00'), '1/2');
  assert.equal(outcome('0001 00 01 01 80 0000'), '0'); // with filters (RFC 5291)
  assert.equal(outcome('0001 ff 01 01'), '255'); // for the session to ignore
});

test('capabilities are said in words', () => {
  const said = (value: string): string => {
    const bytes = hex(value);
    return capabilityText(decodeCapability(new Reader(bytes)));
  };
  assert.equal(said('05 06 0001 0001 0002'), 'extended next hop IPv4 over IPv6');
  assert.equal(said('06 00'), 'extended messages');
  assert.equal(said('09 01 03'), 'role customer');
  assert.equal(said('09 01 07'), 'role 7');
  assert.equal(said('40 02 4078'), 'graceful restart 120 s, after notifications, helper only');
  assert.equal(
    said('40 0a 8078 0001 01 80 0002 01 00'),
    'graceful restart 120 s, has restarted, IPv4 (forwarding kept), IPv6',
  );
  assert.equal(said('45 08 0001 01 01 0002 01 03'), 'add-path IPv4 (receive), IPv6 (both)');
  assert.equal(said('46 00'), 'enhanced route refresh');
  assert.equal(said('4a 00'), 'BFD strict mode');
  assert.equal(said('49 08 02 7231 04 6c61621b'), 'name r1.lab·');
  for (const malformed of ['05 05 0001000100', '06 01 00', '09 00', '40 03 407800', '49 02 0500']) {
    assert.match(said(malformed), /^unknown/);
  }
});

test('a refusal for capabilities lists them as they came (RFC 5492 §5)', () => {
  const { code, subcode, data, text } = unsupportedCapability([
    { kind: 'multiprotocol', afi: 25, safi: 70 },
    { kind: 'role', value: 3 },
  ]);
  assert.deepEqual([code, subcode], [2, 7]);
  assert.deepEqual(data, hex('0104 0019 00 46 0901 03'));
  assert.match(text, /multiprotocol 25\/70, role customer/);
});
