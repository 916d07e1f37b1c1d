import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { endsWhenTold, ProbeServers, run, targetOf } from '../support/probe.ts';

const servers = new ProbeServers();
afterEach(() => servers.close());

const contains = (text: string) => ({ contains: text, matches: null });
const hex = (text: string): string => Buffer.from(text).toString('hex');

describe('TCP probe', () => {
  test('a connection that is accepted is good, one that is refused is bad', async () => {
    const port = await servers.tcp(() => {});
    assert.deepEqual(await run(targetOf('tcp', port)), { ok: true, detail: 'connected' });
    const closed = targetOf('tcp', await servers.closedPort());
    assert.deepEqual(await run(closed), { ok: false, detail: 'connection refused' });
  });

  test('the timeout and an abort end it before there is a connection', async () => {
    const clock = new VirtualClock();
    const port = await servers.tcp(() => {});
    await endsWhenTold(targetOf('tcp', port), clock, () => true, 'connection');
  });

  test('sends its bytes and finds the answer, though the server stays connected', async () => {
    const port = await servers.tcp((socket) => {
      socket.on('data', (bytes) => {
        if (bytes.equals(Buffer.from('PING\r\n\0'))) socket.write('+PONG\r\n');
      });
    });
    const good = targetOf('tcp', port, { send: hex('PING\r\n\0'), expect: contains('+PONG') });
    assert.deepEqual(await run(good), { ok: true, detail: 'the expected answer' });
  });

  test('a greeting is enough where nothing is sent; it may come in pieces', async () => {
    const port = await servers.tcp((socket) => {
      socket.write('220 mail.exam');
      setTimeout(() => socket.write('ple ESMTP\r\n'), 10);
    });
    const expect = { contains: 'mail.example', matches: '^220 ' };
    assert.equal((await run(targetOf('tcp', port, { expect }))).ok, true);
  });

  const expect = contains('ready');
  const bad: [string, string, string][] = [
    ['closes without a word', '', 'connection closed without an answer'],
    ['says something else', 'busy', 'the answer does not contain "ready"'],
    [
      'says too much before',
      `${'x'.repeat(2_000)}ready`,
      'the answer does not contain "ready" in its first 2000 bytes',
    ],
  ];
  for (const [what, bytes, detail] of bad) {
    test(`a server that ${what} is bad`, async () => {
      const port = await servers.tcp((socket) => socket.end(bytes));
      const target = targetOf('tcp', port, { expect, read_bytes_max: 2_000 });
      assert.deepEqual(await run(target), { ok: false, detail });
    });
  }

  test('an answer that drips is compared in full at its end', async () => {
    const port = await servers.tcp((socket) => {
      socket.setNoDelay(true);
      const drip = (left: number): void => {
        if (left === 0) socket.end('ready');
        else socket.write('x', () => setTimeout(drip, 1, left - 1));
      };
      drip(101);
    });
    const target = targetOf('tcp', port, { expect, timeout_ms: 60_000 });
    assert.deepEqual(await run(target), { ok: true, detail: 'the expected answer' });
  });

  test('the timeout covers the answer, and an abort ends the wait for it', async () => {
    const clock = new VirtualClock();
    let got = 0;
    const port = await servers.tcp((socket) => {
      socket.on('data', () => got++);
    });
    const target = targetOf('tcp', port, { send: hex('hello'), expect });
    await endsWhenTold(target, clock, () => got > 0, 'answer');
  });

  test('a server that resets is bad', async () => {
    const port = await servers.tcp((socket) => socket.resetAndDestroy());
    assert.deepEqual(await run(targetOf('tcp', port, { expect })), {
      ok: false,
      detail: 'connection reset',
    });
  });
});
