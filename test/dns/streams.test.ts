/** Framed streams as RFC 7766 asks for them: pipelines, slow clients, limits, transfers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { prng } from '../../src/base/prng.ts';
import { asksHandler } from '../../src/dns/stream-asks.ts';
import { buildQuery, readMessage } from '../support/dns-query.ts';
import { framed } from '../support/dns-server.ts';
import { eventually } from '../support/eventually.ts';
import { open, readAll, stalled, startStreams, unframed } from '../support/streams.ts';

const query = (id: number, name = 'ns1.example.com') => buildQuery({ id, name, type: 1 });

test('10,000 pipelined queries in chunks of odd sizes are answered in order', async () => {
  const { server, at } = await startStreams();
  const random = prng(7);
  const stream = Buffer.concat(
    Array.from({ length: 10_000 }, (_, id) =>
      framed(query(id, random.int(50) === 0 ? 'big.example.com' : 'ns1.example.com')),
    ),
  );
  const socket = await open(at);
  const all = readAll(socket);
  for (let from = 0; from < stream.length; ) {
    const size = random.int(10) === 0 ? 1 + random.int(60_000) : 1 + random.int(300);
    if (!socket.write(stream.subarray(from, from + size))) await once(socket, 'drain');
    from += size;
  }
  socket.end();
  const ids = unframed(await all).map((message) => readMessage(message).id);
  assert.deepEqual(
    ids,
    Array.from({ length: 10_000 }, (_, id) => id),
  );
  await server.stop();
});

test('one client that floods and one that reads nothing do not hold up a third', async () => {
  const { server, at } = await startStreams();
  const flood = Buffer.concat(new Array(20_000).fill(framed(query(1, 'big.example.com'))));
  const deaf = await open(at);
  deaf.pause();
  deaf.write(flood);
  const greedy = await open(at);
  greedy.resume();
  for (let i = 0; i < 5; i++) greedy.write(flood);
  const third = await open(at);
  for (let id = 0; id < 100; id++) {
    third.write(framed(query(id)));
    const [answer] = await once(third, 'data');
    assert.equal(readMessage(answer.subarray(2)).id, id);
  }
  for (const socket of [deaf, greedy, third]) socket.destroy();
  await server.stop();
});

test('a message of 65,535 octets that comes octet by octet is read, and costs no more', async () => {
  let length = 0;
  const { server, at } = await startStreams({
    respond: (_packet, size, _client, out) => {
      length = size;
      out[0] = 7;
      return 1;
    },
  });
  const socket = await open(at);
  const message = framed(new Uint8Array(65_535));
  // In order, each handed over for itself; the kernel may join some.
  for (let i = 0; i < message.length; i++) {
    if (!socket.write(message.subarray(i, i + 1))) await once(socket, 'drain');
  }
  const [answer] = await once(socket, 'data');
  assert.deepEqual([...answer], [0, 1, 7]);
  assert.equal(length, 65_535);
  socket.destroy();
  await server.stop();
});

test('more connections of one address than allowed are turned away; another address is not', async () => {
  const settings = { tcp_clients_per_address_max: 2 };
  const { server, at, counters } = await startStreams({ settings });
  const held = [await open(at), await open(at)];
  const third = await open(at);
  third.resume();
  await once(third, 'end');
  assert.equal(counters.get('tcp_refused'), 1);
  for (const socket of held) {
    socket.write(framed(query(5)));
    await once(socket, 'data');
  }
  held[0]!.destroy();
  await eventually('room again', () => counters.get('tcp_clients') === 1);
  const again = await open(at);
  again.write(framed(query(6)));
  await once(again, 'data');
  for (const socket of [...held, again]) socket.destroy();
  await server.stop();
});

test('who makes no progress is closed in time: silent, half a query, half-open, or deaf', async () => {
  const clock = new VirtualClock();
  const streams = await startStreams({ clock, settings: { tcp_idle_ms: 1000 } });
  const { server, at, counters } = streams;
  const [silent, half, halfOpen, deaf, busy] = [
    await open(at),
    await open(at),
    await open(at),
    await open(at),
    await open(at),
  ];
  half.write(framed(query(1)).subarray(0, 9));
  deaf.pause();
  deaf.write(Buffer.concat(new Array(20_000).fill(framed(query(1, 'big.example.com')))));
  halfOpen.write(framed(query(2)));
  await once(halfOpen, 'data'); // and then nothing more, not even FIN
  await eventually('all are there', () => counters.get('tcp_clients') === 5);
  await stalled(streams);
  clock.advance(900);
  busy.write(framed(query(3)));
  await once(busy, 'data');
  half.write(Uint8Array.of(0)); // an octet now and then is no progress
  await new Promise((resolve) => setTimeout(resolve, 50));
  clock.advance(150);
  await eventually('only the busy one is left', () => counters.get('tcp_clients') === 1);
  assert.equal(counters.get('tcp_expired'), 4);
  clock.advance(900);
  await eventually('it is idle by now', () => counters.get('tcp_clients') === 0);
  await server.stop();
  for (const socket of [silent, half, halfOpen, deaf, busy]) socket.destroy();
});

test('what a StreamHandler is asked about', () => {
  const record = (type: number) => [0, type >> 8, type & 255, 0, 255, 0, 0, 0, 0, 0, 1, 7];
  const signed = { name: 'a.example', type: 1, tail: record(250) };
  const cases: [Uint8Array, boolean][] = [
    [query(1), false],
    [buildQuery({ name: 'example.com', type: 252 }), true],
    [buildQuery({ name: 'example.com', type: 251 }), true],
    [buildQuery({ ...signed, counts: [1, 0, 0, 1] }), true],
    [buildQuery({ ...signed, edns: {}, counts: [1, 0, 0, 2] }), true],
    [buildQuery({ name: 'a.example', type: 1, edns: {} }), false],
    [buildQuery({ ...signed, counts: [2, 0, 0, 1] }), false],
    [Uint8Array.of(1, 2, 3), false],
  ];
  for (const [packet, asked] of cases) {
    const stream = Buffer.concat([Buffer.alloc(5, 252), packet]);
    assert.equal(asksHandler(stream, 5, stream.length), asked);
  }
});

test('a transfer comes whole and in turn, as fast as the client reads, and others go on', async () => {
  const asked: string[] = [];
  let made = 0;
  const messages = 3000;
  const { server, at } = await startStreams({
    handler: {
      *answer(packet: Uint8Array, client: Uint8Array): Iterator<Uint8Array> {
        asked.push(client.join('.'));
        for (let i = 0; i < messages; i++, made++) {
          const message = new Uint8Array(16_000);
          message.set(packet.subarray(0, 2));
          message[5] = i;
          yield message;
        }
      },
    },
  });
  const socket = await open(at);
  socket.pause();
  const axfr = buildQuery({ id: 9, name: 'example.com', type: 252 });
  socket.write(Buffer.concat([framed(query(1)), framed(axfr), framed(query(2))]));
  await eventually('it has begun', () => made > 10);
  const other = await open(at);
  other.write(framed(query(3)));
  await once(other, 'data');
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(made < messages, 'pulled although nobody reads');
  const all = readAll(socket);
  socket.end();
  const answers = unframed(await all);
  assert.deepEqual(asked, ['127.0.0.1']);
  assert.deepEqual(
    answers.map((message) => message.readUInt16BE()),
    [1, ...new Array(messages).fill(9), 2],
  );
  assert.ok(answers.slice(1, -1).every((message, i) => message[5] === (i & 255)));
  other.destroy();
  await server.stop();
});

test('a handler that does not want a query leaves it to respond; one cut short is told', async () => {
  let returned = 0;
  const endless: Iterator<Uint8Array> = {
    next: () => ({ value: new Uint8Array(1000), done: false }),
    return: () => {
      returned++;
      return { value: undefined, done: true };
    },
  };
  let wanted = false;
  const { server, at } = await startStreams({
    handler: { answer: () => (wanted ? endless : null) },
  });
  const axfr = framed(buildQuery({ id: 9, name: 'example.com', type: 252 }));
  const first = await open(at);
  first.write(axfr);
  const [refused] = await once(first, 'data');
  assert.equal(readMessage(refused.subarray(2)).rcode, 5);
  wanted = true;
  const sockets = await Promise.all(Array.from({ length: 9 }, () => open(at)));
  for (const socket of sockets) {
    socket.write(axfr);
    await once(socket, 'data');
    socket.pause();
  }
  for (const socket of [first, ...sockets]) socket.destroy();
  await eventually('each iterator is closed', () => returned === 9);
  await server.stop();
});

test('an address that a thread in the place of a dead one cannot have is told', async () => {
  const told: unknown[] = [];
  const { server, at } = await startStreams({ log: (...entry) => told.push(entry) });
  const settings = { tls: null, tcp_clients_max: 9, tcp_clients_per_address_max: 9 };
  const listen = [at, { address: '192.0.2.1', port: 53 }];
  await server.use({ ...settings, tcp_idle_ms: 9000, listen }, 'again');
  const problem = 'TCP 192.0.2.1:53: this machine does not have the address';
  assert.deepEqual(told, [['warn', { problem }, 'an address is no longer served']]);
  await server.stop();
});
