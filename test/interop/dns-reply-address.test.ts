/**
 * A server on the wildcard addresses, with anycast addresses on its loopback device: each answer
 * leaves from the address that was asked, which is not the one that the kernel would choose. dig
 * takes an answer from another address for none.
 */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Namespace, type NetLab, withNetLab } from '../../lab/netns.ts';
import { until } from '../../lab/wait.ts';
import { usableEngine } from '../../src/dns/udp-pool.ts';
import { need } from '../support/need.ts';

const cli = join(dirname(fileURLToPath(import.meta.url)), '../../src/cli/main.js');

/** Of the cable to the client, and of the loopback device: two of each family. */
const CABLE = ['10.53.0.1/24', 'fd53::1/64'];
const ANYCAST = ['192.0.2.53/32', '192.0.2.54/32', '2001:db8::53/128', '2001:db8::54/128'];
const FILES: Readonly<Record<string, string>> = {
  'deployment.yaml': 'deployment: anycast\n',
  'sites/fra.yaml': `site: fra
dns:
  listen: ["0.0.0.0:53", "[::]:53"]
  workers: 2
api:
  listen: 127.0.0.1:8301
`,
  'zones/example.com.zone': `$TTL 300
@ SOA ns hostmaster 1 7200 900 1209600 60
@ NS ns
ns A 192.0.2.53
big TXT ${Array.from({ length: 8 }, () => `"${'x'.repeat(255)}"`).join(' ')}
`,
};

const withoutLength = (prefix: string): string => prefix.split('/')[0]!;

async function addAddresses(space: Namespace, device: string, all: string[]): Promise<void> {
  for (const address of all) {
    const how = address.includes(':') ? ' nodad' : '';
    await space.ip(`address add ${address} dev ${device}${how}`);
  }
}

async function startDaemon(lab: NetLab, space: Namespace): Promise<void> {
  for (const [file, text] of Object.entries(FILES)) {
    await mkdir(join(lab.dir, dirname(file)), { recursive: true });
    await writeFile(join(lab.dir, file), text);
  }
  space.spawn(process.execPath, cli, 'run', '--config', lab.dir, '--site', 'fra');
}

const skip =
  need('root', 'ip', 'setpriv', 'dig') ||
  (usableEngine('batch') === 'batch' ? false : 'needs koffi');
describe('on the wildcard addresses', { skip }, () => {
  test('each answer leaves from the address that was asked', async () => {
    await withNetLab('reply', async (lab) => {
      const server = await lab.namespace('s');
      const client = await lab.namespace('c');
      await lab.link(server, 'eth0', client, 'eth0');
      await addAddresses(server, 'eth0', CABLE);
      await addAddresses(server, 'lo', ANYCAST);
      await addAddresses(client, 'eth0', ['10.53.0.2/24', 'fd53::2/64']);
      await client.ip('route add 192.0.2.0/24 via 10.53.0.1');
      await client.ip('-6 route add 2001:db8::/32 via fd53::1');
      await startDaemon(lab, server);
      const dig = (address: string, ...more: string[]): Promise<string> =>
        client.exec('dig', `@${address}`, '+short', '+time=1', '+tries=1', ...more);
      const first = withoutLength(CABLE[0]!);
      await until('the server to answer', 20_000, () =>
        dig(first, 'ns.example.com').then(
          () => true,
          () => false,
        ),
      );
      for (const address of [...CABLE, ...ANYCAST].map(withoutLength)) {
        // Several, so that both workers answer some.
        for (let i = 0; i < 4; i++) {
          assert.equal(await dig(address, 'ns.example.com'), '192.0.2.53\n', address);
        }
        assert.equal(await dig(address, 'ns.example.com', '+tcp'), '192.0.2.53\n', address);
        // Truncated first, then over TCP.
        assert.match(await dig(address, 'big.example.com', 'TXT'), /^"x{255}"/, address);
      }
    });
  });
});
