/** What a site sees of other sites and of its uplink, and when it believes it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { CheckTiming, ProbeTarget } from '../../src/model/check.ts';
import type { Config } from '../../src/model/config.ts';
import type { Observer, ObserverNews } from '../../src/observe/observer.ts';
import { HTTP_CHECK, testConfig, withEndpoints } from '../support/config.ts';
import { Farm } from './farm.ts';

const OTHERS = ['iad-lb1/web', 'iad-lb2/web', 'sin-lb1/web', 'sin-lb2/web'];
const UPLINK = ['fra/uplink/192.0.2.1/wan', 'fra/uplink/192.0.2.2/wan'];

interface Wish {
  readonly sites?: readonly string[];
  readonly observers?: number;
  readonly uplink?: boolean;
  readonly timing?: Partial<CheckTiming>;
}

/** fra, whose observer it is, looks at the endpoints of these sites. */
function deployment({ sites = ['iad', 'sin'], observers = 2, uplink, timing }: Wish = {}): Config {
  const config = testConfig();
  const vantage = { observers, rule: 'majority' } as const;
  const endpoints = config.endpoints
    .filter(({ load_balancer: name }) => ['fra', ...sites].includes(name.slice(0, 3)))
    .map((endpoint) => ({ ...endpoint, vantage }));
  const made = withEndpoints(config, endpoints, timing);
  if (!uplink) return made;
  const own = UPLINK.map((id, i): ProbeTarget => {
    const check = { ...HTTP_CHECK, name: 'wan' };
    const address = `192.0.2.${i + 1}`;
    return { id: `${id}/ipv4`, load_balancer: '', site: 0, address, port: 80, check };
  });
  const first = made.targets.length;
  const of = own.map((_, i) => ({ kind: 'target', target: first + i }) as const);
  const [fra, ...rest] = made.sites;
  const seen = { ...fra!, uplink: { kind: 'at-least', count: 1, of } as const };
  return { ...made, sites: [seen, ...rest], targets: [...made.targets, ...own] };
}

async function running(wish: Wish = {}): Promise<[Farm, Observer, ObserverNews[]]> {
  const farm = new Farm();
  const observer = farm.observer(deployment(wish));
  const news: ObserverNews[] = [];
  observer.onNews((one) => news.push(one));
  observer.start();
  await farm.clock.advanceAsync(2_000);
  return [farm, observer, news];
}

function set(of: Set<string>, ids: readonly string[], member: boolean): void {
  for (const id of ids) {
    if (member) of.add(id);
    else of.delete(id);
  }
}

const told = (observer: Observer): string =>
  Object.entries(observer.observed(0))
    .map(([id, { up }]) => `${id.slice(0, 7)} ${up ? 'up' : 'down'}`)
    .sort()
    .join(', ');

