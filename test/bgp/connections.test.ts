/** The connections of a peer: what becomes of a dial that is given up. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { VirtualClock } from '../../src/base/clock.ts';
import { Connections } from '../../src/bgp/connections.ts';
import { settingsTo } from '../support/peer-bench.ts';

test('a dial that was given up is not heard of, however it ends', async () => {
  const heard: string[] = [];
  const note = (what: string) => () => void heard.push(what);
  const events = {
    connected: note('connected'),
    dialFailed: note('failed'),
    message: note('message'),
    sending: note('sending'),
    fault: note('fault'),
    drain: note('drain'),
    waits: note('waits'),
    closed: note('closed'),
  };
  const sockets = [new Socket(), new Socket()];
  const dialled = [...sockets];
  const dialler = { dial: () => dialled.shift()! };
  const connections = new Connections(new VirtualClock(), dialler, events);
  const to = settingsTo({ address: '192.0.2.1', port: 179 });
  connections.dial(to);
  sockets[0]!.destroy(new Error('refused')); // its event comes in the next turn
  connections.stopDial();
  connections.dial(to);
  connections.stopDial();
  sockets[1]!.emit('connect');
  await turn();
  assert.deepEqual([heard, connections.none], [[], true]);
});
