/** Where the machine lets us ping; in namespaces of either kind: test/interop/probe-icmp.test.ts. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { loadLibc } from '../../src/net/libc.ts';
import { openPingSocket } from '../../src/net/ping-socket.ts';
import { eventually } from '../support/eventually.ts';
import { run, targetOf } from '../support/probe.ts';

function whyNot(): string | false {
  const libc = loadLibc();
  if (!libc) return 'needs koffi';
  const socket = openPingSocket(libc, { six: false, source: null, receive: () => {} });
  if (!socket.ok) return socket.error;
  socket.value.close();
  return false;
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

describe('ICMP probe', { skip: whyNot() }, () => {
  test('an echo reply is good', async () => {
    assert.deepEqual(await run(targetOf('icmp', 0)), { ok: true, detail: 'echo reply' });
    const source = targetOf('icmp', 0, { source4: '127.88.0.5' });
    assert.deepEqual(await run(source), { ok: true, detail: 'echo reply' });
  });

  test('many at once share one socket, which none leaves open', async () => {
    const before = descriptors();
    const all = Array.from({ length: 200 }, (_, i) =>
      run({ ...targetOf('icmp', 0), address: `127.88.1.${i + 1}` }),
    );
    assert.ok(descriptors() <= before + 2);
    for (const result of await Promise.all(all)) assert.equal(result.detail, 'echo reply');
    await eventually('the socket is closed', () => descriptors() <= before);
  });

  test('a source that is not here is told', async () => {
    const detail = 'the source 192.0.2.77 is not an address of this machine';
    const lost = await run(targetOf('icmp', 0, { source4: '192.0.2.77' }));
    assert.deepEqual(lost, { ok: false, detail });
  });

  test('an abort ends it at once', async () => {
    const stop = new AbortController();
    const clock = new VirtualClock();
    const result = run(targetOf('icmp', 0), clock, stop.signal);
    stop.abort();
    assert.deepEqual(await result, { ok: false, detail: 'stopped' });
    assert.equal(clock.pending, 0);
  });
});
