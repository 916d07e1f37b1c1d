/** Probes of all kinds at once, of servers of all kinds, many stopped half-way: nothing is left of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { after, test } from 'node:test';
import { createServer as createTls } from 'node:tls';
import { SystemClock } from '../../src/base/clock.ts';
import { prng } from '../../src/base/prng.ts';
import type { ProbeTarget } from '../../src/model/check.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../support/certificate.ts';
import { eventually } from '../support/eventually.ts';
import { ProbeServers, run, TLS_TERMS, targetOf } from '../support/probe.ts';

const PROBES = 600;
const servers = new ProbeServers();
after(() => servers.end());

/** Sockets to one of the ports that a process still has open (proc_pid_net(5)). */
function openTo(ports: readonly number[]): string[] {
  const lines = ['tcp', 'udp'].flatMap((file) =>
    readFileSync(`/proc/self/net/${file}`, 'utf8').trim().split('\n').slice(1),
  );
  return lines.filter((line) => {
    const [, , remote, , , , , , , inode] = line.trim().split(/ +/);
    return inode !== '0' && ports.includes(Number.parseInt(remote!.split(':')[1]!, 16));
  });
}

test('a storm of probes leaves no socket behind', async () => {
  const tls = { key: TEST_KEY, cert: TEST_CERTIFICATE };
  const ports = [
    await servers.closedPort(),
    await servers.tcp(() => {}), // silent
    await servers.tcp((socket) => socket.resetAndDestroy()),
    await servers.tcp((socket) => socket.end('nonsense\0\r\n\r\n')),
    await servers.listen(createHttp((_, response) => response.end('ok'))),
    await servers.listen(createTls(tls)),
    await servers.listen(createHttp2()),
  ];
  const expect = { contains: 'ok', matches: null };
  const kinds: ((port: number) => ProbeTarget)[] = [
    (port) => targetOf('http', port, { body: expect, timeout_ms: 300 }),
    (port) => targetOf('https', port, { timeout_ms: 300 }),
    (port) => targetOf('tcp', port, { expect, send: '00', timeout_ms: 300 }),
    (port) => targetOf('tls', port, { timeout_ms: 300 }),
    (port) => targetOf('dns', port, { timeout_ms: 300 }),
    (port) => targetOf('dns', port, { transport: 'tcp', timeout_ms: 300 }),
    (port) => targetOf('icmp', port, { timeout_ms: 300 }),
    (port) => targetOf('grpc', port, { timeout_ms: 300 }),
    (port) => targetOf('grpc', port, { tls: TLS_TERMS, timeout_ms: 300 }),
  ];
  const random = prng(7);
  const all = Array.from({ length: PROBES }, async (_, i) => {
    const target = kinds[i % kinds.length]!(ports[random.int(ports.length)]!);
    const stop = new AbortController();
    const result = run(target, new SystemClock(), stop.signal);
    if (random.int(3) === 0) {
      for (let turns = random.int(20); turns > 0; turns--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      stop.abort();
    }
    return result;
  });
  for (const { detail } of await Promise.all(all)) {
    assert.ok(detail !== '' && !detail.includes('\n'), detail);
  }
  await eventually('all is closed', () => openTo(ports).length === 0);
});
