import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { loadFromCommand } from '../../src/observe/meter-command.ts';
import { askSocket } from '../../src/observe/meter-input.ts';
import { eventually } from '../support/eventually.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
const never = new AbortController().signal;
const limits = { timeout_ms: 500, bytes_max: 1_000 };

/** A stats socket; `serve` is given each question. */
async function statsSocket(serve: (socket: Socket, question: string) => void): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'isobar-socket-'));
  undo.push(() => rm(folder, { recursive: true }));
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => serve(socket, data.toString()));
  });
  const path = join(folder, 'stats.sock');
  server.listen(path);
  await once(server, 'listening');
  undo.push(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return path;
}

describe('a question to a UNIX socket', () => {
  test('the answer is all until the server closes', async () => {
    const path = await statsSocket((socket, question) => {
      socket.write(`you asked ${question}`);
      setImmediate(() => socket.end('\n'));
    });
    const answer = await askSocket(path, 'show stat\n', limits, new VirtualClock(), never);
    assert.deepEqual(answer, { ok: true, value: 'you asked show stat\n\n' });
  });

  test('a server that says nothing, or half, is not waited for beyond the timeout', async () => {
    let asked = false;
    const path = await statsSocket((socket) => {
      asked = socket.write('half');
    });
    const clock = new VirtualClock();
    const answer = askSocket(path, '\n', limits, clock, never);
    await eventually('it was asked', () => asked);
    clock.advance(500);
    assert.deepEqual(await answer, { ok: false, error: 'no complete answer within 500 ms' });
  });

  test('one that talks without end is left', async () => {
    const path = await statsSocket((socket) => socket.write('x'.repeat(1_001)));
    const answer = await askSocket(path, '\n', limits, new VirtualClock(), never);
    assert.deepEqual(answer, { ok: false, error: 'the answer is longer than 1000 bytes' });
  });

  test('no server, and one that was stopped', async () => {
    const clock = new VirtualClock();
    const missing = await askSocket('/nonexistent/stats.sock', '\n', limits, clock, never);
    assert.deepEqual(missing, { ok: false, error: 'there is no socket /nonexistent/stats.sock' });
    const path = await statsSocket(() => {});
    const stopping = new AbortController();
    const answer = askSocket(path, '\n', limits, clock, stopping.signal);
    stopping.abort();
    assert.deepEqual(await answer, { ok: false, error: 'stopped' });
    assert.equal(clock.pending, 0);
  });
});

describe('what a command prints', () => {
  const cases: [Parameters<typeof loadFromCommand>[0], number | string][] = [
    [{ kind: 'exit', code: 0, output: ' 12.5\n' }, 12.5],
    [{ kind: 'exit', code: 0, output: '0' }, 0],
    [{ kind: 'exit', code: 0, output: '' }, 'what the command prints is not a number'],
    [{ kind: 'exit', code: 0, output: '12 sessions\n' }, 'what the command prints is not a number'],
    [{ kind: 'exit', code: 0, output: '0x10' }, 'what the command prints is not a number'],
    [{ kind: 'exit', code: 0, output: '1e999' }, 'what the command prints is not a number'],
    [{ kind: 'exit', code: 0, output: '-3' }, 'what the command prints is negative'],
    [{ kind: 'exit', code: 2, output: '5' }, 'the command ended with exit code 2'],
    [
      { kind: 'failed', detail: 'did not end within 500 ms' },
      'the command did not end within 500 ms',
    ],
  ];
  for (const [outcome, expected] of cases) {
    test(JSON.stringify(outcome), () => {
      const read = loadFromCommand(outcome);
      assert.equal(read.ok ? read.value.value : read.error, expected);
    });
  }
});
