/** A reload swaps all zones and services at once: no answer holds records of both before and after. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { wireName } from '../../src/dns/wire/name.ts';
import { record, type TestConfig, withZones } from '../support/config.ts';
import { buildQuery, type ReadMessage } from '../support/dns-query.ts';
import { askTcp, askUdp, framed, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf } from '../support/dns-zone.ts';

const RELOADS = 12;
const PIPELINED = 40;
/** What the TTL of the alias has more than that of the service behind it, in every version. */
const ALIAS_MORE_S = 1000;

const ALIAS = buildQuery({ name: 'aside.example.com', type: TYPE.A });
const ACROSS = buildQuery({ name: 'across.example.com', type: TYPE.TXT });

/** Its alias of a service has a TTL by the service's; its alias across zones has a target of its own. */
function version(number: number): TestConfig {
  const base = serverConfig({ dns: { workers: 2 } });
  const [zone, sub] = [base.zones[0]!, base.zones[1]!];
  const target = wireName(`v${number}.sub.example.com`);
  const records = [
    ...zone.records,
    record('aside.example.com', TYPE.CNAME, wireName('www.example.com'), ALIAS_MORE_S + number),
    record('across.example.com', TYPE.CNAME, target),
  ];
  const text = record(`v${number}.sub.example.com`, TYPE.TXT, Uint8Array.of(1, 48 + number));
  const services = base.services.map((one) => ({ ...one, ttl_s: number }));
  const zones = [
    { ...zone, records },
    { ...sub, records: [...sub.records, text] },
  ];
  return withZones({ ...base, services }, zones);
}

function checkAlias({ answers }: ReadMessage): void {
  const [first, ...addresses] = answers.map(({ ttl }) => ttl);
  for (const ttl of addresses) assert.equal(first, ALIAS_MORE_S + ttl);
  assert.equal(addresses.length, 2);
}

function checkAcross({ rcode, answers }: ReadMessage): void {
  assert.deepEqual([rcode, answers.map(({ type }) => type)], [0, [TYPE.CNAME, TYPE.TXT]]);
}

test('while zones and services change together, every answer is of one version', async (t) => {
  const server = await startServer({ config: version(1), dns: { workers: 2 } });
  t.after(() => server.stop());
  const at = server.addresses[0]!;
  let running = true;
  const udp = async (): Promise<number> => {
    let asked = 0;
    for (; running; asked++) {
      const answers = [ALIAS, ACROSS].map((query) => askUdp(at, query));
      checkAlias(await answers[0]!);
      checkAcross(await answers[1]!);
    }
    return asked;
  };
  const tcp = async (): Promise<number> => {
    const pairs = Array.from({ length: PIPELINED }, () => [framed(ALIAS), framed(ACROSS)]).flat();
    let asked = 0;
    for (; running; asked++) {
      const answers = await askTcp(at, [Buffer.concat(pairs)], pairs.length);
      answers.forEach((answer, i) => void (i % 2 === 0 ? checkAlias : checkAcross)(answer));
    }
    return asked;
  };
  const clients = [udp(), udp(), udp(), tcp()];
  for (let number = 2; number <= RELOADS; number++) {
    const next = version(number);
    await server.reload(next, geoOf(next));
    const [newest] = (await askUdp(at, ALIAS)).answers;
    assert.equal(newest!.ttl, ALIAS_MORE_S + number);
  }
  running = false;
  for (const asked of await Promise.all(clients)) assert.ok(asked > 0);
});
