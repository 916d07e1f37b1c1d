/** The kinds of load meter in a site's file: what they become, and what is told of mistakes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { load as loadSchema, metersIn } from '../../src/config/schema-load.ts';
import type { LoadMeterConfig } from '../../src/model/load.ts';
import { projectRoot, TempDeployment } from '../support/deployment.ts';

let demo: TempDeployment;
beforeEach(async () => {
  demo = await TempDeployment.create();
  const site = ['site: ams', 'dns: {listen: ["127.0.9.9:53"]}', 'api: {listen: "127.0.9.9:80"}'];
  await demo.write('sites/ams.yaml', [...site, 'capacity: 100', ''].join('\n'));
});
afterEach(() => demo.destroy());

/** The meters that `load` becomes, or the problems with it. */
async function meters(load: string): Promise<readonly LoadMeterConfig[] | string[]> {
  await demo.append('sites/ams.yaml', `load: ${load}\n`);
  const result = await loadConfig(demo.dir);
  if (!result.ok) return result.error.map(formatProblem);
  return result.value.sites.find(({ name }) => name === 'ams')!.load!;
}

async function meter(load: string): Promise<LoadMeterConfig | string[]> {
  const read = await meters(load);
  return typeof read[0] === 'object' ? read[0] : (read as string[]);
}

const timing = { capacity: 100, interval_ms: 1_000, smoothing_ms: 5_000 };

describe('a load meter', () => {
  test('haproxy: from a socket, or by HTTP', async () => {
    assert.deepEqual(await meter('{kind: haproxy, socket: run/haproxy.sock}'), {
      kind: 'haproxy',
      from: { socket: `${demo.dir}/run/haproxy.sock` },
      proxies: ['*'],
      rows: 'frontend',
      servers: ['*'],
      field: 'scur',
      timeout_ms: 500,
      ...timing,
    });
  });

  const good: [string, Partial<LoadMeterConfig>][] = [
    [
      '{kind: haproxy, url: "http://127.0.0.1:8404/;csv", rows: server, servers: ["s?"], proxies: ["www-*"], field: qcur}',
      {
        from: { url: 'http://127.0.0.1:8404/;csv' },
        rows: 'server',
        servers: ['s?'],
        proxies: ['www-*'],
        field: 'qcur',
      },
    ],
    [
      '{kind: nginx, url: "http://127.0.0.1/status", measure: requests_per_s}',
      { url: 'http://127.0.0.1/status', measure: 'requests_per_s', timeout_ms: 500 },
    ],
    [
      '{kind: ipvs, services: ["tcp/192.0.2.1:443", "udp/[2001:DB8::1]:53", fwmark/7]}',
      {
        measure: 'active',
        services: ['tcp/192.0.2.1:443', 'udp/[2001:db8::1]:53', 'fwmark/7'],
        proc: '/proc',
      },
    ],
    [
      '{kind: prometheus, url: "http://127.0.0.1:9100/metrics", expression: "sum(rate(a{b=\'c\'}))"}',
      { expression: "sum(rate(a{b='c'}))", timeout_ms: 500 },
    ],
    ['{kind: linux, measure: load_per_cpu, proc: /host/proc}', { proc: '/host/proc' }],
    [
      '{kind: command, command: [/usr/local/bin/load, --now], timeout: 900ms}',
      { argv: ['/usr/local/bin/load', '--now'], timeout_ms: 900 },
    ],
  ];
  for (const [load, expected] of good) {
    test(load, async () => {
      const read = await meter(load);
      assert.ok(!Array.isArray(read), String(read));
      assert.deepEqual({ ...read, ...expected }, read);
    });
  }

  const bad: [string, RegExp][] = [
    ['{kind: haproxy}', /either `socket` or `url`$/],
    ['{kind: haproxy, socket: a, url: "http://a/;csv"}', /either `socket` or `url`$/],
    ['{kind: haproxy, socket: a, servers: [s1]}', /: `servers` chooses among rows of servers/],
    ['{kind: haproxy, socket: a, field: scurr}', /"scurr" is not allowed.*did you mean scur\?$/],
    ['{kind: haproxy, socket: a, proxies: []}', /wrong number of items: write at least 1$/],
    ['{kind: nginx, url: "ftp://a"}', /"ftp:\/\/a" is not a URL/],
    ['{kind: ipvs, services: [192.0.2.1:443]}', /is not a virtual service: write one like tcp\//],
    ['{kind: ipvs, measure: bytes_per_s, services: [fwmark/1]}', /has rates of all services only/],
    [
      '{kind: prometheus, url: "http://a/", expression: "sum(rate(a[5m]))"}',
      /^sites\/ams\.yaml:5:\d+: character 11: a range is not needed/,
    ],
    ['{kind: linux}', /"measure" is missing/],
    ['{kind: command, command: "load --now"}', /"load --now" is not a list/],
    ['{kind: command, command: [""]}', /the program has no name/],
    ['{kind: command, command: [load], timeout: 2s}', /the timeout is above the interval/],
  ];
  for (const [load, expected] of bad) {
    test(`refused: ${load}`, async () => {
      const read = await meter(load);
      assert.ok(Array.isArray(read), 'no problem was found');
      assert.equal(read.length, 1, read.join('\n'));
      assert.match(read[0]!, expected);
    });
  }
});

describe('several load meters', () => {
  test('each by its own capacity, or that of the site', async () => {
    const read = await meters(
      '[{kind: linux, measure: cpu_pressure, capacity: 60}, {kind: file, path: /run/load}]',
    );
    const got = read.map((each) => typeof each === 'object' && [each.kind, each.capacity]);
    assert.deepEqual(got, [
      ['linux', 60],
      ['file', 100],
    ]);
  });

  test('a mistake in one is told at its place', async () => {
    const nginx = '{kind: nginx, url: "http://a/"';
    for (const [load, expected] of [
      [`[{kind: linux}]`, /:5:\d+: "measure" is missing/],
      [`[${nginx}}, ${nginx}, timeout: 2s}]`, /:5:\d+: the timeout is above the interval/],
      [`[${nginx}, measured: busy}]`, /:5:\d+: unknown key "measured": did you mean "measure"\?/],
      ['[]', /wrong number of items: write at least 1/],
      [`[{measure: busy}]`, /"kind" is missing: add it, one of haproxy, /],
      ['nginx', /"nginx" is not a load meter: write a mapping/],
    ] as const) {
      const read = await meters(load);
      assert.equal(read.length, 1, `${load}: ${read.join('\n')}`);
      assert.match(String(read[0]), expected);
      await demo.edit('sites/ams.yaml', `load: ${load}\n`, '');
    }
  });
});

test('the examples in docs/operations.md are good, and of every kind', () => {
  const page = readFileSync(join(projectRoot, 'docs', 'operations.md'), 'utf8');
  const examples = /## Load meters[\s\S]*?```yaml\n([\s\S]*?)```/.exec(page)![1]!.split('\n\n');
  const kinds = examples.flatMap((text) =>
    metersIn(loadSchema.parse(parse(text).load)).map((each) => each.meter.kind),
  );
  const known = loadSchema.options[0].options.map((option) => option.shape.kind.value);
  assert.deepEqual([...new Set(kinds)], known);
});