describe('endpoints of other sites', () => {
  test('are probed by those who are assigned to them, and reported apart from its own', async () => {
    const [, observer, news] = await running();
    assert.deepEqual(Object.keys(observer.sights(0)), ['fra-lb1/web', 'fra-lb2/web']);
    assert.equal(told(observer), 'iad-lb1 up, iad-lb2 up, sin-lb1 up, sin-lb2 up');
    assert.deepEqual(observer.observed(2_000)['iad-lb1/web'], {
      up: true,
      for_ms: 1_980,
      detail: 'HTTP 200',
    });
    assert.deepEqual(news, [], 'that all is as expected is no news');
  });

  test('without observers only a site itself looks', async () => {
    const [farm, observer] = await running({ observers: 0 });
    assert.deepEqual(observer.observed(0), {});
    assert.ok(farm.begun.every((entry) => entry.startsWith('fra-')));
  });

  test('the start does not wait for them', async () => {
    const farm = new Farm();
    for (const id of OTHERS) farm.hanging.add(id);
    const observer = farm.observer(deployment(), 2);
    let ready = false;
    void observer.ready.then(() => {
      ready = true;
    });
    observer.start();
    await farm.clock.advanceAsync(50);
    assert.ok(ready);
    assert.deepEqual(observer.observed(50), {});
  });

  test('one that a reload makes another is told to be down once a further one has answered', async () => {
    const [farm, observer] = await running();
    farm.down.add('iad-lb1/web');
    await farm.clock.advanceAsync(2_000);
    const config = deployment();
    const endpoints = config.endpoints.map((each) =>
      each.id === 'iad-lb1/web' ? { ...each, address4: '192.0.2.77' } : each,
    );
    observer.reconfigure({ ...config, endpoints });
    const others = 'iad-lb2 up, sin-lb1 up, sin-lb2 up';
    assert.equal(told(observer), others);
    await farm.clock.advanceAsync(2_000);
    assert.equal(told(observer), `iad-lb1 down, ${others}`);
  });

  test('one that is down is told at once, and again when it is back', async () => {
    const [farm, observer, news] = await running();
    farm.down.add('iad-lb1/web');
    await farm.clock.advanceAsync(2_000);
    assert.equal(told(observer), 'iad-lb1 down, iad-lb2 up, sin-lb1 up, sin-lb2 up');
    assert.equal(observer.suspect, null);
    farm.down.delete('iad-lb1/web');
    await farm.clock.advanceAsync(2_000);
    const words = news.map((one) => (one.kind === 'observed' ? [one.id, one.sight.up] : one.kind));
    assert.deepEqual(words, [
      ['iad-lb1/web', false],
      ['iad-lb1/web', true],
    ]);
  });

  test('a whole site that is down is told while another can be seen', async () => {
    const [farm, observer] = await running();
    set(farm.down, OTHERS.slice(0, 2), true);
    await farm.clock.advanceAsync(2_000);
    assert.equal(told(observer), 'iad-lb1 down, iad-lb2 down, sin-lb1 up, sin-lb2 up');
  });

  test('those that a new configuration gives to others are looked at no more', async () => {
    const [farm, observer] = await running();
    observer.reconfigure(deployment({ sites: ['sin'] }));
    assert.equal(told(observer), 'sin-lb1 up, sin-lb2 up');
    const before = farm.times('iad-lb1/web').length;
    await farm.clock.advanceAsync(2_000);
    assert.equal(farm.times('iad-lb1/web').length, before);
  });
});

