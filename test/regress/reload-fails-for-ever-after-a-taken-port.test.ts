/**
 * A reload named an address whose UDP port another program had. Of the two workers for it only the
 * first to fail was given up; the other stayed as one that never answers, so every later reload was
 * rejected with its error, even one without that address, and the address was never tried again.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { buildQuery } from '../support/dns-query.ts';
import { askUdp, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf } from '../support/dns-zone.ts';

test('an address that cannot be had spoils no later reload, and is had once it is free', async (t) => {
  const workers = 2;
  const server = await startServer({ dns: { workers } });
  t.after(() => server.stop());
  const other = createSocket('udp4').bind(0, '127.0.53.71');
  await once(other, 'listening');
  other.unref(); // so that a failure ends
  const own = server.addresses[0]!;
  const taken = { address: '127.0.53.71', port: other.address().port };
  const reload = (...listen: { address: string; port: number }[]): Promise<unknown> => {
    const config = serverConfig({ dns: { workers, listen } });
    return server.reload(config, geoOf(config));
  };
  await reload(own, taken);
  await reload(own, taken);
  await reload(own);
  other.close();
  await once(other, 'close');
  await reload(own, taken);
  const query = buildQuery({ name: 'ns1.example.com', type: 1 });
  for (const address of [own, taken]) assert.equal((await askUdp(address, query)).rcode, 0);
});
