/**
 * A merge lost the call that reads the clock before each batch of UDP queries. Cookies went on being
 * made as of the start and were all too old an hour later; who was once rate limited stayed so.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DnsServer } from '../../src/dns/server.ts';
import { usableEngine } from '../../src/dns/udp-pool.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { buildQuery, type ReadMessage } from '../support/dns-query.ts';
import { askUdp, startServer } from '../support/dns-server.ts';
import { eventually } from '../support/eventually.ts';

const name = 'ns1.example.com';
const options = [[10, [1, 2, 3, 4, 5, 6, 7, 8]] as const];
const plain = buildQuery({ name, type: 1 });
const withCookie = buildQuery({ name, type: 1, edns: { options } });

/** When the server cookie was made (RFC 9018 §4.3), in seconds since 1970. */
function madeAt_s({ opt }: ReadMessage): number {
  const { buffer, byteOffset } = opt!.rdata;
  return new DataView(buffer, byteOffset).getUint32(4 + 8 + 4);
}

const engines: UdpEngine[] = ['batch', 'dgram'];
for (const udp of engines.filter((engine) => usableEngine(engine) === engine)) {
  describe(`a server on ${udp} that runs for a while`, () => {
    let server: DnsServer;
    const ask = (query: Uint8Array): Promise<ReadMessage> => askUdp(server.addresses[0]!, query);
    before(async () => {
      const rate_limit = { responses_per_s: 1, slip: 1, prefix4: 24, prefix6: 56 };
      server = await startServer({ udp, dns: { rate_limit } });
    });
    after(() => server.stop());

    test('makes cookies of the second in which it is asked', async () => {
      const first_s = madeAt_s(await ask(withCookie));
      await eventually('a cookie of two seconds later', async () => {
        return madeAt_s(await ask(withCookie)) >= first_s + 2;
      });
      const off_s = Math.abs(Date.now() / 1000 - madeAt_s(await ask(withCookie)));
      assert.ok(off_s < 60, `${off_s} s off`);
    });

    test('gives a client that it limited its answers again', async () => {
      await eventually('a client is limited', async () => (await ask(plain)).tc);
      await eventually('it is answered again', async () => !(await ask(plain)).tc);
    });
  });
}
