/** A query whose forged source port is 0, which only a raw socket can send. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { usableEngine } from '../../src/dns/udp-pool.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { type HostPort, parseAddress } from '../../src/net/ip.ts';
import { buildQuery } from '../support/dns-query.ts';
import { askUdp, startServer } from '../support/dns-server.ts';
import { need } from '../support/need.ts';

const [AF_INET, SOCK_RAW, IPPROTO_UDP] = [2, 3, 17];

function sendFromPortZero({ address, port }: HostPort, query: Uint8Array): void {
  const koffi = createRequire(import.meta.url)('koffi');
  const libc = koffi.load(null);
  const length = 8 + query.length;
  const udp = [0, 0, port >> 8, port & 255, length >> 8, length & 255, 0, 0];
  const packet = Uint8Array.from([...udp, ...query]);
  const to = Uint8Array.from([
    AF_INET,
    0,
    0,
    0,
    ...parseAddress(address)!,
    ...new Array(8).fill(0),
  ]);
  const fd = libc.func('int socket(int, int, int)')(AF_INET, SOCK_RAW, IPPROTO_UDP);
  const sendto = libc.func('long sendto(int, void *, unsigned long, int, void *, uint32_t)');
  const sent = Number(sendto(fd, packet, packet.length, 0, to, to.length));
  libc.func('int close(int)')(fd);
  assert.equal(sent, packet.length);
}

const skip = need('root') || (usableEngine('batch') === 'batch' ? false : 'needs koffi');
describe('a query from port 0', { skip }, () => {
  for (const udp of ['batch', 'dgram'] as UdpEngine[]) {
    test(`is counted as unsent and does no harm, UDP by ${udp}`, async (t) => {
      const server = await startServer({ udp });
      t.after(() => server.stop());
      const at = server.addresses[0]!;
      const query = buildQuery({ name: 'ns1.example.com', type: 1 });
      sendFromPortZero(at, query);
      assert.equal((await askUdp(at, query)).answers.length, 1);
      assert.equal((await askUdp(at, query)).answers.length, 1);
      const { queries, unsent } = server.counters();
      assert.deepEqual({ queries, unsent }, { queries: 3, unsent: 1 });
    });
  }
});
