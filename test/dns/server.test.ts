import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import type { DnsServer } from '../../src/dns/server.ts';
import { usableEngine } from '../../src/dns/udp-pool.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { record, withZones } from '../support/config.ts';
import { buildQuery } from '../support/dns-query.ts';
import { askTcp, askUdp, framed, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf, planOf, zoneConfig } from '../support/dns-zone.ts';

const A = 1;
const www = buildQuery({ name: 'www.example.com', type: A });
const big = buildQuery({ name: 'big.example.com', type: A });
const texts = (message: { answers: { text: string }[] }): string[] =>
  message.answers.map(({ text }) => text).sort();

const engines: UdpEngine[] = ['batch', 'dgram'];
for (const udp of engines.filter((engine) => usableEngine(engine) === engine)) {
  describe(`the DNS server on ${udp}`, () => {
    test('answers over UDP and TCP on the same port, and counts both', async () => {
      const server = await startServer({ udp });
      const at = server.addresses[0]!;
      assert.equal(server.engine, udp);
      assert.deepEqual(texts(await askUdp(at, www)), ['127.1.1.1', '127.1.1.2']);
      assert.ok((await askUdp(at, big)).tc);
      const [complete] = await askTcp(at, [framed(big)], 1);
      assert.equal(complete!.answers.length, 60);
      const { queries, tcp_queries, truncated } = server.counters();
      assert.deepEqual(
        { queries, tcp_queries, truncated },
        { queries: 3, tcp_queries: 1, truncated: 1 },
      );
      await server.stop();
    });

    test('a Plan reaches every worker before its next answer', async () => {
      const server = await startServer({ udp, dns: { workers: 2 } });
      const config = zoneConfig();
      for (const site of ['fra', 'iad', 'sin']) {
        server.apply(planOf(config, (id) => id.startsWith(site)));
        const address = `127.1.${['fra', 'iad', 'sin'].indexOf(site) + 1}.1`;
        for (let i = 0; i < 8; i++) {
          assert.equal(texts(await askUdp(server.addresses[0]!, www))[0], address);
        }
      }
      await server.stop();
    });

    test('a reload is in use everywhere when it resolves; no query is lost meanwhile', async () => {
      const server = await startServer({ udp, dns: { workers: 2 } });
      const at = server.addresses[0]!;
      const config = serverConfig({});
      server.apply(planOf(config, (id) => id === 'sin-lb2/web'));
      const zone = config.zones[0]!;
      const fresh = record('fresh.example.com', A, Uint8Array.of(192, 0, 2, 200));
      const zones = [{ ...zone, records: [...zone.records, fresh] }, config.zones[1]!];
      const next = withZones(config, zones);
      const query = buildQuery({ name: 'fresh.example.com', type: A });
      assert.equal((await askUdp(at, query)).rcode, 3);
      let busy = true;
      const meanwhile = (async () => {
        let answered = 0;
        for (; busy; answered++) assert.ok((await askUdp(at, www)).answers.length > 0);
        return answered;
      })();
      await server.reload(next, geoOf(config));
      for (let i = 0; i < 8; i++) assert.deepEqual(texts(await askUdp(at, query)), ['192.0.2.200']);
      busy = false;
      assert.ok((await meanwhile) > 0);
      assert.deepEqual(texts((await askTcp(at, [framed(query)], 1))[0]!), ['192.0.2.200']);
      // What health said before the reload still holds.
      assert.deepEqual(texts(await askUdp(at, www)), ['127.1.3.2']);
      await server.stop();
    });

    test('reloads at once: the last one holds; one during stop() settles', async () => {
      const server = await startServer({ udp, dns: { workers: 2 } });
      const at = server.addresses[0]!;
      const config = serverConfig({});
      const [zone, other] = [config.zones[0]!, config.zones[1]!];
      const numbered = (number: number) => {
        const fresh = record('fresh.example.com', A, Uint8Array.of(192, 0, 2, number));
        return withZones(config, [{ ...zone, records: [...zone.records, fresh] }, other]);
      };
      await Promise.all([1, 2, 3, 4].map((n) => server.reload(numbered(n), geoOf(config))));
      const query = buildQuery({ name: 'fresh.example.com', type: A });
      for (let i = 0; i < 8; i++) assert.deepEqual(texts(await askUdp(at, query)), ['192.0.2.4']);
      const stopped = server.stop();
      const reloads = [5, 6].map((n) => server.reload(numbered(n), geoOf(config)));
      await Promise.allSettled([stopped, ...reloads]);
      await assert.rejects(server.reload(config, geoOf(config)), /was stopped/);
      await assert.rejects(server.start(), /was stopped/);
    });

    test('on a wildcard address the answer comes from the address that was asked', async () => {
      const listen = [{ address: '0.0.0.0', port: 0 }];
      const server = await startServer({ udp, dns: { listen } });
      const { port } = server.addresses[0]!;
      assert.equal(texts(await askUdp({ address: '127.0.0.1', port }, www)).length, 2);
      if (udp === 'batch') {
        assert.equal(texts(await askUdp({ address: '127.0.53.9', port }, www)).length, 2);
      }
      await server.stop();
    });

    test("the IPv6 wildcard takes IPv6 only, so IPv4 may be someone else's", async () => {
      const server = await startServer({ udp, dns: { listen: [{ address: '::', port: 0 }] } });
      const { port } = server.addresses[0]!;
      assert.equal((await askUdp({ address: '::1', port }, www)).answers.length, 2);
      const other = createSocket('udp4').bind(port, '127.0.53.1');
      await once(other, 'listening');
      other.close();
      await server.stop();
    });

    test('IPv6 and IPv4 side by side', async () => {
      const listen = ['127.0.53.1', '::1'].map((address) => ({ address, port: 0 }));
      const server = await startServer({ udp, dns: { listen } });
      for (const at of server.addresses) {
        assert.equal((await askUdp(at, www)).answers.length, 2);
        assert.equal((await askTcp(at, [framed(www)], 1))[0]!.answers.length, 2);
      }
      await server.stop();
    });

    test('a port that is taken, by a second isobar or by a UDP program, is one clear error', async () => {
      const server = await startServer({ udp });
      const { address, port } = server.addresses[0]!;
      await assert.rejects(startServer({ udp, dns: { listen: [{ address, port }] } }), {
        message: `TCP ${address}:${port}: in use by another program`,
      });
      await server.stop();
      const other = createSocket('udp4').bind(port, address);
      await once(other, 'listening');
      await assert.rejects(startServer({ udp, dns: { listen: [{ address, port }] } }), {
        message: `UDP ${address}:${port}: in use by another program`,
      });
      other.close();
      // Nothing was left open by the failure.
      const again = await startServer({ udp, dns: { listen: [{ address, port }] } });
      await again.stop();
    });
  });
}

