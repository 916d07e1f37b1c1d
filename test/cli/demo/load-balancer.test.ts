import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { SystemClock, VirtualClock } from '../../../src/base/clock.ts';
import { ForwardingDriver } from '../../../src/cli/demo/forwarding.ts';
import { LoadBalancer } from '../../../src/cli/demo/load-balancer.ts';
import { RateMeter } from '../../../src/cli/demo/rate.ts';
import { get } from './support.ts';

let balancer: LoadBalancer;

function make(capacity: number, port = 0): LoadBalancer {
  const clock = new SystemClock();
  const forwarding = new ForwardingDriver({ site: 'fra', peers: new Map(), clock });
  return new LoadBalancer({
    name: 'fra-lb1',
    site: 'fra',
    address: '127.0.0.1',
    port,
    capacity,
    forwarding,
    clock,
  });
}

beforeEach(async () => {
  balancer = make(1_000);
  await balancer.repair();
});
afterEach(() => balancer.break());

test('it is healthy, and says who served a request', async () => {
  const health = await get(balancer.port, '/healthz');
  assert.deepEqual([health.status, health.body], [200, 'ok\n']);
  const got = await get(balancer.port, '/any/path');
  assert.equal(got.headers['x-isobar-served-by'], 'fra-lb1');
  assert.deepEqual(JSON.parse(got.body), {
    served_by: 'fra-lb1',
    site: 'fra',
    spilled_from: null,
  });
});

test('probes are not load, requests are', async () => {
  await get(balancer.port, '/healthz');
  assert.equal(balancer.requestsPerSecond(), 0);
  await get(balancer.port, '/');
  assert.ok(balancer.requestsPerSecond() > 0.5);
});

test('a broken one refuses connections, cuts those it has, and can be repaired', async () => {
  const { port } = balancer;
  const open = connect(port, '127.0.0.1');
  await once(open, 'connect');
  open.write('GET /healthz HTTP/1.1\r\nhost: fra\r\n\r\n');
  await once(open, 'data');
  const cut = once(open, 'close');
  await balancer.break();
  await cut;
  await assert.rejects(get(port, '/healthz'), { code: 'ECONNREFUSED' });
  await balancer.repair();
  assert.equal((await get(balancer.port, '/healthz')).status, 200);
});

test('breaking and repairing twice is as good as once', async () => {
  await balancer.repair();
  assert.equal((await get(balancer.port, '/healthz')).status, 200);
  await balancer.break();
  await balancer.break();
  assert.equal(balancer.port, 0);
});

test('far above its capacity it refuses requests, and stays healthy', async () => {
  const small = make(1);
  await small.repair();
  const statuses: number[] = [];
  for (let i = 0; i < 4; i++) statuses.push((await get(small.port, '/')).status);
  assert.deepEqual([statuses[0], statuses[3]], [200, 503]);
  assert.equal((await get(small.port, '/healthz')).status, 200);
  await small.break();
});

test('the rate meter reads a steady rate, and forgets it in seconds', () => {
  const clock = new VirtualClock();
  const meter = new RateMeter(clock);
  for (let i = 0; i < 500; i++) {
    clock.advance(10);
    meter.count();
  }
  assert.ok(Math.abs(meter.perSecond() - 100) < 2, `${meter.perSecond()}`);
  clock.advance(5_000);
  assert.ok(meter.perSecond() < 1);
});

test('an address that is taken is one sentence, and it can be repaired once that is free', async () => {
  const { port } = balancer;
  const second = make(1_000, port);
  await assert.rejects(second.repair(), {
    message: `cannot listen on 127.0.0.1 port ${port}: in use by another program`,
  });
  await balancer.break();
  await second.repair();
  assert.equal((await get(second.port, '/healthz')).status, 200);
  await second.break();
});
