import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { control, type Levers } from '../../../src/cli/demo/control.ts';

let pulled: string[] = [];

const levers: Levers = {
  sites: ['fra', 'iad'],
  load_balancers: ['fra-lb1', 'iad-lb1'],
  break: async (target) => void pulled.push(`break ${target}`),
  repair: async (target) => {
    if (target === 'iad') throw new Error('the address is taken');
    pulled.push(`repair ${target}`);
  },
  setLoad: (site, ratio) => void pulled.push(`load ${site} ${ratio}`),
  cut: (site) => void pulled.push(`cut ${site}`),
  heal: (site) => void pulled.push(`heal ${site}`),
  requestsPerSecond: (site) => (site === 'fra' ? 80.5 : 0),
};

beforeEach(() => {
  pulled = [];
});

test('each lever is pulled by its own path', async () => {
  const paths = ['break/fra-lb1', 'repair/fra', 'overload/fra', 'calm/fra', 'cut/iad', 'heal/iad'];
  for (const path of paths) assert.equal((await control(levers, 'POST', `/${path}`)).status, 200);
  assert.deepEqual(pulled, [
    'break fra-lb1',
    'repair fra',
    'load fra 1.4',
    'load fra 0.4',
    'cut iad',
    'heal iad',
  ]);
});

test('overload takes another ratio, within bounds', async () => {
  assert.equal((await control(levers, 'POST', '/overload/fra?ratio=1.2')).status, 200);
  assert.deepEqual(pulled, ['load fra 1.2']);
  for (const ratio of ['', 'much', '-1', '99', 'NaN']) {
    const { status, body } = await control(levers, 'POST', `/overload/fra?ratio=${ratio}`);
    assert.equal(status, 400, ratio);
    assert.match(String(body), /write a number from 0 to 2/);
  }
  assert.equal(pulled.length, 1);
});

test('the load meter reads JSON', async () => {
  const answer = await control(levers, 'GET', '/load/fra');
  assert.deepEqual(answer, { status: 200, body: { requests_per_second: 80.5 } });
});

test('what is not known is 404 and names what is; nothing is done', async () => {
  const cases: [string, RegExp][] = [
    ['/break/lhr', /known are fra, iad, fra-lb1, iad-lb1/],
    ['/cut/fra-lb1', /known are fra, iad\n/],
    ['/load/nowhere', /known are fra, iad\n/],
    ['/explode/fra', /there is no \/explode\/fra\n\nPOST \/break/],
    ['/constructor/fra', /there is no/],
    ['/break/fra/lb1', /there is no/],
    ['//', /there is no/],
  ];
  for (const [path, text] of cases) {
    const { status, body } = await control(levers, 'POST', path);
    assert.equal(status, 404, path);
    assert.match(String(body), text);
  }
  assert.deepEqual(pulled, []);
});

test('a lever is not pulled by a GET', async () => {
  assert.equal((await control(levers, 'GET', '/break/fra')).status, 405);
  assert.equal((await control(levers, 'POST', '/load/fra')).status, 405);
  assert.deepEqual(pulled, []);
});

test('a lever that fails says why', async () => {
  const answer = await control(levers, 'POST', '/repair/iad');
  assert.deepEqual(answer, { status: 500, body: 'the address is taken\n' });
});

test('the summary names every lever, site and load balancer', async () => {
  const { status, body } = await control(levers, 'GET', '/');
  assert.equal(status, 200);
  for (const word of ['break', 'repair', 'overload', 'calm', 'cut', 'heal', 'iad-lb1']) {
    assert.match(String(body), new RegExp(word));
  }
});
