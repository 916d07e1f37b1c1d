/** The two files of IPVS, as net/netfilter/ipvs/ip_vs_ctl.c of Linux writes them. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import type { LoadMeterConfig } from '../../src/model/load.ts';
import { activeConnections, parseIpvs, parseIpvsStats } from '../../src/observe/meter-ipvs.ts';
import { openMeter } from '../../src/observe/meter-source.ts';

const table = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000201:01BB wlc persistent 300 FFFFFFFF
  -> 0A000002:01BB      Tunnel  1      7          2         
  -> 0A000001:01BB      Tunnel  1      5          1         
UDP  C0000201:0035 rr  
  -> 0A000001:0035      Masq    1      0          90        
TCP  [2001:0db8:0000:0000:0000:0000:0000:0001]:01BB wrr 
  -> [2001:0db8:0000:0000:0000:0000:0000:0011]:01BB      Route   1      30         4         
FWM  00000007 sh 
  -> 0A000001:0050      Local   1      100        0         
TCP  C0000201:0050 rr 
`;

const stats = (
  conns: string,
  bytes: string,
) => `   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
${conns.padStart(8)}       10        1 ${bytes.padStart(16)}               FF

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       0        0        0                0                0
`;

const active = (text: string, ...services: string[]): number | string => {
  const read = activeConnections(text, services);
  if (!read.ok) return read.error;
  return read.value.value ?? read.value.detail;
};

describe('the table of IPVS', () => {
  test('open connections of all virtual services, or of those that are named', () => {
    assert.equal(active(table), 232);
    assert.equal(active(table, 'tcp/192.0.2.1:443'), 12);
    assert.equal(active(table, 'fwmark/7'), 100);
    assert.equal(active(table, 'tcp/[2001:db8::1]:443'), 30);
  });

  test('flows of UDP, which are never active in the words of the kernel, are no load of zero', () => {
    assert.equal(active(table, 'udp/192.0.2.1:53'), 90);
  });

  test('a service without connections is no load of zero', () => {
    const ops = table.replace('0035 rr  ', '0035 rr ops persistent 300 FFFFFFFF');
    assert.match(String(active(ops)), /^udp\/192\.0\.2\.1:53 has no connections \(ops\)/);
    assert.equal(active(ops, 'tcp/192.0.2.1:443'), 12);
  });

  test('a mark that stands for services of IPv4 and of IPv6 counts both', () => {
    const both = `${table}FWM  00000007 sh \n  -> [2001:0db8::0012]:0050      Route   1      11         0\n`;
    assert.equal(active(both, 'fwmark/7'), 111);
  });

  test('a service that is gone, or has no real server, is no load of zero', () => {
    assert.equal(
      active(table, 'tcp/192.0.2.9:443'),
      'there is no virtual service tcp/192.0.2.9:443',
    );
    assert.match(String(active(table, 'tcp/192.0.2.1:80')), /has a real server/);
    const head = table.split('\n').slice(0, 3).join('\n');
    assert.equal(active(head), 'there is no virtual service');
  });

  test('what is not the table is an error, with the line', () => {
    assert.match(String(active('')), /not the table of IPVS/);
    assert.equal(
      active(table.replace('Tunnel  1      7 ', 'Tunnel')),
      'line 5 is not a real server',
    );
    assert.equal(active(table.replace('FWM ', 'XXX ')), 'line 11 is not a virtual service');
  });
});

describe('the totals of IPVS', () => {
  test('are hexadecimal; both directions count', () => {
    assert.deepEqual(parseIpvsStats(stats('1F', '100000000')), {
      ok: true,
      value: { connections_per_s: 31, packets_per_s: 17, bytes_per_s: 4_294_967_296 + 255 },
    });
  });

  test('no text makes either throw', () => {
    const texts = [table, stats('1F', 'FF')];
    const cut = fc.tuple(fc.constantFrom(...texts), fc.nat(600), fc.string(), fc.nat(20));
    const text = cut.map(
      ([from, at, junk, skip]) => from.slice(0, at) + junk + from.slice(at + skip),
    );
    fc.assert(
      fc.property(text, (damaged) => {
        parseIpvs(damaged);
        const read = parseIpvsStats(damaged);
        return !read.ok || Object.values(read.value).every((value) => value >= 0);
      }),
    );
  });
});

test('the meter: connections as they are, totals as rates', async () => {
  const proc = await mkdtemp(join(tmpdir(), 'isobar-ipvs-'));
  try {
    await mkdir(join(proc, 'net'));
    await writeFile(join(proc, 'net', 'ip_vs'), table);
    const clock = new VirtualClock();
    const never = new AbortController().signal;
    const timing = { interval_ms: 1_000, capacity: 100, smoothing_ms: 0 };
    const meter = { kind: 'ipvs', services: [], proc, ...timing } as const;
    const read = (config: LoadMeterConfig) => openMeter(config, clock);
    const now = await read({ ...meter, measure: 'active' })(never);
    assert.deepEqual(now, { ok: true, value: { value: 232, age_ms: 0 } });
    const rate = read({ ...meter, measure: 'connections_per_s' });
    const missing = await rate(never);
    assert.match(missing.ok ? '' : missing.error, /ip_vs_stats: no such file \(without the module/);
    for (const conns of ['A', '2A']) {
      await writeFile(join(proc, 'net', 'ip_vs_stats'), stats(conns, '0'));
      clock.advance(2_000);
      const last = await rate(never);
      const expected =
        conns === 'A'
          ? { value: null, detail: 'a rate needs a second reading' }
          : { value: 16, age_ms: 0 };
      assert.deepEqual(last, { ok: true, value: expected });
    }
  } finally {
    await rm(proc, { recursive: true });
  }
});
