/** What a running server says of itself, changed while it runs: in every thread, over UDP and TCP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DnsServer } from '../../src/dns/server.ts';
import { buildQuery, type ReadMessage } from '../support/dns-query.ts';
import { askTcp, askUdp, framed, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf } from '../support/dns-zone.ts';

const secret = (octet: number): Uint8Array => new Uint8Array(16).fill(octet);
const COOKIE = 10;
const required = { cookies: { secret_file: null, required: true } };

const queryWith = (cookie: readonly number[]): Uint8Array =>
  buildQuery({ name: 'ns1.example.com', type: 1, edns: { options: [[COOKIE, cookie]] } });
const cookieOf = ({ opt }: ReadMessage): number[] => [...opt!.rdata.subarray(4, 28)];
const ask = (server: DnsServer, cookie: readonly number[]): Promise<ReadMessage> =>
  askUdp(server.addresses[0]!, queryWith(cookie));
const client = [1, 2, 3, 4, 5, 6, 7, 8];

test('servers with one secret know each other’s cookies; without a file each has its own', async (t) => {
  const cookieSecrets = [secret(1)];
  const servers = await Promise.all([
    startServer({ dns: required, cookieSecrets }),
    startServer({ dns: required, cookieSecrets }),
    startServer({ dns: required }),
  ]);
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const [first, second, stranger] = servers;
  const cookie = cookieOf(await ask(first!, client));
  assert.equal((await ask(first!, cookie)).rcode, 0);
  assert.equal((await ask(second!, cookie)).rcode, 0);
  assert.equal((await ask(stranger!, cookie)).rcode, 23);
});

test('a rollover reaches every thread, and loses no cookie (RFC 9018 §5)', async (t) => {
  const server = await startServer({
    dns: { ...required, workers: 2 },
    cookieSecrets: [secret(1)],
  });
  t.after(() => server.stop());
  const old = cookieOf(await ask(server, client));
  await server.useCookieSecrets([secret(2), secret(1)]);
  for (let i = 0; i < 8; i++) {
    const answer = await ask(server, old);
    assert.equal(answer.rcode, 0);
    assert.notDeepEqual(cookieOf(answer), old);
  }
  const renewed = cookieOf(await ask(server, old));
  const [overTcp] = await askTcp(server.addresses[0]!, [framed(queryWith(client))], 1);
  await server.useCookieSecrets([secret(2)]);
  for (let i = 0; i < 8; i++) assert.equal((await ask(server, renewed)).rcode, 0);
  assert.equal((await ask(server, cookieOf(overTcp!))).rcode, 0);
  assert.equal((await ask(server, old)).rcode, 23);
  // A reload of the configuration keeps the secrets.
  const config = serverConfig({ dns: required });
  await server.reload(config, geoOf(config));
  assert.equal((await ask(server, renewed)).rcode, 0);
});

test('a reload changes what is told and how much is answered', async (t) => {
  const server = await startServer({ dns: { identity: 'old' } });
  t.after(() => server.stop());
  const query = buildQuery({ name: 'id.server', type: 16, class: 3 });
  const told = async (): Promise<string> => {
    const { answers } = await askUdp(server.addresses[0]!, query);
    return answers.map(({ rdata }) => Buffer.from(rdata.subarray(1)).toString()).join();
  };
  assert.equal(await told(), 'old');
  const rate_limit = { responses_per_s: 1, slip: 1, prefix4: 24, prefix6: 56 };
  const config = serverConfig({ dns: { identity: 'new', rate_limit } });
  await server.reload(config, geoOf(config));
  assert.equal(await told(), 'new');
  for (let i = 0; i < 20; i++) await askUdp(server.addresses[0]!, query);
  const { rate_limited, slipped } = server.counters();
  assert.ok(slipped! > 0 && slipped === rate_limited);
  const [complete] = await askTcp(server.addresses[0]!, [framed(query)], 1);
  assert.equal(complete!.answers.length, 1);
});
