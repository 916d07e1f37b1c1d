/** The HTTP API over real sockets, before a real agent. */
import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Agent } from '../../src/agent/agent.ts';
import type { EndpointsAnswer } from '../../src/agent/endpoint-status.ts';
import type { Status } from '../../src/agent/status.ts';
import type { BgpNeighbors } from '../../src/api/bgp.ts';
import type { ConfigInUse, Control, Farewell, ReloadReport } from '../../src/api/control.ts';
import { BACKLOG_BYTES_MAX, HISTORY_MAX, READERS_MAX } from '../../src/api/event-stream.ts';
import { ApiServer } from '../../src/api/server.ts';
import { silentLog } from '../../src/base/log.ts';
import type { Explanation } from '../../src/decide/explain.ts';
import type { Plan } from '../../src/model/plan.ts';
import { eventually } from '../support/eventually.ts';
import { TwoSites } from '../support/site.ts';

const TOKEN = 'correct-horse.battery_staple';
const JSON_BODY = { 'content-type': 'application/json' };

const sites = new TwoSites();
const opened: ApiServer[] = [];
let fra: Agent;
let api: ApiServer;

/** What the daemon around the agent was told, and what it answers. */
const orders: string[] = [];
const NOTHING: ReloadReport = {
  changes: [],
  earlier: null,
  sessions: [],
  restart: [],
  problems: [],
};
let reloaded = NOTHING;
const control: Control = {
  dir: '/etc/isobar',
  reload: async () => {
    orders.push('reload');
    return reloaded;
  },
  leave: () => orders.push('leave'),
};

/** The API of `agent` on a port of its own. */
async function serve(
  agent: Agent,
  token: string | null = null,
  orders_: Control | null = control,
): Promise<ApiServer> {
  const listen = { address: '127.0.0.1', port: 0 };
  const server = new ApiServer({
    agent,
    listen,
    token,
    control: orders_,
    clock: sites.clock,
    log: silentLog,
  });
  opened.push(server);
  await server.start();
  return server;
}

const urlOf = (server: ApiServer, path: string): string =>
  `http://127.0.0.1:${server.address.port}${path}`;

const get = (path: string): Promise<Response> => fetch(urlOf(api, path));

