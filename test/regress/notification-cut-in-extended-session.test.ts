/**
 * A NOTIFICATION was always encoded as if nothing had been agreed on: in a session with extended
 * messages the attribute that it is about was cut off.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { CEASE } from '../../src/bgp/wire/codes.ts';
import { Framer } from '../../src/bgp/wire/framer.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/bgp/wire/message.ts';
import { KEEPALIVE, until } from '../support/bgp.ts';
import { listenFor, makePeer, otherSide } from '../support/peer-bench.ts';

const EXTENDED = { ...DEFAULT_CONTEXT, extended_messages: true };
/** A well-known attribute that nobody knows, of 5000 octets. */
const ATTRIBUTE = Buffer.concat([
  Buffer.from([0x50, 99, 5000 >> 8, 5000 & 0xff]),
  Buffer.alloc(5000),
]);

test('the data of a NOTIFICATION is whole where extended messages are agreed on', async (t) => {
  const { peer } = makePeer(otherSide());
  const door = await listenFor(peer);
  t.after(() => Promise.all([door.close(), peer.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, '')]));
  peer.start();
  const socket = connect(door.at.port, door.at.address);
  const framer = new Framer();
  framer.bytesMax = 65_535;
  const messages: Message[] = [];
  socket.on('data', (chunk) => {
    framer.push(chunk, (bytes) => messages.push(decodeMessage(bytes, EXTENDED).message!) > 0);
  });
  const capabilities = [{ kind: 'extended-messages' }] as const;
  const open = { my_as: 65001, hold_time_s: 90, router_id: 0x0a000001, capabilities };
  socket.write(Buffer.concat([encodeMessage({ type: 'open', open }, EXTENDED)!, KEEPALIVE]));
  await until(() => peer.state === 'Established');
  const unknown = [{ flags: 0x40, code: 99, value: ATTRIBUTE.subarray(4) }];
  const update = { withdrawn: [], announced: [], attributes: { unknown } };
  socket.write(encodeMessage({ type: 'update', update }, EXTENDED)!);
  await until(() => messages.at(-1)?.type === 'notification');
  socket.destroy();
  const last = messages.at(-1);
  assert.ok(last?.type === 'notification');
  assert.deepEqual([last.notification.code, last.notification.subcode], [3, 2]);
  assert.deepEqual(Buffer.from(last.notification.data), ATTRIBUTE);
});
