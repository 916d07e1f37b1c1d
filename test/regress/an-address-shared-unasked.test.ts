/**
 * An address that another process had was refused to a reload, and then shared with that process as
 * soon as keys or cookie secrets changed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildQuery } from '../support/dns-query.ts';
import { askTcp, framed, serverConfig, startServer } from '../support/dns-server.ts';
import { geoOf } from '../support/dns-zone.ts';

test('an address in use by another server is not taken beside it when cookies roll over', async () => {
  const own = [{ address: '127.0.53.51', port: 0 }];
  const other = await startServer({ dns: { listen: [{ address: '127.0.53.52', port: 0 }] } });
  const [taken] = other.addresses;
  const server = await startServer({ dns: { listen: own } });
  const config = serverConfig({ dns: { listen: [...own, taken!] } });
  await server.reload(config, geoOf(config));
  await server.useCookieSecrets([new Uint8Array(16).fill(7)]);
  await other.stop();
  const query = framed(buildQuery({ name: 'ns1.example.com', type: 1 }));
  await assert.rejects(askTcp(taken!, [query], 1), /ECONNREFUSED/);
  await server.stop();
});
