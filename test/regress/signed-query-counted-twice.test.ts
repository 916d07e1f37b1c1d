/**
 * Over UDP a query signed with TSIG was answered twice inside, with its signature and without: it
 * counted twice and was charged twice to its client's rate, and where only the second was beyond the
 * limit, an answer without signature was sent.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildQuery } from '../support/dns-query.ts';
import { askUdp, startServer } from '../support/dns-server.ts';
import { SECRETS } from '../support/transfer.ts';
import { signRequest } from '../support/tsig.ts';

const TSIG = 250;

test('a signed query counts once, in all that is counted, and its answer is signed', async (t) => {
  const rate_limit = { responses_per_s: 3, slip: 0, prefix4: 24, prefix6: 56 };
  const server = await startServer({ tsigKeys: SECRETS, dns: { rate_limit } });
  t.after(() => server.stop());
  const query = buildQuery({ name: 'ns1.example.com', type: 1 });
  for (let asked = 1; asked <= 3; asked++) {
    const { packet } = signRequest(query, SECRETS[0]!, Math.floor(Date.now() / 1000));
    const { additional } = await askUdp(server.addresses[0]!, packet);
    assert.equal(additional.at(-1)?.type, TSIG);
    const { queries, noerror, rate_limited } = server.counters();
    const expected = { queries: asked, noerror: asked, rate_limited: 0 };
    assert.deepEqual({ queries, noerror, rate_limited }, expected);
  }
});
