import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { createUDPServer, Packet } from 'dns2';
import { SystemClock } from '../../../src/base/clock.ts';
import { DnsClient } from '../../../src/cli/demo/dns-client.ts';
import { ForwardingDriver } from '../../../src/cli/demo/forwarding.ts';
import { LoadBalancer } from '../../../src/cli/demo/load-balancer.ts';
import { LoadGenerator } from '../../../src/cli/demo/load-generator.ts';
import { eventually } from '../../support/eventually.ts';

/** Two addresses of the loopback, on one port, and a DNS server that names what it is told to. */
const clock = new SystemClock();
const forwarding = new ForwardingDriver({ site: 'fra', peers: new Map(), clock });
const dns = new DnsClient(clock);
const subnets: string[] = [];
let named: string[] = [];
let dns_port = 0;

const server = createUDPServer((request, send) => {
  const response = Packet.createResponseFromRequest(request);
  const name = request.questions[0]!.name;
  for (const address of named) {
    response.answers.push(Object.assign(new Packet.Resource(name, 1, 1, 1), { address }));
  }
  const options = (request.additionals[0] as { rdata?: { ip: string }[] } | undefined)?.rdata;
  if (options?.[0]) subnets.push(options[0].ip);
  send(response);
});

function balancer(address: string, port: number): LoadBalancer {
  const name = `lb-${address}`;
  return new LoadBalancer({ name, site: 'fra', address, port, capacity: 500, forwarding, clock });
}

const first = balancer('127.9.31.1', 0);
let second: LoadBalancer;
let generator: LoadGenerator;

before(async () => {
  await first.repair();
  second = balancer('127.9.31.2', first.port);
  await second.repair();
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  dns_port = server.address().port;
  generator = new LoadGenerator({
    regions: [
      {
        region: 'europe',
        servers: [{ address: '127.0.0.1', port: dns_port }],
        subnet: '192.0.2.0/24',
        capacity: 200,
        ratio: 0.5,
      },
    ],
    name: 'www.example.com',
    port: first.port,
    dns,
    clock,
  });
});

after(async () => {
  generator.stop();
  dns.close();
  server.close();
  await Promise.all([first.break(), second.break()]);
});

test('a name without addresses, and a server that is silent, are told apart', async () => {
  const at = { address: '127.0.0.1', port: dns_port };
  assert.equal((await dns.lookup(at, 'www.example.com', '192.0.2.0/24')).error, 'no address');
  const silent = await dns.lookup({ address: '127.9.31.3', port: 9 }, 'a.example', '192.0.2.0/24');
  assert.match(String(silent.error), /timed out|ECONNREFUSED/);
});

test('clients send to every address that their DNS names, as clients of their region', async () => {
  named = ['127.9.31.1', '127.9.31.2'];
  generator.start();
  await eventually(
    'both are used',
    () => first.requestsPerSecond() > 10 && second.requestsPerSecond() > 10,
  );
  assert.ok(subnets.length > 0 && subnets.every((subnet) => subnet.startsWith('192.0.2')));
  const { ok, failed, served } = generator.counts('europe');
  assert.equal(failed, 0);
  assert.deepEqual(served, { fra: ok });
});

test('a dead load balancer is noticed as failed requests, and left when DNS says so', async () => {
  await second.break();
  await eventually('requests fail', () => generator.failed > 0);
  named = ['127.9.31.1'];
  await eventually('no more requests fail', async () => {
    const before = generator.failed;
    await new Promise<void>((resolve) => clock.timer(200, resolve));
    return generator.failed === before;
  });
});

test('with a ratio of 0 a region is silent', async () => {
  generator.setRatio('europe', 0);
  await eventually('the rate fades', () => first.requestsPerSecond() < 5);
});
