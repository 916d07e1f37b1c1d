import assert from 'node:assert/strict';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, test } from 'node:test';
import { Packet } from 'dns2';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import type { DnsCheck } from '../../src/model/check.ts';
import { judgeAnswer } from '../../src/observe/dns-answer.ts';
import { eventually } from '../support/eventually.ts';
import { endsWhenTold, ProbeServers, run, targetOf } from '../support/probe.ts';

const servers = new ProbeServers();
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.close();
  await servers.close();
});

type Reply = (query: Buffer, from: RemoteInfo) => readonly Buffer[];

async function udp(reply: Reply): Promise<number> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (query, from) => {
    for (const bytes of reply(query, from)) socket.send(bytes, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

interface Parts {
  readonly rcode?: number;
  readonly tc?: boolean;
  readonly records?: readonly object[];
}

/** The answer to `query` with these records. */
function answer(query: Buffer, { rcode = 0, tc = false, records = [] }: Parts): Buffer {
  const packet = Packet.parse(query);
  packet.header.qr = 1;
  const { name } = packet.questions[0]!;
  const whole = records.map((record) => ({ name, class: Packet.CLASS.IN, ttl: 5, ...record }));
  packet.answers.push(...(whole as typeof packet.answers));
  const bytes = packet.toBuffer();
  bytes[2]! |= tc ? 0x02 : 0;
  bytes[3]! = (bytes[3]! & 0xf0) | rcode;
  return bytes;
}

const A = (address: string) => ({ type: Packet.TYPE.A, address });

/** Each message of a stream has its length before it (RFC 1035 §4.2.2). */
function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

describe('DNS probe', () => {
  test('an expected answer is good, others beside it too', async () => {
    const port = await udp((q) => [answer(q, { records: [A('192.0.2.2'), A('192.0.2.1')] })]);
    assert.deepEqual(await run(targetOf('dns', port, { answers: ['192.0.2.1'] })), {
      ok: true,
      detail: 'answered 192.0.2.2, 192.0.2.1',
    });
  });

  test('asks what the check says, without recursion', async () => {
    let asked: unknown;
    const port = await udp((query) => {
      const { header, questions } = Packet.parse(query);
      asked = [header.rd, questions.length, questions[0]!.name, questions[0]!.type];
      return [answer(query, {})];
    });
    const target = targetOf('dns', port, { question: 'example.com', type: 'TXT' });
    assert.deepEqual(await run(target), { ok: true, detail: 'NOERROR' });
    assert.deepEqual(asked, [0, 1, 'example.com', Packet.TYPE.TXT]);
  });

  test('another answer, none, or another code is bad', async () => {
    let parts: Parts = { records: [A('192.0.2.2')] };
    const port = await udp((query) => [answer(query, parts)]);
    const target = targetOf('dns', port, { answers: ['192.0.2.1'] });
    assert.equal((await run(target)).detail, '192.0.2.2 instead of 192.0.2.1');
    parts = {};
    assert.equal((await run(target)).detail, 'no A record instead of 192.0.2.1');
    parts = { tc: true };
    assert.match((await run(target)).detail, /does not fit in UDP: set transport to tcp/);
    parts = { rcode: 5 };
    assert.equal((await run(target)).detail, 'REFUSED, expected NOERROR');
    assert.equal((await run(targetOf('dns', port, { rcode: 'REFUSED' }))).ok, true);
  });

  test('what is not the answer is passed over, until it comes', async () => {
    const port = await udp((query) => {
      const other = Buffer.from(query);
      other[0]! ^= 1;
      const question = answer(Buffer.concat([query]), {});
      question[2]! &= 0x7f;
      const name = answer(query, {});
      name[13]! ^= 0x02;
      const good = answer(query, { records: [A('192.0.2.1')] });
      return [Buffer.from('x'), other, question, name, good];
    });
    assert.equal((await run(targetOf('dns', port, { answers: ['192.0.2.1'] }))).ok, true);
  });

  test('a port where nobody listens is told at once', async () => {
    const port = await udp(() => []);
    const closing = sockets.pop()!;
    closing.close();
    await once(closing, 'close');
    assert.deepEqual(await run(targetOf('dns', port)), { ok: false, detail: 'connection refused' });
  });

  test('the timeout and an abort end it', async () => {
    let asked = 0;
    const port = await udp(() => {
      asked++;
      return [];
    });
    await endsWhenTold(targetOf('dns', port), new VirtualClock(), () => asked > 0, 'answer');
  });

  test('over TCP, in pieces, from the source that it was given', async () => {
    let from = '';
    const port = await servers.tcp((socket) => {
      from = String(socket.remoteAddress);
      socket.on('data', (bytes) => {
        const reply = framed(answer(bytes.subarray(2), { records: [A('192.0.2.1')] }));
        socket.setNoDelay(true);
        socket.write(reply.subarray(0, 1));
        setTimeout(() => socket.write(reply.subarray(1)), 5);
      });
    });
    const change = { transport: 'tcp', answers: ['192.0.2.1'], source4: '127.88.0.3' } as const;
    assert.equal((await run(targetOf('dns', port, change))).ok, true);
    assert.equal(from, '127.88.0.3');
  });

  test('over TCP a close, a broken answer or nonsense is bad', async () => {
    let bytes: Buffer = Buffer.alloc(0);
    const port = await servers.tcp((socket) => socket.on('data', () => socket.end(bytes)));
    const target = targetOf('dns', port, { transport: 'tcp' });
    assert.equal((await run(target)).detail, 'connection closed without an answer');
    bytes = Buffer.from([1, 0, 7]);
    assert.equal((await run(target)).detail, 'the answer broke off');
    bytes = framed(Buffer.alloc(60_000, 0x80));
    assert.equal((await run(target)).detail, 'the answer is not one to this question');
  });

  test('the source is that of UDP, too', async () => {
    let from = '';
    const port = await udp((query, { address }) => {
      from = address;
      return [answer(query, {})];
    });
    assert.equal((await run(targetOf('dns', port, { source4: '127.88.0.4' }))).ok, true);
    assert.equal(from, '127.88.0.4');
    const lost = await run(targetOf('dns', port, { source4: '192.0.2.77' }));
    assert.deepEqual([lost.ok, lost.detail.includes('192.0.2.77')], [false, true]);
    await eventually('nothing is left open', () => true);
  });
});

describe('records as a check writes them', () => {
  const cases: [DnsCheck['type'], object, string][] = [
    ['AAAA', { type: Packet.TYPE.AAAA, address: '2001:db8:0:0::1' }, '2001:db8::1'],
    ['NS', { type: Packet.TYPE.NS, ns: 'NS1.example.com' }, 'ns1.example.com'],
    ['CNAME', { type: Packet.TYPE.CNAME, domain: 'b.example' }, 'b.example'],
    ['PTR', { type: Packet.TYPE.PTR, domain: 'b.example' }, 'b.example'],
    ['MX', { type: Packet.TYPE.MX, priority: 10, exchange: 'm.example' }, '10 m.example'],
    ['TXT', { type: Packet.TYPE.TXT, data: ['v=1; ', 'x'] }, 'v=1; x'],
  ];
  for (const [type, record, text] of cases) {
    test(type, async () => {
      const port = await udp((query) => [answer(query, { records: [record] })]);
      const result = await run(targetOf('dns', port, { type, answers: [text] }));
      assert.deepEqual(result, { ok: true, detail: `answered ${text}` });
    });
  }
});

test('any octets are judged without an exception, and soon', () => {
  const check = { transport: 'udp', question: 'a.example', type: 'A', rcode: 'NOERROR' } as const;
  const wanted = { kind: 'dns', answers: ['192.0.2.1'], ...check } as const;
  const head = fc.constantFrom(
    [0, 7, 0x80, 0, 0, 0, 255, 255, 255, 255, 255, 255],
    [0, 7, 0x81, 3, 0, 1],
  );
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 200 }), (start, octets) => {
      const judged = judgeAnswer(Buffer.from([...start, ...octets]), 7, wanted);
      assert.ok(judged === null || !judged.ok);
    }),
    { numRuns: 500 },
  );
});
