/**
 * Zonemaster, which registries run before they delegate a zone, on a zone with two name servers that
 * are two sites of one deployment. It sees an Internet of its own: a network namespace in which Knot
 * is the root, the top-level domain and the database of autonomous systems. So every test case of its
 * default profile runs. The addresses are ones that Zonemaster takes for public; nothing has a way
 * out of the namespace.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Namespace, withNetLab } from '../../lab/netns.ts';
import { until } from '../../lab/wait.ts';
import { parseAddress } from '../../src/net/ip.ts';
import { writeKnotConfig } from '../support/dns-peers.ts';
import { need } from '../support/need.ts';

const cli = join(dirname(fileURLToPath(import.meta.url)), ...['..', '..', 'src', 'cli', 'main.js']);

const ROOT = ['4.53.0.1', '2600:53::1'] as const;
const SITES = [
  { name: 'fra', address4: '5.53.0.1', address6: '2a00:53::1', as: 64501 },
  { name: 'iad', address4: '23.53.0.1', address6: '2600:a53::1', as: 64502 },
] as const;

/** The labels of an address below in-addr.arpa and ip6.arpa (RFC 1035 §3.5, RFC 3596 §2.5). */
const reverse4 = (address: string): string => address.split('.').reverse().join('.');
function reverse6(address: string): string {
  const nibbles = Buffer.from(parseAddress(address)!).toString('hex');
  return [...nibbles].reverse().join('.');
}

const soa = 'SOA a.root-servers.net. hostmaster.root-servers.net. 1 14400 3600 1209600 3600';
const glue = SITES.flatMap(({ name, address4, address6 }) => [
  `${name}.isobar.test. A ${address4}`,
  `${name}.isobar.test. AAAA ${address6}`,
]);

const HINTS = `. 3600000 NS a.root-servers.net.
a.root-servers.net. 3600000 A ${ROOT[0]}
a.root-servers.net. 3600000 AAAA ${ROOT[1]}
`;

const ABOVE: Readonly<Record<string, string>> = {
  '': `$TTL 3600
. ${soa}
. NS a.root-servers.net.
a.root-servers.net. A ${ROOT[0]}
a.root-servers.net. AAAA ${ROOT[1]}
test. NS a.root-servers.net.
asnlookup.zonemaster.net. NS a.root-servers.net.
in-addr.arpa. NS a.root-servers.net.
ip6.arpa. NS a.root-servers.net.
`,
  'in-addr.arpa': `$TTL 3600
@ ${soa}
@ NS a.root-servers.net.
${SITES.map(({ name, address4 }) => `${reverse4(address4)} PTR ${name}.isobar.test.`).join('\n')}
`,
  'ip6.arpa': `$TTL 3600
@ ${soa}
@ NS a.root-servers.net.
${SITES.map(({ name, address6 }) => `${reverse6(address6)} PTR ${name}.isobar.test.`).join('\n')}
`,
  test: `$TTL 3600
test. ${soa}
test. NS a.root-servers.net.
isobar.test. NS fra.isobar.test.
isobar.test. NS iad.isobar.test.
${glue.join('\n')}
`,
  'asnlookup.zonemaster.net': `$TTL 3600
@ ${soa}
@ NS a.root-servers.net.
*.5.origin TXT "64501 | 5.53.0.0/16 | DE | ripencc | 2012-01-01"
*.23.origin TXT "64502 | 23.53.0.0/16 | US | arin | 2012-01-01"
*.0.0.a.2.origin6 TXT "64501 | 2a00:53::/32 | DE | ripencc | 2012-01-01"
*.0.0.6.2.origin6 TXT "64502 | 2600:a53::/32 | US | arin | 2012-01-01"
`,
};

const ZONE = `$TTL 1h
@ SOA fra hostmaster 2026112001 14400 3600 1209600 3600
@ NS fra
@ NS iad
@ MX 10 mail
mail A 5.53.0.25
${glue.join('\n')}
`;

const DEPLOYMENT = `deployment: zonemaster
checks:
  web: {kind: tcp, port: 53}
`;
const SERVICES = `zone: isobar.test
services:
  - {name: www, check: web, pool: all}
`;

