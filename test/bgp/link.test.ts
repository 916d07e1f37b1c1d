/** One TCP connection of a session, on a socket whose kernel takes what the test lets it take. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { VirtualClock } from '../../src/base/clock.ts';
import { Link } from '../../src/bgp/link.ts';
import { KEEPALIVE } from '../support/bgp.ts';

class Line extends Duplex {
  noDelay = false;
  /** Ends of the writes that the kernel has not taken. */
  readonly held: (() => void)[] = [];

  setNoDelay(): void {
    this.noDelay = true;
  }
  override _read(): void {}
  override _write(_: unknown, __: string, done: () => void): void {
    this.held.push(done);
  }
}

function bench(heard: string[] = []) {
  const line = new Line();
  const link: Link = new Link(line as unknown as Socket, new VirtualClock(), {
    message: () => {
      heard.push('message');
      void link.finish();
    },
    sending: () => heard.push('sending'),
    fault: () => heard.push('fault'),
    drain: () => heard.push('drain'),
    waits: (waiting) => heard.push(waiting ? 'waits' : 'taken'),
    closed: () => heard.push('closed'),
  });
  return { line, link, heard };
}

test('every message leaves at once (TCP_NODELAY)', () => {
  assert.equal(bench().line.noDelay, true);
});

test('a wait begins once, however much is sent meanwhile, and again as some of it is taken', async () => {
  const { line, link, heard } = bench();
  for (let i = 0; i < 3; i++) link.send(KEEPALIVE);
  assert.deepEqual(heard, ['sending', 'waits', 'sending', 'sending']);
  for (const expected of ['waits', 'waits', 'taken']) {
    heard.length = 0;
    line.held.shift()!();
    await turn();
    assert.deepEqual(heard, [expected]);
  }
});

test('after the last word nothing more is heard, not even what came with it', async () => {
  const { line, heard } = bench();
  line.push(Buffer.concat([KEEPALIVE, KEEPALIVE, Buffer.alloc(19)]));
  await turn();
  line.push(KEEPALIVE);
  line.push(null);
  await turn();
  assert.deepEqual(heard, ['message']);
});
