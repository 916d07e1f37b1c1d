import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { HealthWriter } from '../../src/dns/health-table.ts';
import { makeSnapshot, type Snapshot } from '../../src/dns/snapshot.ts';
import { UdpPool, usableEngine } from '../../src/dns/udp-pool.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { buildQuery } from '../support/dns-query.ts';
import { askUdp, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf, planOf, policyOf, zoneConfig } from '../support/dns-zone.ts';

const engines: UdpEngine[] = ['batch', 'dgram'];
for (const engine of engines.filter((one) => usableEngine(one) === one)) {
  test(`${engine}: a worker that dies is replaced, and takes the newest snapshot`, {
    timeout: 20_000,
  }, async (t) => {
    const config = zoneConfig();
    const health = new HealthWriter(config.endpoints);
    const good = makeSnapshot(config, geoOf(config), health.buffer, 1232, policyOf(config));
    const pool = new UdpPool(engine, good, new SystemClock(), prng(1), silentLog);
    // Port 0 would be another port after the death; the TCP listener holds one, as in the server.
    const held = createServer().listen(0, '127.0.53.21');
    await once(held, 'listening');
    const at = { address: '127.0.53.21', port: (held.address() as AddressInfo).port };
    t.after(async () => {
      held.close();
      await pool.stop();
    });
    await pool.start([at], 1);
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
    assert.ok(pool.counters()[0]!.get('queries') >= 2);
  });
}

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