function siteFile({ name, address4, address6 }: (typeof SITES)[number], index: number): string {
  return `site: ${name}
dns:
  listen: ["${address4}:53", "[${address6}]:53"]
api:
  listen: 127.0.0.1:${8301 + index}
load_balancers:
  - {name: ${name}-lb1, address: ${address4}, address6: "${address6}"}
`;
}

/** Findings that show that the tests of the servers did run, over IPv4 and IPv6. */
const PROOF = [
  'ARE_AUTHORITATIVE',
  'CASE_QUERIES_RESULTS_OK',
  'EDNS0_SUPPORT',
  'ENOUGH_IPV6_NS_DEL',
  'IPV6_DIFFERENT_ASN',
  'NO_RECURSOR',
  'NO_UPWARD_REFERRAL',
  'QNAME_CASE_SENSITIVE',
  'SAME_SOURCE_IP',
];

interface Finding {
  readonly level: string;
  readonly tag: string;
}

/** Everything that the process prints, once it has ended. */
async function outputOf(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  assert.equal(code, 0, text);
  return text;
}

async function startAbove(space: Namespace, dir: string): Promise<void> {
  await mkdir(join(dir, 'zones'));
  for (const [origin, text] of Object.entries(ABOVE)) {
    await writeFile(join(dir, 'zones', `${origin}.zone`), text);
  }
  const listen = ROOT.map((address) => ({ address, port: 53 }));
  space.spawn('knotd', '-c', writeKnotConfig(dir, Object.keys(ABOVE), listen));
}

async function startSites(space: Namespace, dir: string): Promise<void> {
  const deployment = join(dir, 'deployment');
  await mkdir(join(deployment, 'sites'), { recursive: true });
  await mkdir(join(deployment, 'zones'));
  const write = (file: string, text: string): Promise<void> =>
    writeFile(join(deployment, file), text);
  await write('deployment.yaml', DEPLOYMENT);
  await write('zones/isobar.test.zone', ZONE);
  await write('zones/isobar.test.yaml', SERVICES);
  for (const [index, site] of SITES.entries()) {
    await write(`sites/${site.name}.yaml`, siteFile(site, index));
  }
  for (const { name } of SITES) {
    space.spawn(process.execPath, cli, 'run', '--config', deployment, '--site', name);
  }
}

/** The root, what is below it, and both sites; resolves when every address answers. */
async function startWorld(space: Namespace, dir: string): Promise<void> {
  const all = [...ROOT, ...SITES.flatMap(({ address4, address6 }) => [address4, address6])];
  for (const address of all) {
    const [length, how] = address.includes(':') ? [128, ' nodad'] : [32, ''];
    await space.ip(`address add ${address}/${length} dev lo${how}`);
  }
  await startAbove(space, dir);
  await startSites(space, dir);
  for (const address of all) {
    const ask = [`@${address}`, '+timeout=1', '+retry=0', '+short', 'isobar.test', 'NS'];
    const answers = (): Promise<boolean> =>
      space.exec('kdig', ...ask).then(
        () => true,
        () => false,
      );
    await until(`${address} to answer`, 20_000, answers);
  }
}

const programs = ['ip', 'setpriv', 'knotd', 'kdig', 'zonemaster-cli'];

describe('Zonemaster', { skip: need('root', ...programs) }, () => {
  test('finds nothing wrong in a zone that is delegated to two sites', async () => {
    await withNetLab('zm', async (lab) => {
      const space = await lab.namespace('a');
      await startWorld(space, lab.dir);
      const hints = join(lab.dir, 'hints');
      await writeFile(hints, HINTS);
      const words = ['--hints', hints, '--level', 'INFO', '--json', '--no-progress'];
      const said = await outputOf(space.spawn('zonemaster-cli', ...words, 'isobar.test'));
      const findings = JSON.parse(said) as Finding[];
      const worse = ['WARNING', 'ERROR', 'CRITICAL'];
      assert.deepEqual(
        findings.filter(({ level }) => worse.includes(level)),
        [],
      );
      const tags = findings.map(({ tag }) => tag);
      for (const tag of PROOF) assert.ok(tags.includes(tag), `no ${tag} among ${tags.join(' ')}`);
    });
  });
});