const post = (
  path: string,
  body: unknown = {},
  headers: Record<string, string> = {},
  server = api,
): Promise<Response> =>
  fetch(urlOf(server, path), {
    method: 'POST',
    headers: { ...JSON_BODY, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const errorOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: string }).error;

before(async () => {
  await sites.start();
  fra = sites.agents.get('fra')!;
  api = await serve(fra);
  await eventually('the agents know each other', () =>
    fra.status().sites.every(({ state }) => state === 'healthy'),
  );
});
after(async () => {
  await Promise.all(opened.map((server) => server.stop()));
  await sites.stop();
});

describe('reading', () => {
  test('/healthz and /readyz say yes once the agent runs', async () => {
    for (const path of ['/healthz', '/readyz']) assert.equal((await get(path)).status, 200);
  });

  test('before the first plan /readyz says 503, and so does explain; the rest is empty', async () => {
    const early = await serve(sites.makeAgent('fra'));
    const at = (path: string): Promise<Response> => fetch(urlOf(early, path));
    assert.equal((await at('/healthz')).status, 200);
    assert.equal((await at('/readyz')).status, 503);
    const explain = await at('/v1/explain?name=www.example.com&client=192.0.2.7');
    assert.equal(explain.status, 503);
    assert.match(await errorOf(explain), /no plan yet/);
    assert.equal(await (await at('/v1/plan')).json(), null);
    assert.deepEqual(((await (await at('/v1/status')).json()) as Status).sites, []);
    assert.equal((await at('/metrics')).status, 200);
  });

  test('/v1/status tells the state of the agent', async () => {
    const status = (await (await get('/v1/status')).json()) as Status;
    assert.equal(status.site, 'fra');
    assert.deepEqual(
      status.sites.map(({ site, state }) => `${site} ${state}`),
      ['fra healthy', 'iad healthy'],
    );
    assert.equal(status.endpoints[0]!.eligible, true);
    assert.equal(status.connected, true);
    assert.equal(status.drain, null);
  });

  test('/v1/endpoints tells everything about one, or about all of a load balancer', async () => {
    const { id, load_balancer } = fra.config.endpoints[1]!;
    for (const name of [id, encodeURIComponent(id), load_balancer]) {
      const response = await get(`/v1/endpoints/${name}`);
      const { endpoints } = (await response.json()) as EndpointsAnswer;
      assert.deepEqual(
        endpoints.map((one) => [one.id, one.site, one.ballot.map(({ site }) => site)]),
        [[id, 'iad', ['iad']]],
      );
    }
    const unknown = await get('/v1/endpoints/fra-lb1/wbe');
    assert.equal(unknown.status, 404);
    assert.match(
      await errorOf(unknown),
      /^no endpoint .+ "fra-lb1\/wbe": did you mean "fra-lb1\/web"\?$/,
    );
  });

  test('/v1/plan is the plan in force', async () => {
    const plan = (await (await get('/v1/plan')).json()) as Plan;
    assert.equal(plan.site, 'fra');
    assert.deepEqual(
      plan.routes.map(({ announce }) => announce),
      [true],
    );
  });

  test('/v1/explain leads from the client to its answer; the name may be written in any way', async () => {
    for (const name of ['www.example.com', 'WWW.Example.COM.']) {
      const response = await get(`/v1/explain?name=${name}&client=192.0.2.7`);
      const { steps, answer } = (await response.json()) as Explanation;
      assert.equal(answer[0]!.address, '127.66.1.1');
      assert.match(steps.find(({ title }) => title === 'client')!.text, /region europe/);
    }
  });

  test('/v1/explain says what is wrong with the question', async () => {
    const unknown = await get('/v1/explain?name=ftp.example.com&client=192.0.2.7');
    assert.equal(unknown.status, 404);
    assert.match(await errorOf(unknown), /ftp\.example\.com .* there are: www\.example\.com/);
    for (const query of ['', '?client=192.0.2.7', '?name=www.example.com']) {
      assert.equal((await get(`/v1/explain${query}`)).status, 400, query);
    }
    const bad = await get('/v1/explain?name=www.example.com&client=192.0.2.777');
    assert.equal(bad.status, 400);
    assert.match(await errorOf(bad), /IPv4 or IPv6 address/);
  });

  test('what is not there is 404, in JSON', async () => {
    for (const path of ['/', '/v1', '/v1/nothing', '/v1/status/x', '/v1/drain']) {
      const response = await get(path);
      assert.equal(response.status, 404, path);
      assert.equal(await errorOf(response), `nothing at GET ${path}`);
    }
    assert.equal((await post('/v1/status')).status, 404);
  });
});

describe('/metrics', () => {
  /** Name and labels of each sample; fails where the text breaks the exposition format 0.0.4. */
  const samplesOf = (text: string): Map<string, number> => {
    const samples = new Map<string, number>();
    const families = new Map<string, { help: boolean; type: string | null }>();
    let current = '';
    assert.ok(text.endsWith('\n'));
    for (const line of text.slice(0, -1).split('\n')) {
      const meta = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
      if (meta) {
        const [, keyword, name = '', words = ''] = meta;
        if (keyword === 'HELP') {
          assert.ok(!families.has(name), `${name} comes twice`);
          families.set(name, { help: true, type: null });
        } else {
          assert.match(words, /^(gauge|counter)$/);
          assert.equal(families.get(name)?.type, null, `TYPE of ${name}`);
          families.get(name)!.type = words;
        }
        current = name;
        continue;
      }
      const sample =
        /^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (\S+)$/.exec(
          line,
        );
      assert.ok(sample, `not a sample: ${line}`);
      const [, name, labels = '', value] = sample;
      assert.equal(name, current, 'samples stand below their own HELP and TYPE');
      assert.ok(families.get(current)?.type, `${current} has no TYPE`);
      assert.ok(Number.isFinite(Number(value)), line);
      assert.ok(!samples.has(name + labels), `${line} comes twice`);
      samples.set(name + labels, Number(value));
      if (families.get(current)!.type === 'counter') assert.match(name!, /_total$/);
    }
    return samples;
  };

  test('parses as Prometheus text', async () => {
    const response = await get('/metrics');
    assert.match(response.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
    const samples = samplesOf(await response.text());
    assert.equal(samples.get('isobar_info{deployment="test",site="fra",version="test"}'), 1);
    assert.equal(samples.get('isobar_site_state{site="iad",state="healthy"}'), 1);
    assert.equal(samples.get('isobar_route_announced{vip="web"}'), 1);
    assert.equal(samples.get('isobar_dns_tcp_clients'), 0, 'a gauge, apart from the counters');
    assert.ok(!samples.has('isobar_dns_total{kind="tcp_clients"}'));
  });
});

describe('/v1/events', () => {
  const responses: IncomingMessage[] = [];
  afterEach(async () => {
    for (const response of responses.splice(0)) response.destroy();
  });

  /** Opens a stream; `text()` is what came so far. */
  const open = (server: ApiServer): Promise<{ response: IncomingMessage; text(): string }> =>
    new Promise((resolve, reject) => {
      httpRequest(urlOf(server, '/v1/events'), { agent: false }, (response) => {
        responses.push(response);
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', () => {});
        resolve({ response, text: () => text });
      })
        .on('error', reject)
        .end();
    });

  const emit = (text: string): void =>
    fra.events.emit({ site: 'fra', kind: 'life', at_ms: 1, subject: 'test', text, reason: null });

  test('gives the newest of the past, then what happens', async () => {
    const server = await serve(fra);
    for (let i = 0; i <= HISTORY_MAX; i++) emit(`past ${i}.`);
    const { response, text } = await open(server);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    emit('then');
    await eventually('the event', () => text().includes('"then"'));
    const past = [...text().matchAll(/past (\d+)\./g)].map((match) => Number(match[1]));
    assert.deepEqual(
      past,
      Array.from({ length: HISTORY_MAX }, (_, i) => i + 1),
    );
    const last = text().trimEnd().split('\n\n').at(-1)!.split('\n');
    assert.equal(last[0], 'event: life');
    assert.equal((JSON.parse(last[1]!.replace(/^data: /, '')) as { text: string }).text, 'then');
  });

  test('has room for a number of readers; one more is refused until one leaves', async () => {
    const server = await serve(fra);
    const readers = await Promise.all(Array.from({ length: READERS_MAX }, () => open(server)));
    const status = async (): Promise<number> => (await open(server)).response.statusCode!;
    assert.equal(await status(), 503);
    readers[0]!.response.destroy();
    await eventually('the place is free', async () => (await status()) === 200);
  });

  test('a HEAD request takes no reader’s place', async () => {
    const server = await serve(fra);
    for (let i = 0; i <= READERS_MAX; i++) {
      const head = await fetch(urlOf(server, '/v1/events'), { method: 'HEAD' });
      assert.equal(head.status, 200);
    }
    assert.equal((await open(server)).response.statusCode, 200);
  });

  test('a reader that takes nothing is cut off; the others are not', async () => {
    const server = await serve(fra);
    const good = await open(server);
    const slow = await stalled(server.address.port);
    const closed = new Promise<void>((resolve) => slow.on('close', () => resolve()));
    // More than the kernel's buffers of both ends and the backlog hold together.
    const line = 'x'.repeat(BACKLOG_BYTES_MAX / 4);
    let sent = 0;
    let cut = false;
    void closed.then(() => {
      cut = true;
    });
    await eventually('the good reader has it all', async () => {
      if (sent < 100) emit(`${sent++} ${line}`);
      return good.text().includes(`"99 x`);
    });
    slow.resume();
    await eventually('the slow reader is cut off', () => cut);
  });

  /** A client that has read the head of its stream and reads no more. */
  const stalled = (port: number): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n');
      });
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.pause();
        resolve(socket);
      });
    });

  test('stop() ends open streams and does not wait for their readers', async () => {
    const server = await serve(fra);
    const { response } = await open(server);
    const ended = new Promise<void>((resolve) => response.on('end', () => resolve()));
    await stalled(server.address.port);
    await server.stop();
    await ended;
    await assert.rejects(fetch(urlOf(server, '/healthz')));
  });
});

