/** The load by which the store-chaos test judges: it misses no lost query and no wrong answer. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { DnsLoad } from './dns-load.ts';
import { buildQuery } from './dns-query.ts';
import { eventually } from './eventually.ts';

const ID_BYTES = 2;

/** The query as an answer with one address. */
function answer(query: Buffer, address: readonly number[]): Buffer {
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address]);
  const message = Buffer.concat([query, record]);
  message.writeUInt16BE(0x8180, ID_BYTES);
  message.writeUInt16BE(1, 6);
  return message;
}

test('of many answers it finds the few that are missing, and those that are wrong', async () => {
  const socket = createSocket('udp4');
  let heard = 0;
  const dropped = new Set([3, 50, 51]);
  socket.on('message', (query, { port, address }) => {
    if (dropped.has(++heard)) return;
    const right = heard !== 70;
    socket.send(answer(query, [192, 0, 2, right ? 1 : 9]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const server = { address: '127.0.0.1', port: socket.address().port };
  const query = buildQuery({ name: 'www.example.com', type: 1 });
  const load = await DnsLoad.start([{ server, query, right: '192.0.2.1' }], 500, 1_000);
  try {
    await eventually('enough were asked', () => heard >= 100);
    const { sent, lost, wrong } = await load.take();
    assert.ok(sent >= 100);
    assert.equal(lost, 3);
    assert.equal(wrong.length, 1);
    assert.match(wrong[0]!, /"192\.0\.2\.9", not "192\.0\.2\.1"/);
    const then = await load.take();
    assert.deepEqual([then.lost, then.wrong], [0, []], 'each is told once');
  } finally {
    load.stop();
    socket.close();
  }
});