describe('a site that sees nobody', () => {
  test('suspects itself and says nothing of others, until it sees again', async () => {
    const [farm, observer, news] = await running();
    set(farm.hanging, OTHERS, true);
    await farm.clock.advanceAsync(3_000);
    assert.equal(observer.suspect, 'sees none of 4 endpoints of other sites');
    assert.deepEqual(observer.observed(0), {});
    assert.equal(observer.sights(0)['fra-lb1/web']!.up, true, 'its own it sees well');
    set(farm.hanging, OTHERS, false);
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.suspect, null);
    assert.equal(told(observer), 'iad-lb1 up, iad-lb2 up, sin-lb1 up, sin-lb2 up');
    const suspicions = news.map((one) => (one.kind === 'suspect' ? one.why : one));
    assert.deepEqual(suspicions, ['sees none of 4 endpoints of other sites', null]);
  });

  test('never tells that one of the others is down, neither as it goes blind nor after', async () => {
    const scene = fc.record({
      at: fc.integer({ min: 500, max: 1_500 }),
      extra_ms: fc.integer({ min: 0, max: 3_000 }),
      interval_ms: fc.integer({ min: 100, max: 1_000 }),
      interval_failing_ms: fc.integer({ min: 50, max: 1_000 }),
      fall: fc.integer({ min: 1, max: 4 }),
      rise: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ at, extra_ms, ...timing }) => {
        // Long enough for each of them to be asked: a shorter cut hits only some, as their own would.
        const lasts = 1.2 * timing.interval_ms + 100 + extra_ms;
        const farm = new Farm();
        const observer = farm.observer(deployment({ timing }));
        observer.start();
        for (let now = 0; now < at + lasts + 4_000; now += 25) {
          set(farm.down, OTHERS, now >= at && now < at + lasts);
          await farm.clock.advanceAsync(25, 25);
          assert.doesNotMatch(told(observer), /down/, `at ${now}`);
        }
        assert.equal(observer.suspect, null);
        assert.equal(told(observer), 'iad-lb1 up, iad-lb2 up, sin-lb1 up, sin-lb2 up');
        observer.stop();
      }),
      { numRuns: 40 },
    );
  });

  test('still tells who was down when it sees again', async () => {
    const [farm, observer] = await running();
    farm.down.add('sin-lb2/web');
    await farm.clock.advanceAsync(2_000);
    set(farm.hanging, OTHERS, true);
    await farm.clock.advanceAsync(3_000);
    set(farm.hanging, OTHERS, false);
    await farm.clock.advanceAsync(2_000);
    assert.equal(told(observer), 'iad-lb1 up, iad-lb2 up, sin-lb1 up, sin-lb2 down');
  });

  test('is one that looks at a single endpoint, which is down', async () => {
    const farm = new Farm();
    const config = deployment();
    const [own, other] = [config.endpoints[0]!, config.endpoints[2]!];
    const observer = farm.observer(withEndpoints(config, [own, other]));
    observer.start();
    farm.down.add('iad-lb1/web');
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.suspect, 'does not see the endpoint of iad');
    assert.deepEqual(observer.observed(0), {});
  });

  test('cannot tell the only other site from itself, unless its uplink works', async () => {
    const sites = ['iad'];
    const [farm, observer] = await running({ sites });
    set(farm.down, OTHERS, true);
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.suspect, 'sees none of 2 endpoints of iad');

    const [other, sure] = await running({ sites, uplink: true });
    set(other.down, OTHERS, true);
    await other.clock.advanceAsync(2_000);
    assert.equal(sure.suspect, null);
    assert.equal(told(sure), 'iad-lb1 down, iad-lb2 down');
    set(other.down, UPLINK, true);
    await other.clock.advanceAsync(2_000);
    assert.equal(sure.suspect, 'sees none of 2 endpoints of iad');
  });

  test('does not believe that several sites are down, however well its uplink works', async () => {
    const [farm, observer] = await running({ uplink: true });
    set(farm.down, OTHERS, true);
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.uplink, true);
    assert.equal(observer.suspect, 'sees none of 4 endpoints of other sites');
  });
});

describe('the uplink of a site', () => {
  test('works while enough of its addresses answer; each change is news', async () => {
    const [farm, observer, news] = await running({ uplink: true });
    assert.equal(observer.uplink, true);
    farm.down.add(UPLINK[0]!);
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.uplink, true, 'one of two is enough');
    farm.down.add(UPLINK[1]!);
    await farm.clock.advanceAsync(2_000);
    assert.equal(observer.uplink, false);
    set(farm.down, UPLINK, false);
    await farm.clock.advanceAsync(2_000);
    const words = news.map((one) => one.kind === 'uplink' && `${one.up} ${one.detail}`);
    assert.deepEqual(words.slice(0, 2), [
      'true wan at 192.0.2.1: HTTP 200',
      'false only 0 of 1 hold: wan at 192.0.2.1: connection refused, wan at 192.0.2.2: connection refused',
    ]);
    assert.match(String(words[2]), /^true wan at 192\.0\.2\.[12]: HTTP 200$/);
    assert.equal(words.length, 3);
  });

  test('is not known without one, nor before the first probe', async () => {
    const [, observer] = await running();
    assert.equal(observer.uplink, null);
    assert.equal(new Farm().observer(deployment({ uplink: true })).uplink, null);
  });
});