/** Resolves when no more queries are taken, for the client does not read. */
async function stalled(server: DnsServer): Promise<void> {
  for (let seen = -1; seen !== server.counters().tcp_queries || seen === 0; ) {
    seen = server.counters().tcp_queries!;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('DNS over TCP', () => {
  test('1000 pipelined queries are answered in order, in one piece or octet by octet', async () => {
    const server = await startServer();
    const ids = Array.from({ length: 1000 }, (_, id) => id);
    const queries = ids.map((id) => framed(buildQuery({ id, name: 'ns1.example.com', type: A })));
    const stream = Uint8Array.from(queries.flatMap((query) => [...query]));
    const octets = Array.from(stream.subarray(0, 40 * queries[0]!.length), (octet) =>
      Uint8Array.of(octet),
    );
    for (const [pieces, count] of [
      [[stream], 1000],
      [octets, 40],
    ] as const) {
      const answers = await askTcp(server.addresses[0]!, pieces, count);
      assert.deepEqual(
        answers.map(({ id }) => id),
        ids.slice(0, count),
      );
    }
    await server.stop();
  });

  /** Sends `octets`, and FIN if asked; reads only when told to, and then until the other side ends. */
  const slowClient = (server: DnsServer, octets: Uint8Array, fin: boolean) => {
    const { address: host, port } = server.addresses[0]!;
    const socket = connect({ host, port, allowHalfOpen: true });
    socket.pause();
    if (fin) socket.end(octets);
    else socket.write(octets);
    const read = async (): Promise<number> => {
      let taken = 0;
      socket.on('data', ({ length }) => {
        taken += length;
      });
      socket.resume();
      await once(socket, 'end');
      socket.end();
      return taken;
    };
    return { socket, read };
  };
  const answerBytes = 2 + 33 + 60 * 16;

  test('a client that half-closes gets every answer, however late it reads', async () => {
    const server = await startServer();
    const burst = Buffer.concat(new Array(6000).fill(framed(big)));
    const { read } = slowClient(server, burst, true);
    await stalled(server);
    assert.equal(await read(), 6000 * answerBytes);
    await server.stop();
  });

  test('what is no query ends the connection after the answers before it', async () => {
    const server = await startServer();
    const response = buildQuery({ name: 'www.example.com', type: A, flags: 0x8000 });
    const octets = Buffer.concat([framed(big), framed(response), framed(big)]);
    assert.equal(await slowClient(server, octets, false).read(), answerBytes);
    await server.stop();
  });

  test('a connection without a whole query is closed when its time is over', async () => {
    const server = await startServer({ dns: { tcp_idle_ms: 60 } });
    const { address: host, port } = server.addresses[0]!;
    const socket = connect({ host, port });
    socket.write(framed(www).subarray(0, 9));
    await once(socket, 'close');
    await server.stop();
  });

  test('beyond tcp_clients_max the connection that was idle the longest makes room', async () => {
    const server = await startServer({ dns: { tcp_clients_max: 2 } });
    const { address: host, port } = server.addresses[0]!;
    const asked = async () => {
      const socket = connect({ host, port });
      socket.write(framed(www));
      await once(socket, 'data');
      return socket;
    };
    const [first, second] = [await asked(), await asked()];
    assert.equal(server.counters().tcp_clients, 2);
    first.write(framed(www));
    await once(first, 'data'); // so that the second is the idle one
    const closed = once(second, 'close');
    const third = await asked();
    await closed;
    assert.equal(server.counters().tcp_clients, 2);
    assert.equal(server.counters().tcp_evicted, 1);
    for (const socket of [first, third]) socket.destroy();
    await server.stop();
  });

  test('a client that never reads its answers is not fed more, and is closed', async () => {
    const server = await startServer({ dns: { tcp_idle_ms: 300 } });
    const { address: host, port } = server.addresses[0]!;
    const socket = connect({ host, port });
    socket.on('error', () => {});
    socket.pause();
    const burst = Buffer.concat(new Array(20_000).fill(framed(big)));
    socket.write(burst);
    const before = Date.now();
    while (server.counters().tcp_clients === 0) await new Promise(setImmediate);
    while (server.counters().tcp_clients! > 0) {
      assert.ok(Date.now() - before < 5000, 'still open');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // All answers together are 20 MB; the kernel's buffers take some of them, we nearly none.
    assert.ok(server.counters().tcp_queries! < 20_000);
    socket.destroy();
    await server.stop();
  });

  test('stopping finishes the answers under way and closes idle connections', async () => {
    const server = await startServer();
    const at = server.addresses[0]!;
    const idle = connect({ host: at.address, port: at.port });
    idle.on('error', () => {});
    await once(idle, 'connect');
    const { socket, read } = slowClient(server, framed(big), false);
    while (server.counters().tcp_queries === 0) await new Promise(setImmediate);
    const closed = once(idle, 'close');
    idle.resume();
    const stopped = server.stop();
    socket.write(framed(www)); // perhaps too late, and no reason to lose the answer before it
    assert.ok((await read()) >= answerBytes);
    await Promise.all([stopped, closed]);
  });
});
