/**
 * A demo client that asked once more while the demo was stopping opened a new socket in the closed
 * DNS client, and the process never ended.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { DnsClient } from '../../src/cli/demo/dns-client.ts';

test('a lookup after close fails at once and opens nothing', async () => {
  const client = new DnsClient(new SystemClock());
  client.close();
  const server = { address: '127.0.0.1', port: 9 };
  const lookup = await client.lookup(server, 'www.example.com', '192.0.2.0/24');
  assert.equal(lookup.error, 'closed');
  assert.ok(!process.getActiveResourcesInfo().includes('UDPWRAP'));
});
