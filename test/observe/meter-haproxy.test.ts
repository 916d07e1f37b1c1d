import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { haproxyValues, parseCsv } from '../../src/observe/meter-haproxy.ts';
import { projectRoot } from '../support/deployment.ts';

/** What HAProxy 2.6.12 wrote, with three clients connected and one of two servers down. */
const recorded = (name: string): string =>
  readFileSync(join(projectRoot, 'test', 'observe', 'recorded', name), 'utf8');

const all = recorded('haproxy-all.csv');
const frontends = { proxies: ['*'], rows: 'frontend', servers: ['*'], field: 'scur' } as const;

type Selection = Parameters<typeof haproxyValues>[1];

function values(text: string, selection: Selection): Record<string, number> | string {
  const read = haproxyValues(text, selection);
  return read.ok ? Object.fromEntries(read.value) : read.error;
}

describe("HAProxy's statistics", () => {
  test('by HTTP: the rows of the chosen kind and proxies', () => {
    const sessions = {
      'www/FRONTEND': 2,
      'api/FRONTEND': 1,
      'stats/FRONTEND': 1,
      'tcpin/FRONTEND': 0,
    };
    assert.deepEqual(values(all, frontends), sessions);
    const two = { ...frontends, proxies: ['www', 'ap?'], field: 'stot' } as const;
    assert.deepEqual(values(all, two), { 'www/FRONTEND': 22, 'api/FRONTEND': 21 });
  });

  test('from the socket: the same table, with an empty line at its end', () => {
    const read = values(recorded('haproxy-frontends.csv'), { ...frontends, field: 'req_rate' });
    assert.deepEqual(Object.keys(read), Object.keys(values(all, frontends)));
    const servers = { ...frontends, proxies: ['app*'], rows: 'server' } as const;
    assert.deepEqual(values(recorded('haproxy-servers.csv'), servers), {
      'app/s1': 0,
      'app2/s1': 0,
    });
  });

  test('what is down does not count; when nothing is up, the load is not zero', () => {
    const app = { ...frontends, proxies: ['app'], rows: 'server', field: 'stot' } as const;
    assert.deepEqual(values(all, app), { 'app/s1': 21 });
    const down = { ...app, servers: ['s2'] };
    assert.equal(values(all, down), 'all 1 chosen rows are down');
    const backends = { ...frontends, rows: 'backend', field: 'stot' } as const;
    assert.deepEqual(Object.keys(values(all, backends)), [
      'app/BACKEND',
      'app2/BACKEND',
      'tcpin/BACKEND',
    ]);
  });

  test('a server on its way up, in maintenance, or not checked', () => {
    const table = ['# pxname,svname,scur,status,', 'a,s1,1,DOWN 1/2,', 'a,s2,2,MAINT (via b/s),']
      .concat('a,s3,4,no check,', 'a,s4,8,UP 1/3,', 'a,s5,16,NOLB,', '')
      .join('\n');
    const servers = { ...frontends, rows: 'server' } as const;
    assert.deepEqual(values(table, servers), { 'a/s3': 4, 'a/s4': 8, 'a/s5': 16 });
  });

  test('a proxy that is gone is an error that names it', () => {
    const gone = { ...frontends, proxies: ['www', 'shop-*'] };
    assert.equal(values(all, gone), 'no frontend row is of a proxy "shop-*"');
    const server = { ...frontends, proxies: ['app'], rows: 'server', servers: ['s9'] } as const;
    assert.equal(values(all, server), 'no server row is of a proxy "app"');
  });

  test('a field that these rows do not have', () => {
    assert.equal(values(all, { ...frontends, field: 'qcur' }), 'FRONTEND of www has no qcur');
    const tcp = { ...frontends, proxies: ['tcpin'], rows: 'backend', field: 'req_rate' } as const;
    assert.equal(values(all, tcp), 'BACKEND of tcpin has no req_rate');
    const old = all.replaceAll('req_rate', 'request_rate');
    const rate = { ...frontends, field: 'req_rate' } as const;
    assert.equal(values(old, rate), 'the statistics have no column req_rate');
  });

  test('what is no table, or half of one', () => {
    assert.match(String(values('<html>', frontends)), /not the statistics of HAProxy/);
    assert.match(String(values('', frontends)), /not the statistics/);
    assert.match(String(values(all.slice(0, -200), frontends)), /damaged, or broke off/);
    assert.match(String(values(all.replace('www', '"www'), frontends)), /damaged/);
  });

  test('no text makes it throw, and no load is below zero', () => {
    const cut = fc.tuple(fc.nat(all.length), fc.string(), fc.nat(20));
    const text = fc.oneof(
      fc.string(),
      cut.map(([at, junk, skip]) => all.slice(0, at) + junk + all.slice(at + skip)),
    );
    fc.assert(
      fc.property(text, (damaged) => {
        const read = haproxyValues(damaged, frontends);
        return !read.ok || [...read.value.values()].every((value) => value >= 0);
      }),
    );
  });
});

describe('a table with commas', () => {
  test('cells in quotes may hold commas, quotes and line breaks', () => {
    assert.deepEqual(parseCsv('a,"b,""c""\n\r\n",\r\n,\n'), [
      ['a', 'b,"c"\n\r\n', ''],
      ['', ''],
    ]);
    assert.equal(parseCsv('a,b'), null);
    assert.equal(parseCsv('"a\n'), null);
    assert.equal(parseCsv('a"b,\n'), null);
  });

  test('reads what is written in quotes', () => {
    const rows = fc.array(fc.array(fc.string(), { minLength: 2 }), { minLength: 1 });
    fc.assert(
      fc.property(rows, (table) => {
        const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`;
        const text = table.map((row) => `${row.map(quoted).join(',')}\n`).join('');
        assert.deepEqual(parseCsv(text), table);
      }),
    );
  });
});
