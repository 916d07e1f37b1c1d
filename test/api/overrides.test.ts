/** Overrides over HTTP: the list, orders and trials, and every way of giving a wrong one. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import type { DrainAnswer, OverrideAnswer, OverridesInUse } from '../../src/api/overrides.ts';
import { FOR_MAX_MS } from '../../src/api/overrides.ts';
import { ApiServer } from '../../src/api/server.ts';
import { silentLog } from '../../src/base/log.ts';
import { eventually } from '../support/eventually.ts';
import { TwoSites } from '../support/site.ts';

const SERVICE = 'www.example.com';
const TOKEN = 'correct-horse.battery_staple';
const sites = new TwoSites();
const opened: ApiServer[] = [];
let fra: Agent;
let url = '';

async function serve(token: string | null): Promise<string> {
  const { clock } = sites;
  const listen = { address: '127.0.0.1', port: 0 };
  const api = new ApiServer({ agent: fra, listen, token, control: null, clock, log: silentLog });
  opened.push(api);
  await api.start();
  return `http://127.0.0.1:${api.address.port}`;
}

interface Reply<Body> {
  readonly status: number;
  readonly body: Body & { readonly error?: string };
}

async function ask<Body>(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
  at = url,
): Promise<Reply<Body>> {
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  const response = await fetch(`${at}${path}`, init);
  return { status: response.status, body: (await response.json()) as Body & { error?: string } };
}

const order = (body: object) => ask<OverrideAnswer>('POST', '/v1/overrides', body);
const list = async () => (await ask<OverridesInUse>('GET', '/v1/overrides')).body.overrides;
const eligible = (id: string, agent = fra): boolean | undefined =>
  agent.status().endpoints.find((endpoint) => endpoint.id === id)?.eligible;

before(async () => {
  await sites.start();
  fra = sites.agents.get('fra')!;
  url = await serve(null);
  await eventually('the agents know each other', () =>
    fra.status().sites.every(({ state }) => state === 'healthy'),
  );
});
after(async () => {
  await Promise.all(opened.map((server) => server.stop()));
  await sites.stop();
});
afterEach(async () => {
  for (const { id } of await list()) {
    await ask('DELETE', `/v1/overrides?${new URLSearchParams({ id })}`);
  }
  assert.deepEqual(await list(), []);
});

describe('POST /v1/overrides', () => {
  test('puts an order into force, tells what it changes, and lists it', async () => {
    const { status, body } = await order({
      action: 'down',
      endpoint: 'iad-lb1',
      by: 'ann',
      reason: 'bad\nmemory',
      for_ms: 60_000,
    });
    assert.equal(status, 200);
    assert.deepEqual([body.id, body.applied], ['endpoint=iad-lb1', true]);
    assert.deepEqual(body.effect!.endpoints, ['iad-lb1/web']);
    assert.ok(body.effect!.changes.includes('endpoint iad-lb1/web: healthy → forced-down'));
    assert.ok(body.effect!.changes.some((line) => line.startsWith('www.example.com: america → ')));
    assert.equal(eligible('iad-lb1/web'), false);
    const iad = sites.agents.get('iad')!;
    await eventually('the other site knows', () => eligible('iad-lb1/web', iad) === false);
    const [one, ...others] = await list();
    assert.equal(others.length, 0);
    const { for_ms, left_ms, ...rest } = one!;
    assert.deepEqual(rest, {
      id: 'endpoint=iad-lb1',
      scope: { site: null, service: null, endpoint: 'iad-lb1', label: null },
      action: 'down',
      by: 'ann',
      reason: 'bad memory',
      agent: 'fra/fra',
      endpoints: ['iad-lb1/web'],
      shared: [],
      lost: [],
    });
    assert.ok(for_ms >= 0 && left_ms! > 50_000 && left_ms! <= 60_000);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /^isobar_overrides\{action="down"\} 1$/m);
    assert.match(metrics, /^isobar_overrides\{action="up"\} 0$/m);
  });

  test('as a trial changes nothing', async () => {
    const trial = { action: 'drain', service: 'WWW.example.com.', dry_run: true };
    const { status, body } = await order(trial);
    assert.deepEqual([status, body.applied, body.id], [200, false, 'service=www.example.com']);
    assert.deepEqual(body.effect!.starved, ['www.example.com']);
    assert.deepEqual(await list(), []);
  });

  test('refuses what leaves a service with nobody, unless whoever asks says yes', async () => {
    const all = { action: 'down', service: 'www.example.com' };
    const { status, body } = await order(all);
    assert.equal(status, 409);
    assert.match(body.error!, /www\.example\.com would have no usable endpoint left/);
    assert.deepEqual(await list(), []);
    assert.equal((await order({ ...all, yes: true })).status, 200);
    const again = await order({ ...all, reason: 'still' });
    assert.equal(again.status, 200, 'it has nobody already');
  });

  test('names the nearest of what is configured, unless it is forced', async () => {
    const wrong: [object, RegExp][] = [
      [{ site: 'frq' }, /no site "frq"; did you mean "fra"/],
      [{ endpoint: 'fra-lb7' }, /no endpoint "fra-lb7"; did you mean "fra-lb1"/],
      [{ service: 'ww.example.com' }, /did you mean "www\.example\.com"/],
      [{ label: 'rack=1' }, /no label "rack=1"; there is none/],
      [{ site: 'fra', endpoint: 'iad-lb1' }, /no endpoint fits all of site=fra endpoint=iad-lb1/],
    ];
    for (const [scope, error] of wrong) {
      const { status, body } = await order({ action: 'drain', ...scope });
      assert.equal(status, 404);
      assert.match(body.error!, error);
    }
    assert.deepEqual(await list(), []);
    const forced = await order({ action: 'drain', label: 'rack=1', force: true });
    assert.deepEqual([forced.status, forced.body.effect!.endpoints], [200, []]);
  });

  test('takes no order that is not whole', async () => {
    const wrong: [object, RegExp][] = [
      [{}, /"action": one of drain, up, down/],
      [{ action: 'explode', site: 'fra' }, /"action"/],
      [{ action: 'down' }, /"site", "service", "endpoint" or "label"/],
      [{ action: 'down', label: null }, /"site", "service"/],
      [{ action: 'down', site: '', service: SERVICE }, /"site" is empty/],
      [{ action: 'down', site: ['fra'], service: SERVICE }, /"site" is to be a string/],
      [{ action: 'down', sites: 'fra', service: SERVICE }, /"sites".* did you mean "site"/],
      [{ action: 'down', site: 'iad', dry_run: 'true' }, /"dry_run" is to be a boolean/],
      [{ action: 'down', endpoint: 'a label=x', force: true }, /"a label=x" is no name/],
      [{ action: 'down', site: 'fra\n', force: true }, /"fra\\n" is no name/],
      [{ action: 'down', label: 'x'.repeat(256), force: true }, /is no name: 255 characters/],
      [{ action: 'up', site: 'fra' }, /hides its failures: say for how long/],
      [{ action: 'down', site: 'fra', for_ms: 0 }, /"for_ms"/],
      [{ action: 'down', site: 'fra', for_ms: '5' }, /"for_ms"/],
      [{ action: 'down', site: 'fra', for_ms: FOR_MAX_MS + 1 }, /"for_ms"/],
    ];
    for (const [body, error] of wrong) {
      const reply = await order(body);
      assert.equal(reply.status, 400, JSON.stringify(body));
      assert.match(reply.body.error!, error);
    }
    const text = await fetch(`${url}/v1/overrides`, { method: 'POST', body: '{' });
    assert.equal(text.status, 400);
    assert.deepEqual(await list(), []);
  });

  test('brings back what its probes call down, for a while', async () => {
    sites.backends[1]!.healthy = false;
    await eventually('it is down', () => eligible('iad-lb1/web') === false);
    const { body } = await order({ action: 'up', site: 'iad', for_ms: 1_000 });
    assert.deepEqual(body.effect!.changes.slice(0, 1), [
      'endpoint iad-lb1/web: probe-failed → forced-up',
    ]);
    assert.equal(eligible('iad-lb1/web'), true);
    await eventually('it ends by itself', () => eligible('iad-lb1/web') === false);
    sites.backends[1]!.healthy = true;
    await eventually('it is up', () => eligible('iad-lb1/web') === true);
  });
});

describe('DELETE /v1/overrides', () => {
  test('ends what it names, once however often that is, all or nothing', async () => {
    await order({ action: 'down', endpoint: 'iad-lb1' });
    await order({ action: 'drain', site: 'iad' });
    const remove = (...ids: string[]) =>
      ask<{ removed: string[] }>(
        'DELETE',
        `/v1/overrides?${new URLSearchParams(ids.map((id): [string, string] => ['id', id]))}`,
      );
    const unknown = await remove('site=iad', 'endpoint=iad-lb2');
    assert.equal(unknown.status, 404);
    assert.match(unknown.body.error!, /"endpoint=iad-lb2"; did you mean "endpoint=iad-lb1"/);
    assert.equal((await list()).length, 2);
    assert.equal((await remove()).status, 400);
    const { status, body } = await remove('site=iad', 'endpoint=iad-lb1', 'site=iad');
    assert.deepEqual([status, body.removed], [200, ['site=iad', 'endpoint=iad-lb1']]);
    assert.equal(eligible('iad-lb1/web'), true);
  });
});

describe('a drain', () => {
  const drain = (body: object) => ask<DrainAnswer>('POST', '/v1/drain', body);

  test('of another site, for a while, is one of the overrides', async () => {
    const { status, body } = await drain({
      site: 'iad',
      by: 'ann',
      reason: 'disks',
      for_ms: 5_000,
    });
    assert.deepEqual([status, body.site, body.drain?.by, body.starved], [200, 'iad', 'ann', []]);
    assert.deepEqual(
      (await list()).map(({ id, action }) => `${action} ${id}`),
      ['drain site=iad'],
    );
    assert.equal(fra.status().drain, null);
    const iad = sites.agents.get('iad')!;
    await eventually('iad is drained', () => iad.status().drain?.reason === 'disks');
    assert.equal((await ask<DrainAnswer>('POST', '/v1/undrain', { site: 'iad' })).status, 200);
    await eventually('iad is back', () => iad.status().drain === null);
  });

  test('and its end tell what they find for the site, and an end ends no other order', async () => {
    await order({ action: 'down', site: 'iad', by: 'bob' });
    const kept = await ask('POST', '/v1/undrain', { site: 'iad' });
    assert.equal(kept.status, 409);
    assert.match(kept.body.error!, /iad is not drained, but forced down by bob: .*"site=iad"/);
    const { body } = await drain({ site: 'iad' });
    assert.deepEqual(body.replaced, { action: 'down', by: 'bob', reason: 'no reason given' });
    assert.equal((await ask('POST', '/v1/undrain', { site: 'iad' })).status, 200);
    assert.equal((await ask('POST', '/v1/undrain', { site: 'iad' })).status, 200, 'nothing to end');
  });

  test('of all sites says which services have nobody left', async () => {
    await drain({});
    const { body } = await drain({ site: 'iad' });
    assert.deepEqual(body.starved, ['www.example.com']);
  });

  test('of a site that is not configured, or for a time that is none, is refused', async () => {
    const unknown = await drain({ site: 'idd' });
    assert.deepEqual(
      [unknown.status, unknown.body.error],
      [404, 'there is no site "idd"; did you mean "iad"?'],
    );
    for (const wrong of [{ for_ms: -1 }, { site: 3 }, { sight: 'iad' }, { site: '' }]) {
      assert.equal((await drain(wrong)).status, 400, JSON.stringify(wrong));
    }
    assert.equal((await ask('POST', '/v1/undrain', { for_ms: 5_000 })).status, 400);
    assert.deepEqual(await list(), []);
  });
});

test('orders need the token where there is one, and come from no web page; the list is open', async () => {
  const guarded = await serve(TOKEN);
  const bearer = { authorization: `Bearer ${TOKEN}` };
  const body = { action: 'down', endpoint: 'iad-lb1' };
  const put = (headers: Record<string, string>) =>
    ask('POST', '/v1/overrides', body, headers, guarded);
  const path = `/v1/overrides?${new URLSearchParams({ id: 'endpoint=iad-lb1' })}`;
  const remove = (headers: Record<string, string>) =>
    ask('DELETE', path, undefined, headers, guarded);
  assert.equal((await put({})).status, 401);
  assert.equal((await put({ ...bearer, origin: 'https://evil.example' })).status, 403);
  assert.equal((await put(bearer)).status, 200);
  assert.equal((await remove({})).status, 401);
  assert.equal((await ask('GET', '/v1/overrides', undefined, {}, guarded)).status, 200);
  assert.equal((await remove(bearer)).status, 200);
});
