/** The guard with its real thread and real connections, on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { WatchThread } from '../../src/bgp/bfd/watch.ts';
import { loadLibc } from '../../src/net/libc.ts';
import { until } from '../support/bgp.ts';

const WITHDRAWALS = Uint8Array.of(1, 2, 3);

/** Both ends of a connection, and what the far one has heard. */
async function connection(): Promise<{ near: Socket; far: Socket; heard: number[] }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const near = connect(port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  if (near.connecting) await once(near, 'connect');
  server.close();
  const heard: number[] = [];
  far.on('data', (chunk: Buffer) => heard.push(...chunk));
  return { near, far, heard };
}

describe('the guard’s thread', { skip: loadLibc() ? false : 'needs koffi' }, () => {
  const watch = new WatchThread({ clock: new SystemClock(), prng: prng(1), log: silentLog });
  watch.setDeadMan(50);
  after(() => watch.stop());

  test('withdraws on each connection, and tells when the verdicts are renewed', async () => {
    const told: number[] = [];
    const all = [await connection(), await connection()];
    const guarded = all.map(({ near }, i) => watch.protect(near, () => told.push(i))!);
    for (const session of guarded) session.update(WITHDRAWALS, true);
    await until(() => all.every(({ heard }) => heard.length === 3));
    assert.deepEqual(told, []);
    await until(() => {
      watch.renew();
      return told.length === 2;
    });
    // The same connections go on.
    all[0]!.near.write(Uint8Array.of(4));
    await until(() => all[0]!.heard.length === 4);
    assert.deepEqual(all[0]!.heard, [1, 2, 3, 4]);
    for (const session of guarded) session.release();
    for (const { near, far } of all) {
      near.destroy();
      await once(far, 'close');
    }
  });

  test('ends a connection in which no message can begin', async () => {
    const { near, far, heard } = await connection();
    near.resume();
    const session = watch.protect(near, () => assert.fail('the socket tells'))!;
    session.update(WITHDRAWALS, false);
    const ends = [once(near, 'end'), once(far, 'end')];
    await Promise.all(ends);
    assert.deepEqual(heard, []);
    watch.renew();
    session.release();
    near.destroy();
  });

  test('holds no connection open that was given back', async () => {
    const { near, far } = await connection();
    const session = watch.protect(near, () => {})!;
    session.update(WITHDRAWALS, true);
    session.release();
    near.destroy();
    await once(far, 'close');
  });
});
