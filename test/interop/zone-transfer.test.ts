/** Zone transfers as dig and kdig see them, and as Knot, NSD and BIND follow them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { DnsServer } from '../../src/dns/server.ts';
import type { TsigSecret } from '../../src/dns/transfer/signing.ts';
import type { UdpEngine } from '../../src/dns/udp-shared.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import type { TsigKey } from '../../src/model/config.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { record, type TestConfig, withZones } from '../support/config.ts';
import { buildQuery } from '../support/dns-query.ts';
import { askUdp, startServer } from '../support/dns-server.ts';
import { planOf, zoneConfig } from '../support/dns-zone.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';
import { digLines, freePort, SECONDARIES, Secondary } from '../support/secondary.ts';
import { transferConfig } from '../support/transfer.ts';

const run = promisify(execFile);
const HOST = '127.0.61.1';
/** BIND listens on addresses of interfaces only, and of loopback that is this one. */
const SECONDARY = '127.0.0.1';

const secret = (name: string, algorithm: TsigKey['algorithm']): TsigSecret => ({
  name,
  algorithm,
  secret: Buffer.alloc(64, name),
});
const KEYS = [
  secret('k256.key', 'hmac-sha256'),
  secret('k384.key', 'hmac-sha384'),
  secret('k512.key', 'hmac-sha512'),
];
const KEY = KEYS[0]!;

/** By itself a secondary would look after the zone's refresh time, which is two hours. */
const PATIENCE_MS = 20_000;

/** So many that the transfer takes several messages. */
const HOSTS = 2000;

async function serialAt(server: HostPort): Promise<number> {
  const { answers } = await askUdp(server, buildQuery({ name: 'example.com', type: TYPE.SOA }));
  return Number(answers[0]!.text.split(' ')[2]);
}

function bigConfig(notify: { address: string; port: number } | null): TestConfig {
  const base = zoneConfig();
  const hosts = Array.from({ length: HOSTS }, (_, i) =>
    record(`host${i}.example.com`, TYPE.A, Uint8Array.of(198, 18, i >> 8, i & 255)),
  );
  const others = [
    record('occluded.down.example.com', TYPE.TXT, Uint8Array.of(1, 97)),
    record('below.moved.down.example.com', TYPE.A, Uint8Array.of(192, 0, 2, 1)),
    record('with\\.dot.example.com', TYPE.A, Uint8Array.of(192, 0, 2, 2)),
    record('\\000\\032\\255.example.com', TYPE.A, Uint8Array.of(192, 0, 2, 3)),
    record('unknown.example.com', 65280, Uint8Array.of(1, 2, 3)),
  ];
  const records = [...base.zones[0]!.records, ...hosts, ...others];
  const zone = { ...base.zones[0]!, records };
  const services = [...base.services, { ...base.services[0]!, name: 'example.com' }];
  const allow = KEYS.map(({ name }) => ({ prefix: '127.0.0.0/8', key: name }));
  const told = notify ? [{ address: notify, key: KEY.name }] : [];
  return transferConfig(
    { allow, notify: told },
    withZones({ ...base, services }, [zone, base.zones[1]!]),
  );
}

/** What `tool`, dig or kdig, prints. */
async function ask(
  { address, port }: HostPort,
  tool: string,
  key: TsigSecret | null,
  ...args: string[]
): Promise<string> {
  const text = key && Buffer.from(key.secret).toString('base64');
  const sign = key ? ['-y', `${key.algorithm}:${key.name}:${text}`] : [];
  const { stdout, stderr } = await run(tool, [
    `@${address}`,
    '-p',
    String(port),
    ...sign,
    ...args,
  ]).catch((error: { stdout: string; stderr: string }) => error);
  return stdout + stderr;
}

const open = (config: TestConfig, udp: UdpEngine = 'batch'): Promise<DnsServer> =>
  startServer({ config, tsigKeys: KEYS, udp, dns: { listen: [{ address: HOST, port: 0 }] } });