describe('changing', () => {
  test('drain and undrain, by whom and why', async () => {
    const drained = await post('/v1/drain', { by: 'ann', reason: 'new\nkernel' });
    assert.equal(drained.status, 200);
    const { drain } = fra.status();
    assert.deepEqual([drain?.by, drain?.reason], ['ann', 'new kernel']);
    assert.equal(((await drained.json()) as { drain: { by: string } }).drain.by, 'ann');
    assert.equal((await post('/v1/undrain')).status, 200);
    assert.equal(fra.status().drain, null);
  });

  test('with a token: 401 without it or with another, 200 with it', async () => {
    const guarded = await serve(fra, TOKEN);
    const order = (authorization?: string): Promise<Response> =>
      post('/v1/undrain', {}, authorization === undefined ? {} : { authorization }, guarded);
    for (const wrong of [undefined, '', 'Bearer', `Bearer ${TOKEN}x`, TOKEN, `Basic ${TOKEN}`]) {
      const response = await order(wrong);
      assert.equal(response.status, 401, wrong);
      assert.match(await errorOf(response), /Authorization: Bearer/);
    }
    assert.equal((await order(`Bearer ${TOKEN}`)).status, 200);
    assert.equal((await fetch(urlOf(guarded, '/v1/status'))).status, 200, 'reading needs none');
  });

  test('a request from a web page is refused, whatever its method and token', async () => {
    const guarded = await serve(fra, TOKEN);
    for (const origin of ['https://evil.example', 'null']) {
      const headers = { origin, authorization: `Bearer ${TOKEN}` };
      assert.equal((await post('/v1/drain', {}, headers, guarded)).status, 403);
    }
    const preflight = await fetch(urlOf(api, '/v1/drain'), {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example' },
    });
    assert.equal(preflight.status, 403);
    assert.equal(fra.status().drain, null);
  });

  test('a body that is no JSON object changes nothing', async () => {
    for (const body of ['{', '[1', '[]', 'drain', '3', 'null']) {
      const response = await post('/v1/drain', body);
      assert.equal(response.status, 400, body);
      assert.match(await errorOf(response), /not (a )?JSON/);
    }
    assert.equal(fra.status().drain, null);
  });

  const large = JSON.stringify({ reason: 'x'.repeat(20_000) });

  test('a body that is too large is 413, and so is one of unknown length', async () => {
    assert.equal((await post('/v1/drain', large)).status, 413);
    const chunked = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        urlOf(api, '/v1/drain'),
        { method: 'POST', agent: false, headers: JSON_BODY },
        (response) => {
          response.resume();
          resolve(response.statusCode!);
        },
      );
      request.on('error', reject);
      for (let i = 0; i < large.length; i += 1_000) request.write(large.slice(i, i + 1_000));
      request.end();
    });
    assert.equal(chunked, 413);
    assert.equal(fra.status().drain, null);
  });
});

