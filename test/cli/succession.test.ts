/** A daemon that succeeds another: whom it ends, in which order, and what it waits for. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Status } from '../../src/agent/status.ts';
import { SystemClock, VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Daemon } from '../../src/cli/daemon.ts';
import { findPredecessor, type Predecessor, whenFree } from '../../src/cli/take-over.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { buildGeoMap } from '../../src/geo/build.ts';
import type { Config, Site } from '../../src/model/config.ts';
import { MemoryHub } from '../../src/share/memory-store.ts';
import type { Store } from '../../src/share/store.ts';
import { noSteering, noTunnel } from '../../src/spill/drivers.ts';
import { drainOrder } from '../decide/world.ts';
import { ask } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/isobar.ts';
import { Backend, twoSiteConfig } from '../support/site.ts';

const never = new AbortController().signal;

/** What listens at the address of fra's API. */
class Somebody {
  readonly orders: string[] = [];
  #server: Server | null = null;

  async listen(status: unknown, refusal?: string): Promise<number> {
    const server = createServer((request, response) => {
      const { method, headers } = request;
      if (method === 'GET') return response.end(JSON.stringify(status));
      let body = '';
      request.on('data', (text) => {
        body += text;
      });
      return request.on('end', () => {
        this.orders.push(`${request.url} ${headers.authorization} ${body}`);
        if (refusal) response.writeHead(409).end(JSON.stringify({ error: refusal }));
        else response.end(JSON.stringify({ pid: 7, overrides: [] }));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise<unknown>((resolve) =>
      this.#server ? this.#server.close(resolve) : resolve(null),
    );
    this.#server = null;
  }
}

describe('the predecessor', () => {
  const somebody = new Somebody();
  afterEach(() => somebody.close());

  const base = twoSiteConfig(1);
  const find = (port: number): Promise<Predecessor | null> => {
    const fra: Site = {
      ...base.sites[0]!,
      api: { listen: { address: '127.0.0.1', port }, token_file: null },
    };
    return findPredecessor(base, fra, 'fra', 'secret', silentLog);
  };

  test('is nobody where nobody listens', async () => {
    assert.equal(await find(await freePort()), null);
  });

  test('of the same site is asked to leave, by name and with the token', async () => {
    const old = await find(await somebody.listen({ deployment: 'test', site: 'fra', pid: 7 }));
    assert.deepEqual(somebody.orders, []);
    assert.deepEqual(await old!.leave(never), []);
    assert.deepEqual(somebody.orders, [
      '/v1/leave Bearer secret {"deployment":"test","site":"fra","agent":"fra"}',
    ]);
  });

  test('of another site, or no agent at all, is left in peace', async () => {
    for (const [status, found] of [
      [{ deployment: 'test', site: 'iad' }, 'test/iad'],
      [{ deployment: 'other', site: 'fra' }, 'other/fra'],
      [{ hello: 'world' }, 'something else'],
    ] as const) {
      const port = await somebody.listen(status);
      await assert.rejects(find(port), {
        message: `http://127.0.0.1:${port} is ${found}, not test/fra: it goes on`,
      });
      await somebody.close();
    }
    assert.equal(somebody.orders.length, 1, 'that of the test before');
  });

  test('that does not obey is an error; one that has ended by itself is not', async () => {
    const port = await somebody.listen({ deployment: 'test', site: 'fra' }, 'no');
    const old = await find(port);
    await assert.rejects(old!.leave(never), { message: `http://127.0.0.1:${port}: no` });
    await somebody.close();
    assert.deepEqual(await old!.leave(never), []);
  });
});

describe('an address that another process still has', () => {
  const taken = (): Error =>
    new Error('API 127.0.0.1:1: in use by another program', { cause: { code: 'EADDRINUSE' } });

  /** Lets virtual time pass until `done` settles; gives the milliseconds that took. */
  async function pass(clock: VirtualClock, done: Promise<unknown>): Promise<number> {
    let over = false;
    const end = (): void => {
      over = true;
    };
    done.then(end, end);
    const start = clock.now();
    while (!over) {
      await new Promise(setImmediate);
      if (!over) clock.advance(50);
    }
    return clock.now() - start;
  }

  test('is tried again until it is free', async () => {
    const clock = new VirtualClock();
    let tries = 0;
    const listening = whenFree(
      async () => {
        tries += 1;
        if (tries < 4) throw taken();
      },
      clock,
      never,
    );
    await pass(clock, listening);
    await listening;
    assert.equal(tries, 4);
  });

  test('for ten seconds at most', async () => {
    const clock = new VirtualClock();
    const listening = whenFree(() => Promise.reject(taken()), clock, never);
    const ms = await pass(clock, listening);
    await assert.rejects(listening, /in use by another program/);
    assert.ok(ms >= 10_000 && ms < 10_200, `${ms} ms`);
  });

  test('but not when it cannot be had at all', async () => {
    const error = new Error('permission denied', { cause: { code: 'EACCES' } });
    await assert.rejects(
      whenFree(() => Promise.reject(error), new VirtualClock(), never),
      error,
    );
  });
});

describe('the successor', () => {
  const backend = new Backend();
  let config: Config;
  before(async () => {
    const base = twoSiteConfig(await backend.listen('127.66.4.1', 0), '127.66.4.1');
    const api = { listen: { address: '127.0.0.1', port: await freePort() }, token_file: null };
    config = {
      ...base,
      sites: base.sites.map((site) => ({ ...site, api })),
    };
  });
  after(() => backend.close());

  function succeed(predecessor: Predecessor, store: Store): Daemon {
    const geo = buildGeoMap(config.geo, config.regions);
    assert.ok(geo.ok);
    return new Daemon({
      config,
      site: 'fra',
      geo: geo.value,
      store,
      drivers: () => ({ tunnel: noTunnel, steering: noSteering }),
      clock: new SystemClock(),
      prng: prng(1),
      log: silentLog,
      token: null,
      control: null,
      predecessor,
    });
  }

  test('answers DNS before the old one leaves; reports, API and drain come after', async () => {
    const store = new MemoryHub().store('fra');
    let reports = 0;
    store.subscribe(() => {
      reports += 1;
    });
    const url = `http://127.0.0.1:${config.sites[0]!.api.listen.port}/v1/status`;
    const old = {
      leave: async () => {
        const [dns] = daemon.agent.addresses;
        const answer = await ask(dns!, 'www.example.com', TYPE.A, '192.0.2.0');
        assert.deepEqual(answer, ['127.66.4.1']);
        await assert.rejects(fetch(url));
        // A verdict that changes meanwhile would be news to the others, too.
        backend.healthy = false;
        await new Promise((resolve) => setTimeout(resolve, 200));
        assert.equal(reports, 0, 'two would report for one site');
        const { override } = drainOrder('fra');
        return [{ override, for_ms: 60_000, left_ms: null }];
      },
    };
    const daemon = succeed(old, store);
    try {
      await daemon.start();
      const { drain } = (await (await fetch(url)).json()) as Status;
      assert.deepEqual([drain?.by, drain?.reason], ['ada', 'kernel']);
      assert.ok(drain!.for_ms >= 60_000, 'it has been drained since then');
      assert.ok(reports > 0);
    } finally {
      await daemon.stop('the test ends');
    }
  });

  test('that is stopped while it waits for the old one to end, ends at once', async () => {
    backend.healthy = true;
    const clock = new SystemClock();
    const { port } = config.sites[0]!.api.listen;
    const server = createServer().listen(port, '127.0.0.1');
    await once(server, 'listening');
    const silent = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('no longer asked')));
      });
    for (const leave of [async () => [], silent]) {
      let asked = false;
      const old: Predecessor = {
        leave: (signal) => {
          asked = true;
          return leave(signal);
        },
      };
      const daemon = succeed(old, new MemoryHub().store('fra'));
      const started = daemon.start().catch(() => {});
      await eventually('it asks the old one', () => asked);
      const began = clock.now();
      await Promise.all([daemon.stop('enough'), started]);
      assert.ok(clock.now() - began < 4_000, 'long before it would be ended by force');
    }
    server.close();
    await once(server, 'close');
  });

  test('that cannot end the old one ends itself', async () => {
    backend.healthy = true;
    const old = { leave: () => Promise.reject(new Error('401')) };
    const daemon = succeed(old, new MemoryHub().store('fra'));
    await assert.rejects(daemon.start(), /401/);
    const [dns] = daemon.agent.addresses;
    await assert.rejects(ask(dns!, 'www.example.com', TYPE.A, '192.0.2.0'));
  });
});
