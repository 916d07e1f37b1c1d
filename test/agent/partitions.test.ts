/**
 * Sites that lose each other, with whole agents on virtual time: whatever the network, the store and
 * the clocks do, no VIP is withdrawn everywhere for nothing, answers stay, nothing flaps, and all agree
 * again soon after it is over.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { prng } from '../../src/base/prng.ts';
import {
  AGREE_MAX_MS,
  type Groups,
  HOUR_MS,
  healed,
  type Partition,
  withSites,
} from '../support/partition.ts';

const all = (sites: Partition): string[] => sites.names.map(() => 'web');

function announcing(sites: Partition): string[] {
  return sites.names.filter((name) => sites.announces(name)).map(() => 'web');
}

/** Each thing changes at most once there and once back, and nothing that `stays` at all. */
function assertCalm(sites: Partition, stays: readonly string[] = []): void {
  const counts = sites.counts();
  const often = [...counts].filter(([, count]) => count > 2);
  assert.deepEqual(often, []);
  const routes = sites.names.map((name) => `${name} web`);
  const moved = [...routes, ...stays].filter((key) => counts.has(key));
  assert.deepEqual(moved, []);
}

const SPLITS: readonly Groups[] = [
  [['fra'], ['iad', 'sin']],
  [['fra', 'iad'], ['sin']],
  [['fra'], ['iad'], ['sin']],
  [
    ['fra', 'nrt'],
    ['iad', 'sin'],
  ],
  [['fra'], ['iad', 'sin', 'nrt']],
  [
    ['fra', 'gru'],
    ['iad', 'sin', 'nrt'],
  ],
  [['fra'], ['iad'], ['sin', 'nrt', 'gru']],
  [['fra'], ['iad'], ['sin'], ['nrt'], ['gru']],
];

describe('a split', () => {
  for (const groups of SPLITS) {
    const name = groups.map((group) => group.join('+')).join(' | ');
    const count = groups.flat().length;
    const inside = (sites: Partition): string[] =>
      groups.flatMap((group) =>
        group.flatMap((site) => group.flatMap((home) => sites.keys(site, home))),
      );

    test(`${name}: nobody withdraws, each side keeps its own, and all is as before`, () =>
      withSites({ sites: count }, async (sites) => {
        sites.split(groups);
        await sites.run(12_000);
        assert.deepEqual(announcing(sites), all(sites));
        await healed(sites);
        assertCalm(sites, inside(sites));
      }));
  }

  test('of the reports alone: endpoints that can be seen to work stay in use', () =>
    withSites({}, async (sites) => {
      sites.split([['fra'], ['iad'], ['sin']], false);
      await sites.run(12_000);
      await healed(sites);
      assert.deepEqual([...sites.counts()], []);
    }));

  test('that comes and goes faster than anybody is lost changes nothing', () =>
    withSites({}, async (sites) => {
      for (let i = 0; i < 10; i++) {
        sites.split([['fra'], ['iad', 'sin']], false);
        await sites.run(2_000);
        sites.heal();
        await sites.run(1_500);
      }
      assert.deepEqual([...sites.counts()], []);
    }));

  test('during which a site fails: it keeps its route, least preferred, until it hears of a better', () =>
    withSites({}, async (sites) => {
      sites.split([['fra'], ['iad', 'sin']]);
      await sites.run(10_000);
      for (const lb of ['fra-lb1', 'fra-lb2']) sites.broken.add(lb);
      await sites.run(10_000);
      const [route] = sites.plan('fra').routes;
      assert.deepEqual([route!.announce, route!.fitness], [true, 'last-site-kept']);
      sites.heal();
      await sites.until('fra withdraws', () => !sites.announces('fra'), AGREE_MAX_MS);
      await sites.run(10_000);
      assert.equal(sites.disagreement(), null);
      assert.deepEqual(sites.answers('iad'), ['iad-lb1', 'iad-lb2', 'sin-lb1', 'sin-lb2']);
      sites.broken.clear();
      await sites.until('fra is back', () => sites.announces('fra'), 10_000);
      await sites.run(10_000);
      const turns = sites.changes.filter(({ what }) => what === 'web');
      assert.deepEqual(
        turns.map(({ site, on }) => [site, on]),
        [
          ['fra', false],
          ['fra', true],
        ],
      );
    }));

  test('during which all sites fail: all keep their routes, and no answer is empty', () =>
    withSites({}, async (sites) => {
      sites.split([['fra'], ['iad'], ['sin']]);
      await sites.run(10_000);
      for (const name of sites.names) for (const n of [1, 2]) sites.broken.add(`${name}-lb${n}`);
      await sites.run(10_000);
      assert.deepEqual(announcing(sites), all(sites));
      sites.broken.clear();
      await sites.run(10_000);
      await healed(sites);
      assertCalm(sites);
    }));
});

