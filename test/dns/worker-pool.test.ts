import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { HealthWriter } from '../../src/dns/health-table.ts';
import { makeSnapshot, type Snapshot } from '../../src/dns/snapshot.ts';
import { StreamPool } from '../../src/dns/stream-pool.ts';
import { UdpPool, usableEngine } from '../../src/dns/udp-pool.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { WorkerPool } from '../../src/dns/worker-pool.ts';
import { buildQuery } from '../support/dns-query.ts';
import { askTcp, askUdp, framed, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf, planOf, policyOf, zoneConfig } from '../support/dns-zone.ts';
import { eventually } from '../support/eventually.ts';

const engines: UdpEngine[] = ['batch', 'dgram'];
for (const engine of engines.filter((one) => usableEngine(one) === one)) {
  test(`${engine}: a worker that dies is replaced, and takes the newest snapshot`, {
    timeout: 20_000,
  }, async (t) => {
    const config = zoneConfig();
    const health = new HealthWriter(config.endpoints);
    const good = makeSnapshot(config, geoOf(config), health.buffer, 1232, policyOf(config));
    const pool = new WorkerPool(good, new SystemClock(), prng(1), silentLog);
    const udp = new UdpPool(engine, pool);
    // Port 0 would be another port after the death; the TCP listener holds one, as in the server.
    const held = createServer().listen(0, '127.0.53.21');
    await once(held, 'listening');
    const at = { address: '127.0.53.21', port: (held.address() as AddressInfo).port };
    t.after(async () => {
      held.close();
      await pool.stop();
    });
    await udp.listen([at], 1);
    const query = buildQuery({ name: 'ns1.example.com', type: 1 });
    assert.equal((await askUdp(at, query)).answers.length, 1);
    // Nothing that a client sends kills a worker; a snapshot that is none does.
    await assert.rejects(pool.use(null as unknown as Snapshot), /a UDP worker failed/);
    await assert.rejects(pool.use(good), /a UDP worker failed/);
    for (let tries = 0; ; tries++) {
      const answer = await askUdp(at, query).catch(() => null);
      if (answer) break;
      assert.ok(tries < 50, 'it did not come back');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await pool.use(good);
    const queries = pool.counters().map((counters) => counters.get('queries'));
    assert.ok(queries.reduce((sum, one) => sum + one) >= 2);
  });
}

test('the stream thread, too, is replaced when it dies, on the same port', {
  timeout: 20_000,
}, async () => {
  const config = serverConfig({ dns: { listen: [{ address: '127.0.53.22', port: 0 }] } });
  const health = new HealthWriter(config.endpoints);
  const good = makeSnapshot(config, geoOf(config), health.buffer, 1232, policyOf(config));
  const pool = new WorkerPool(good, new SystemClock(), prng(1), silentLog);
  const streams = new StreamPool(pool, config.sites[0]!.dns, false);
  await streams.start();
  const at = streams.listening[0]!.bound;
  const query = framed(buildQuery({ name: 'ns1.example.com', type: 1 }));
  const held = connect({ host: at.address, port: at.port });
  held.on('error', () => {});
  held.write(query);
  await once(held, 'data');
  const closed = once(held, 'close');
  await assert.rejects(pool.use(null as unknown as Snapshot), /a stream thread failed/);
  await assert.rejects(pool.use(good), /a stream thread failed/);
  await closed;
  await eventually('it answers again', () =>
    askTcp(at, [query], 1).then(
      () => true,
      () => false,
    ),
  );
  await pool.use(good);
  assert.deepEqual(streams.listening[0]!.bound, at);
  await eventually('nobody is counted twice', () => streams.counters.get('tcp_clients') === 0);
  await pool.stop();
});

test('batch: a worker that waits for queries answers the next from the newest snapshot', {
  skip: usableEngine('batch') === 'batch' ? false : 'needs koffi on 64-bit Linux',
}, async () => {
  const server = await startServer({ udp: 'batch' });
  const config = serverConfig({});
  for (const site of ['iad', 'sin', 'fra', 'iad']) {
    const reloaded = server.reload(config, geoOf(config));
    server.apply(planOf(config, (id) => id.startsWith(site)));
    const query = buildQuery({ name: 'www.example.com', type: 1 });
    const { answers } = await askUdp(server.addresses[0]!, query);
    assert.equal(answers[0]!.text, `127.1.${['fra', 'iad', 'sin'].indexOf(site) + 1}.1`);
    await reloaded;
  }
  await server.stop();
});