describe('BGP', () => {
  test('a site without neighbours has none to show, and none to reset', async () => {
    const { neighbors } = (await (await get('/v1/bgp/neighbors')).json()) as BgpNeighbors;
    assert.deepEqual(neighbors, []);
    assert.deepEqual(await (await get('/v1/bgp/routes')).json(), { routes: [], left_out: [] });
    for (const path of ['routes?neighbor=x', 'received?neighbor=x', 'why/x', 'why/rack/10.0.0.1']) {
      const response = await get(`/v1/bgp/${path}`);
      assert.equal(response.status, 404, path);
      assert.match(await errorOf(response), /^no neighbour is named ".+"; there is none$/);
    }
    assert.equal((await get('/v1/bgp/received')).status, 400, 'of whom is not said');
    assert.equal((await post('/v1/bgp/reset', { neighbor: 'x' })).status, 404);
    assert.equal((await post('/v1/bgp/reset')).status, 400);
    assert.equal((await post('/v1/bgp/reset-penalty', { vip: 'mail' })).status, 404);
    assert.deepEqual(await (await post('/v1/bgp/reset-penalty')).json(), { reset: [] });
    for (const wrong of [{ vip: 3 }, { vips: 'web' }]) {
      assert.equal((await post('/v1/bgp/reset-penalty', wrong)).status, 400, 'not all of them');
    }
  });

  test('penalties of endpoints are reset by the agent of their home', async () => {
    const [own, other] = fra.config.endpoints;
    for (const path of ['', `/${own!.id}`, `/${own!.load_balancer}`]) {
      const response = await post(`/v1/endpoints${path}/reset-penalty`);
      assert.deepEqual(await response.json(), { reset: [] }, path);
    }
    const elsewhere = await post(`/v1/endpoints/${other!.id}/reset-penalty`);
    assert.equal(elsewhere.status, 409);
    assert.match(await errorOf(elsewhere), /ask the agent of iad$/);
    assert.equal((await post('/v1/endpoints/nobody/reset-penalty')).status, 404);
    assert.equal((await post(`/v1/endpoints/${own!.id}`)).status, 404);
  });

  test('resets need the token, and never come from a web page', async () => {
    const guarded = await serve(fra, TOKEN);
    for (const path of ['bgp/reset', 'bgp/reset-penalty', 'endpoints/reset-penalty'].map(
      (each) => `/v1/${each}`,
    )) {
      assert.equal((await post(path, { neighbor: 'x' }, {}, guarded)).status, 401);
      const page = { authorization: `Bearer ${TOKEN}`, origin: 'http://evil.example' };
      assert.equal((await post(path, { neighbor: 'x' }, page, guarded)).status, 403);
    }
  });
});