describe('one way only', () => {
  for (const [name, line] of [
    ['hears and is not heard', { in: true, out: true, writes: false }],
    ['is heard and does not hear', { in: false, out: true, writes: true }],
    ['does not get through', { in: true, out: false, writes: true }],
  ] as const) {
    const cut = (sites: Partition): void => {
      for (const server of sites.network.servers.keys()) {
        Object.assign(sites.network.line('fra', server), line);
      }
    };

    test(`a site that ${name}: nothing changes for anybody`, () =>
      withSites({}, async (sites) => {
        cut(sites);
        await sites.run(12_000);
        await healed(sites);
        assert.deepEqual([...sites.counts()], []);
      }));

    test(`a site that ${name} and fails: its route goes once, and comes back once`, () =>
      withSites({}, async (sites) => {
        cut(sites);
        await sites.run(8_000);
        for (const lb of ['fra-lb1', 'fra-lb2']) sites.broken.add(lb);
        await sites.run(15_000);
        assert.deepEqual(
          ['iad', 'sin'].map((site) => sites.answers(site).length),
          [4, 4],
        );
        sites.broken.clear();
        await sites.run(10_000);
        await healed(sites);
        const often = [...sites.counts()].filter(([, count]) => count > 2);
        assert.deepEqual(often, []);
        assert.deepEqual(announcing(sites), all(sites));
      }));
  }

  test('each site writes to one server and reads from another: they still meet', () =>
    withSites({}, async (sites) => {
      for (const [index, site] of sites.names.entries()) {
        for (const server of sites.network.servers.keys()) {
          Object.assign(sites.network.line(site, server), { writes: server === index });
        }
      }
      await sites.run(12_000);
      assert.deepEqual([...sites.counts()], []);
    }));
});

describe('an observer that is isolated', () => {
  test('and sees no other site says nothing of them', () =>
    withSites({}, async (sites) => {
      sites.blind.set('fra', new Set(['iad', 'sin']));
      await sites.run(12_000);
      const heard = sites.agents.get('iad')!.decision!.world.sightings.get('fra')!.report;
      assert.match(heard.suspect!, /sees none of 4 endpoints of other sites/);
      assert.deepEqual(heard.observed, {});
      sites.heal();
      await sites.run(15_000);
      assert.deepEqual([...sites.counts()], []);
    }));

  test('and does not see its own endpoints either takes nothing away from anybody', () =>
    withSites({}, async (sites) => {
      sites.blind.set('fra', new Set(sites.names));
      await sites.run(12_000);
      assert.equal(sites.plan('fra').routes[0]!.fitness, 'degraded');
      sites.heal();
      await sites.run(15_000);
      assert.deepEqual([...sites.counts()], []);
    }));

  test('and is cut off as well keeps its route, until it hears that others are better', () =>
    withSites({}, async (sites) => {
      sites.split([['fra'], ['iad', 'sin']]);
      sites.blind.set('fra', new Set(sites.names));
      await sites.run(15_000);
      assert.deepEqual(announcing(sites), all(sites));
      await healed(sites);
      assert.deepEqual(announcing(sites), all(sites));
      const routes = sites.changes.filter(({ what }) => what === 'web');
      assert.deepEqual(
        routes.map(({ site, on }) => [site, on]),
        [
          ['fra', false],
          ['fra', true],
        ],
      );
    }));
});

describe('the store', () => {
  test('is lost for a while and comes back empty: nothing changes', () =>
    withSites({}, async (sites) => {
      for (const site of sites.names) {
        for (const server of sites.network.servers.keys()) {
          Object.assign(sites.network.line(site, server), { in: false, out: false });
        }
      }
      await sites.run(20_000);
      for (const name of sites.names)
        assert.equal(sites.agents.get(name)!.status().connected, false);
      for (const server of sites.network.servers) server.wipe();
      await healed(sites);
      assert.deepEqual([...sites.counts()], []);
    }));

  test('loses everything: an override is there for an agent that knew nothing of it', () =>
    withSites({ servers: 2 }, async (sites) => {
      await sites.stopAgent('sin');
      sites.agents.get('fra')!.overrides.drain('iad', 'ops', 'upgrade');
      await sites.run(3_000);
      for (const server of sites.network.servers) server.wipe();
      await sites.run(3_000);
      await sites.startAgent('sin');
      await sites.run(3_000);
      const known = sites.agents.get('sin')!.overrides.list();
      assert.deepEqual(
        known.map(({ override }) => override.id),
        ['site=iad'],
      );
    }));

  test('loses everything again and again: nothing changes', () =>
    withSites({ servers: 1 }, async (sites) => {
      for (let i = 0; i < 12; i++) {
        sites.network.servers[0]!.wipe();
        await sites.run(700);
      }
      assert.deepEqual([...sites.counts()], []);
    }));
});

