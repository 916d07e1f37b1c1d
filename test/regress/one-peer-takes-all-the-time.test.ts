/**
 * A router that asked for all routes again and again kept the main thread busy for seconds: no other
 * neighbour could be told of a withdrawal meanwhile.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, VirtualClock } from '../../src/base/clock.ts';
import { Link } from '../../src/bgp/link.ts';
import { KEEPALIVE } from '../support/bgp.ts';

const MESSAGES = 40;

/**
 * A connection whose messages take a millisecond each. `read` counts them, `ended` those that had been
 * read when its end was told; `clock` is the time in which nothing is done.
 */
function busyLink(): {
  link: Link;
  socket: Socket;
  clock: VirtualClock;
  read: () => number;
  ended: () => number;
} {
  const clock = new VirtualClock();
  let read = 0;
  let ended = 0;
  const busy: Clock = {
    now: () => clock.now() + read,
    wall: () => clock.wall() + read,
    timer: (ms, fire) => clock.timer(ms, fire),
  };
  const stream = new PassThrough();
  const socket = Object.assign(stream, { setNoDelay: () => stream }) as unknown as Socket;
  const nothing = (): void => {};
  const link = new Link(socket, busy, {
    message: () => {
      read++;
    },
    sending: nothing,
    fault: nothing,
    drain: nothing,
    waits: nothing,
    closed: () => {
      ended = read;
    },
  });
  return { link, socket, clock, read: () => read, ended: () => ended };
}

test('a peer that sends without end is read for half of the time, and nothing of it is lost', async () => {
  const { socket, clock, read, ended } = busyLink();
  for (let chunk = 0; chunk < 4; chunk++) {
    socket.push(Buffer.concat(Array.from({ length: MESSAGES / 4 }, () => KEEPALIVE)));
  }
  socket.push(null); // its end is seen after all that came before
  await turn();
  assert.equal(read(), 5);
  while (read() < MESSAGES) {
    const before = read();
    clock.advance(4);
    await turn();
    assert.equal(read(), before, 'its turn has not come');
    clock.advance(1);
    await turn();
    assert.equal(read(), before + 5);
  }
  clock.advance(5);
  await turn();
  assert.equal(ended(), MESSAGES);
});

test('a connection that is closed while its peer waits for its turn ends all the same', async () => {
  const { link, socket, clock, read } = busyLink();
  socket.push(Buffer.concat(Array.from({ length: MESSAGES }, () => KEEPALIVE)));
  await turn();
  const finished = link.finish();
  socket.push(null);
  await finished;
  assert.equal(read(), 5);
  assert.equal(clock.pending, 0);
});