for (const udp of ['batch', 'dgram'] as UdpEngine[]) {
  describe(`a zone as dig and kdig copy it, UDP by ${udp}`, { skip: need('dig', 'kdig') }, () => {
    let server: DnsServer;
    before(async () => {
      server = await open(bigConfig(null), udp);
    });
    after(async () => server.stop());
    const at = (): HostPort => server.addresses[0]!;

    for (const key of KEYS) {
      test(`whole, and its signatures are right: ${key.algorithm}`, async () => {
        const [dig, kdig] = await Promise.all([
          ask(at(), 'dig', key, '+onesoa', 'example.com', 'AXFR'),
          ask(at(), 'kdig', key, 'example.com', 'AXFR'),
        ]);
        assert.doesNotMatch(dig, /WARNING|[Cc]ouldn't verify|failed/);
        assert.doesNotMatch(kdig, /WARNING|;; ERROR/);
        assert.equal(digLines(dig).filter((line) => line.startsWith('host')).length, HOSTS + 1);
        const withoutSoa = (text: string): string[] =>
          digLines(text).filter((line) => !line.includes(' SOA '));
        assert.deepEqual(withoutSoa(kdig), withoutSoa(dig));
        assert.match(dig, /messages [3-9]/);
      });
    }

    test('a query by UDP that is signed is answered signed, with a cut MAC too', async () => {
      for (const tool of ['dig', 'kdig']) {
        const text = await ask(at(), tool, KEY, '+norec', 'example.com', 'SOA');
        assert.match(text, /TSIG/);
        assert.doesNotMatch(text, /WARNING|;; ERROR|verify/);
      }
      const cut = { ...KEY, algorithm: 'hmac-sha256-128' } as unknown as TsigSecret;
      assert.doesNotMatch(
        await ask(at(), 'dig', cut, '+norec', 'example.com', 'SOA'),
        /WARNING|verify/,
      );
    });

    test('nothing for a wrong secret, an unknown key or no key', async () => {
      const wrong = { ...KEY, secret: Buffer.from('guessed, and long enough to be a key') };
      assert.match(
        await ask(at(), 'dig', wrong, 'example.com', 'AXFR'),
        /BADSIG[\s\S]*Transfer failed/,
      );
      const unknown = { ...KEY, name: 'unknown.key' };
      assert.match(
        await ask(at(), 'dig', unknown, 'example.com', 'AXFR'),
        /BADKEY[\s\S]*Transfer failed/,
      );
      assert.match(await ask(at(), 'dig', null, 'example.com', 'AXFR'), /Transfer failed/);
      assert.match(await ask(at(), 'kdig', null, 'example.com', 'AXFR'), /REFUSED/);
      assert.match(await ask(at(), 'kdig', KEY, 'example.org', 'AXFR'), /NOTAUTH/);
    });
  });
}

for (const kind of Object.keys(SECONDARIES)) {
  describe(`${kind} as a secondary`, { skip: need('dig', kind) }, () => {
    let config: TestConfig;
    let server: DnsServer;
    let secondary: Secondary;

    before(async () => {
      const self = { address: SECONDARY, port: await freePort(SECONDARY) };
      config = bigConfig(self);
      server = await open(config);
      const primary = server.addresses[0]!;
      secondary = new Secondary(kind, { self, primary, zone: 'example.com', key: KEY });
    });
    after(async () => {
      await server.stop();
      await secondary.end();
    });

    const follows = async (): Promise<void> => {
      await eventually(
        `${kind} has our serial`,
        async () => (await secondary.serial()) === (await serialAt(server.addresses[0]!)),
        PATIENCE_MS,
      );
    };

    test('copies the zone record for record, health-aware names with it', async () => {
      await follows();
      const zone = await secondary.zone();
      const [primary] = server.addresses;
      const ours = await ask(primary!, 'dig', KEY, '+onesoa', 'example.com', 'AXFR');
      assert.deepEqual(zone, digLines(ours));
      assert.equal(zone.filter((line) => line.startsWith('host')).length, HOSTS + 1);
      const www = zone.filter((line) => /^www\.example\.com\. 5 IN A /.test(line));
      assert.deepEqual(www, [
        'www.example.com. 5 IN A 127.1.1.1',
        'www.example.com. 5 IN A 127.1.1.2',
      ]);
      for (const line of [
        'example.com. 5 IN A 127.1.1.1',
        'ns.down.example.com. 300 IN A 192.0.2.54',
        'occluded.down.example.com. 300 IN TXT "a"',
        'with\\.dot.example.com. 300 IN A 192.0.2.2',
        '\\000\\032\\255.example.com. 300 IN A 192.0.2.3',
      ]) {
        assert.ok(zone.includes(line), line);
      }
    });

    test('is told when a load balancer fails, and copies again', async () => {
      server.apply(planOf(config, (id) => id !== 'fra-lb1/web'));
      const there = async (): Promise<boolean> =>
        (await secondary.ask('www.example.com', 'A')) === '127.1.1.2\n';
      await eventually('the new answer is there', there, PATIENCE_MS);
      await follows();
    });
  });
}