describe('clocks that are wrong by an hour', () => {
  test('jump forth and back: nothing changes', () =>
    withSites({}, async (sites) => {
      for (const moved_ms of [HOUR_MS, -HOUR_MS, 0]) {
        sites.clocks.get('fra')!.moved_ms = moved_ms;
        sites.clocks.get('sin')!.moved_ms = -moved_ms;
        await sites.run(10_000);
      }
      assert.deepEqual([...sites.counts()], []);
    }));

  for (const moved_ms of [HOUR_MS, -HOUR_MS]) {
    test(`at a restart during a split, by ${moved_ms / HOUR_MS} h: all agree after the heal`, () =>
      withSites({}, async (sites) => {
        sites.split([['fra'], ['iad', 'sin']]);
        await sites.run(10_000);
        for (const name of ['fra', 'sin']) {
          await sites.stopAgent(name);
          sites.clocks.get(name)!.moved_ms = moved_ms;
          await sites.startAgent(name);
        }
        await sites.run(10_000);
        assert.deepEqual(announcing(sites), all(sites));
        sites.broken.add('fra-lb1');
        await sites.run(5_000);
        await healed(sites);
        for (const name of sites.names)
          assert.equal(sites.answers(name).includes('fra-lb1'), false);
      }));
  }
});

describe('an agent that starts anew during a split', () => {
  for (const name of ['fra', 'iad']) {
    test(`${name}: announces, and is believed after the heal`, () =>
      withSites({}, async (sites) => {
        sites.split([['fra'], ['iad', 'sin']]);
        await sites.run(10_000);
        await sites.stopAgent(name);
        await sites.run(8_000);
        await sites.startAgent(name);
        await sites.run(10_000);
        assert.deepEqual(announcing(sites), all(sites));
        await healed(sites);
        for (const one of sites.names) assert.equal(sites.answers(one).length, 6);
      }));
  }
});

test('an agent that is stopped says so: who has left a VIP to its site announces it again at once', () =>
  withSites({}, async (sites) => {
    for (const name of ['fra', 'iad']) for (const n of [1, 2]) sites.broken.add(`${name}-lb${n}`);
    await sites.run(5_000);
    assert.deepEqual(
      sites.names.filter((name) => sites.announces(name)),
      ['sin'],
    );
    await sites.stopAgent('sin');
    await sites.run(100);
    assert.deepEqual(
      ['fra', 'iad'].map((name) => sites.plan(name).routes[0]!.fitness),
      ['last-site-kept', 'last-site-kept'],
    );
  }));

describe('fencing', () => {
  test('the isolated site withdraws, the others stay, and it comes back once', () =>
    withSites({ site: { fence: true } }, async (sites) => {
      sites.split([['fra'], ['iad', 'sin']]);
      sites.offline.add('fra');
      await sites.run(20_000);
      assert.equal(sites.plan('fra').routes[0]!.reason.code, 'fenced');
      assert.deepEqual(announcing(sites).length, 2);
      await healed(sites);
      assert.equal(sites.counts().get('fra web'), 2);
      assert.deepEqual(announcing(sites), all(sites));
    }));

  test('sites that only lose each other stay', () =>
    withSites({ site: { fence: true } }, async (sites) => {
      sites.split([['fra'], ['iad'], ['sin']]);
      await sites.run(20_000);
      assert.deepEqual(announcing(sites), all(sites));
    }));

  test('nobody is fenced who did not ask for it', () =>
    withSites({}, async (sites) => {
      sites.split([['fra'], ['iad'], ['sin']]);
      for (const name of sites.names) sites.offline.add(name);
      await sites.run(20_000);
      assert.deepEqual(announcing(sites), all(sites));
    }));
});

test('whatever happens in whatever order: somebody announces, all answer, and in the end all agree', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), (seed) =>
      withSites({ sites: 4 }, async (sites) => {
        const random = prng(seed);
        for (let step = 0; step < 8; step++) {
          const groupOf = sites.names.map(() => random.int(3));
          const groups = [0, 1, 2].map((group) =>
            sites.names.filter((_, index) => groupOf[index] === group),
          );
          sites.split(groups, random.int(2) === 0);
          sites.clocks.get(sites.names[random.int(4)]!)!.moved_ms = (random.int(3) - 1) * HOUR_MS;
          sites.network.servers[random.int(4)]!.wipe();
          // One site at most is broken at a time, so that there is always one to announce.
          sites.broken.clear();
          const ill = sites.names[random.int(4)]!;
          for (const number of [1, 2]) if (random.int(2)) sites.broken.add(`${ill}-lb${number}`);
          await sites.run(500 + random.int(9_000));
        }
        sites.broken.clear();
        sites.heal();
        await sites.run(20_000);
        assert.equal(sites.disagreement(), null);
        for (const name of sites.names) assert.equal(sites.answers(name).length, 8);
        assert.deepEqual(announcing(sites), all(sites));
      }),
    ),
    { numRuns: 4 },
  );
});