describe('orders to the daemon', () => {
  test('a reload tells what has changed; with problems it is 422', async () => {
    reloaded = { ...NOTHING, changes: ['zone example.com: changed'], restart: ['api'] };
    const good = await post('/v1/reload');
    assert.deepEqual([good.status, await good.json()], [200, reloaded]);
    reloaded = { ...NOTHING, problems: ['deployment.yaml:1:1: bad'] };
    const bad = await post('/v1/reload');
    assert.deepEqual([bad.status, await bad.json()], [422, reloaded]);
    assert.deepEqual(orders.splice(0), ['reload', 'reload']);
  });

  test('what is in use is told without the images of zones', async () => {
    const { dir, site, config } = (await (await get('/v1/config')).json()) as ConfigInUse;
    assert.deepEqual([dir, site], ['/etc/isobar', 'fra']);
    assert.deepEqual(
      config.zones.map((zone) => [zone.origin, 'image' in zone]),
      [['example.com', false]],
    );
    assert.deepEqual(config.sites, fra.config.sites);
  });

  test('who says whom it means makes the daemon leave, and nobody else', async () => {
    const right = { deployment: 'test', site: 'fra' };
    for (const wrong of [
      {},
      { ...right, site: 'iad' },
      { ...right, deployment: 'x' },
      '{',
      'null',
    ]) {
      const response = await post('/v1/leave', wrong);
      assert.equal(response.status, 409);
      assert.match(await errorOf(response), /^this is the agent of test\/fra, which goes on$/);
    }
    assert.deepEqual(orders, []);
    fra.overrides.drain('fra', 'ann', 'work');
    const response = await post('/v1/leave', right);
    const { pid, overrides } = (await response.json()) as Farewell;
    fra.overrides.undrain('fra', 'ann');
    assert.deepEqual(
      [response.status, pid, overrides.at(-1)?.override.by],
      [200, process.pid, 'ann'],
    );
    assert.deepEqual(orders.splice(0), ['leave']);
  });

  test('without the token neither is taken', async () => {
    const guarded = await serve(fra, TOKEN);
    const right = { deployment: 'test', site: 'fra' };
    for (const path of ['/v1/reload', '/v1/leave']) {
      assert.equal((await post(path, right, {}, guarded)).status, 401);
    }
    assert.deepEqual(orders, []);
  });

  test('a process of several daemons takes none', async () => {
    const shared = await serve(fra, null, null);
    assert.equal((await post('/v1/reload', {}, {}, shared)).status, 404);
  });
});

test('an address that is taken is one plain sentence, and nothing is left open', async () => {
  const { port } = api.address;
  const listen = { address: '127.0.0.1', port };
  const { clock } = sites;
  const second = new ApiServer({ agent: fra, listen, token: null, control, clock, log: silentLog });
  await assert.rejects(second.start(), {
    message: `API 127.0.0.1:${port}: in use by another program`,
  });
  await second.stop();
});
