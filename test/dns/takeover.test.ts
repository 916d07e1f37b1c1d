/** A new process takes over from the old one at the same addresses, and no query is lost. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import type { DnsServer } from '../../src/dns/server.ts';
import { usableEngine } from '../../src/dns/udp-pool.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { buildQuery } from '../support/dns-query.ts';
import { askTcp, framed, startServer } from '../support/dns-server.ts';

const ROUNDS = 3;
const CLIENTS = 8;
/** Queries of each client a burst: together some ten thousand a second, on all workers. */
const BURST = 16;
const WAITING_MAX = 32;
const query = (id: number) => buildQuery({ id, name: 'ns1.example.com', type: 1 });

/** Sends until told to stop; resolves with what was sent and how much of it was never answered. */
function floodUdp({ address, port }: HostPort): () => Promise<{ sent: number; lost: number }> {
  let running = true;
  const clients = Array.from({ length: CLIENTS }, async () => {
    const socket = createSocket('udp4');
    socket.connect(port, address);
    await once(socket, 'connect');
    const waiting = new Set<number>();
    socket.on('message', (answer) => waiting.delete(answer.readUInt16BE()));
    let sent = 0;
    while (running) {
      // Never more unanswered than the smallest socket buffers hold, or the client itself loses some.
      for (let i = 0; i < BURST && waiting.size < WAITING_MAX; i++) {
        const id = sent++ & 0xffff;
        waiting.add(id);
        socket.send(query(id));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let tries = 0; waiting.size > 0 && tries < 300; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    socket.close();
    return { sent, lost: waiting.size };
  });
  return async () => {
    running = false;
    const all = await Promise.all(clients);
    const sum = (key: 'sent' | 'lost') => all.reduce((total, one) => total + one[key], 0);
    return { sent: sum('sent'), lost: sum('lost') };
  };
}

/** The same with a connection for each query. */
function floodTcp({ address, port }: HostPort): () => Promise<{ sent: number; lost: number }> {
  let running = true;
  const counts = { sent: 0, lost: 0 };
  const clients = Array.from({ length: 4 }, async () => {
    while (running) {
      const socket = connect({ host: address, port });
      let answered = false;
      socket.on('error', () => {});
      socket.on('connect', () => socket.write(framed(query(counts.sent++))));
      socket.on('data', () => {
        answered = true;
        socket.end();
      });
      await once(socket, 'close');
      if (!answered) counts.lost++;
    }
  });
  return async () => {
    running = false;
    await Promise.all(clients);
    return counts;
  };
}

describe('taking over from a running server', {
  skip: usableEngine('batch') === 'batch' ? false : 'needs koffi on 64-bit Linux',
}, () => {
  const shared = (listen: HostPort[], takeOver: boolean): Promise<DnsServer> =>
    startServer({ takeOver, dns: { listen, workers: 2 } });

  for (const address of ['127.0.53.51', '0.0.0.0']) {
    test(`under load, again and again, on ${address}: nothing is lost`, async () => {
      let server = await shared([{ address, port: 0 }], false);
      const listen = [...server.addresses];
      const at = { address: '127.0.53.51', port: listen[0]!.port };
      const floods = [floodUdp(at), floodTcp(at)];
      for (let round = 0; round < ROUNDS; round++) {
        const successor = await shared(listen, true);
        await new Promise((resolve) => setTimeout(resolve, 50));
        await server.stop();
        server = successor;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      for (const flood of floods) {
        const { sent, lost } = await flood();
        assert.ok(sent > 50, `${sent} sent`);
        assert.equal(lost, 0);
      }
      assert.ok(server.counters().queries! > 0);
      await server.stop();
    });
  }

  test('unasked, a second server fails, also beside one that has taken over', async () => {
    const first = await shared([{ address: '127.0.53.52', port: 0 }], false);
    const listen = [...first.addresses];
    const message = `TCP 127.0.53.52:${listen[0]!.port}: in use by another program`;
    await assert.rejects(shared(listen, false), { message });
    const second = await shared(listen, true);
    await assert.rejects(shared(listen, false), { message });
    await first.stop();
    await assert.rejects(shared(listen, false), { message });
    assert.equal((await askTcp(listen[0]!, [framed(query(1))], 1)).length, 1);
    await second.stop();
    const third = await shared(listen, false);
    await third.stop();
  });

  test('a program that does not share its port is not taken over from', async () => {
    const other = createSocket('udp4').bind(0, '127.0.53.53');
    await once(other, 'listening');
    const { port } = other.address();
    await assert.rejects(shared([{ address: '127.0.53.53', port }], true), {
      message: `UDP 127.0.53.53:${port}: in use by another program`,
    });
    other.close();
  });
});
