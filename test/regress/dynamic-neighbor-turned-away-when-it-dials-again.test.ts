/**
 * A neighbour of a range whose first connection had come to nothing was forgotten at the moment at
 * which its second one came, and so that was turned away.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { bgpSite, KEEPALIVE, neighbor, OPEN, until } from '../support/bgp.ts';
import { Bench } from '../support/speakers.ts';

const bench = new Bench();
afterEach(() => bench.end());

test('a neighbour of a range that dials again is that neighbour', async () => {
  const listen = { address: '127.0.0.1', port: 0 };
  const { address: _, passive: __, ...session } = neighbor(listen, { name: 'racks' });
  const range = { ...session, prefix: '127.2.0.0/16', as: null, sessions_max: 1 };
  const site = bench.speaker(bgpSite([], { ranges: [range], listen: [listen] }));
  await site.start();
  const dial = (): Socket => {
    const { port, address: host } = site.listening[0]!;
    const socket = connect({ port, host, localAddress: '127.2.0.1' });
    socket.on('error', () => {});
    bench.onEnd(async () => void socket.destroy());
    return socket.resume();
  };
  dial(); // and never says anything
  await until(() => site.neighbors()[0]?.state === 'OpenSent');
  const second = dial();
  second.write(Buffer.concat([OPEN, KEEPALIVE]));
  await until(() => second.closed || site.neighbors()[0]?.state === 'Established');
  assert.deepEqual(
    site.neighbors().map(({ state }) => state),
    ['Established'],
  );
});
