/**
 * The guard of capacity among whole agents on virtual time, whose sites lose each other: whatever the
 * network and the clocks do, health takes no more than it may unless most of those who look agree.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HOUR_MS, healed, type Partition, withSites } from '../support/partition.ts';
import type { Line } from '../support/sim-store.ts';

/** What happens to three sites of which one has a load balancer that all of them see fail. */
const TROUBLES: Readonly<Record<string, (sites: Partition) => void>> = {
  'split 1|2': (sites) => sites.split([['fra'], ['iad', 'sin']]),
  'split 2|1': (sites) => sites.split([['fra', 'iad'], ['sin']]),
  'split 1|1|1': (sites) => sites.split([['fra'], ['iad'], ['sin']]),
  'reports alone split 1|1|1': (sites) => sites.split([['fra'], ['iad'], ['sin']], false),
  'one site is not heard': (sites) => everyLine(sites, 'fra', { writes: false }),
  'one site does not hear': (sites) => everyLine(sites, 'fra', { in: false }),
  'an observer sees nobody': (sites) => sites.blind.set('fra', new Set(['iad', 'sin'])),
  'an observer sees nobody and is not heard': (sites) => {
    sites.blind.set('fra', new Set(sites.names));
    everyLine(sites, 'fra', { writes: false });
  },
  'clocks jump an hour apart': (sites) => {
    sites.clocks.get('fra')!.moved_ms = HOUR_MS;
    sites.clocks.get('sin')!.moved_ms = -HOUR_MS;
  },
  'clocks jump an hour apart in a split 1|1|1': (sites) => {
    sites.split([['fra'], ['iad'], ['sin']]);
    sites.clocks.get('fra')!.moved_ms = HOUR_MS;
    sites.clocks.get('sin')!.moved_ms = -HOUR_MS;
  },
};

function everyLine(sites: Partition, site: string, line: Partial<Line>): void {
  for (const server of sites.network.servers.keys()) {
    Object.assign(sites.network.line(site, server), line);
  }
}

/** Looked at ten times a second by `Partition`, here with limits that are reached. */
describe('the guard of capacity', () => {
  const limits = { evict_max: 0.5, sites_min: 2 };
  for (const [name, happens] of Object.entries(TROUBLES)) {
    test(`${name}: health takes no more than its share, and not the last two sites`, () =>
      withSites({ limits }, async (sites) => {
        sites.broken.add('iad-lb1');
        await sites.run(5_000);
        happens(sites);
        await sites.run(15_000);
        for (const site of sites.names) {
          assert.ok(sites.sitesAnswered(site) >= 2, sites.answers(site).join());
          assert.ok(sites.answers(site).length >= 3, sites.answers(site).join());
        }
        sites.broken.clear();
        await healed(sites);
        for (const site of sites.names) assert.equal(sites.answers(site).length, 6);
      }));
  }

  test('in a split 1|1|1 says which site it keeps, why, and when that is over', () =>
    withSites({ limits }, async (sites) => {
      const said: string[] = [];
      sites.agents.get('fra')!.events.add(({ subject, text }) => {
        if (subject === 'eviction guard') said.push(text);
      });
      sites.split([['fra'], ['iad'], ['sin']]);
      await sites.run(15_000);
      const kept = sites
        .plan('fra')
        .endpoints.filter(({ reason }) => reason.code === 'eviction-guard');
      assert.equal(kept.length, 2);
      for (const { reason } of kept) {
        assert.match(reason.text, /site-lost: .* would be left with 1 sites \(at least 2\)/);
      }
      await healed(sites);
      assert.match(said[0]!, /^keeps in use: (iad|sin)-lb1\/web, (iad|sin)-lb2\/web$/);
      assert.equal(said.at(-1), 'keeps nothing in use any more');
    }));
});
