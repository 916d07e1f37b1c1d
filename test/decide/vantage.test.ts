import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { observersOf } from '../../src/decide/vantage.ts';
import type { Config, Endpoint } from '../../src/model/config.ts';
import { testConfig } from '../support/config.ts';

/** `count` endpoints, spread over the named sites in turn, each looked at by so many. */
function deployment(names: readonly string[], count: number, observers: number): Config {
  const config = testConfig();
  const sites = [...names].sort().map((name) => ({ ...config.sites[0]!, name }));
  const endpoints = Array.from({ length: count }, (_, i): Endpoint => {
    const vantage = { observers, rule: 'majority' } as const;
    return { ...config.endpoints[0]!, id: `lb${i}/web/ipv4`, site: i % sites.length, vantage };
  });
  return { ...config, sites, endpoints };
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `site${i}`);

/** Endpoint → names of its observers, the first choice first. */
function chosen(config: Config): string[][] {
  return config.endpoints.map((_, i) => {
    return observersOf(config, i).map((site) => config.sites[site]!.name);
  });
}

/** The same homes, by name, without the site; its own endpoints are gone. */
function without(config: Config, name: string): Config {
  const sites = config.sites.filter((site) => site.name !== name);
  const endpoints = config.endpoints.flatMap((endpoint) => {
    const home = config.sites[endpoint.site]!.name;
    const site = sites.findIndex((other) => other.name === home);
    return site < 0 ? [] : [{ ...endpoint, site }];
  });
  return { ...config, sites, endpoints };
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/), {
  minLength: 1,
  maxLength: 12,
});

describe('vantage points', () => {
  test('as many as are asked for, each once, and never the home', () => {
    fc.assert(
      fc.property(names, fc.nat(14), (sites, observers) => {
        const config = deployment(sites, 20, observers);
        config.endpoints.forEach((endpoint, i) => {
          const list = observersOf(config, i);
          assert.equal(list.length, Math.min(observers, sites.length - 1));
          assert.equal(new Set(list).size, list.length);
          assert.equal(list.includes(endpoint.site), false);
        });
      }),
    );
  });

  test('who asks for one more keeps those that he has', () => {
    const few = chosen(deployment(numbered(9), 200, 2));
    const more = chosen(deployment(numbered(9), 200, 3));
    few.forEach((list, i) => {
      assert.deepEqual(more[i]!.slice(0, 2), list);
    });
  });

  test('the work is spread evenly over the sites', () => {
    for (const sites of [3, 10, 50]) {
      const count = sites * 200;
      const counts = new Map<string, number>();
      for (const name of chosen(deployment(numbered(sites), count, 2)).flat()) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const mean = (count * 2) / sites;
      assert.equal(counts.size, sites);
      for (const [name, each] of counts) {
        assert.ok(Math.abs(each - mean) < mean / 4, `${name} of ${sites} has ${each}, not ${mean}`);
      }
    }
  });

  test('when a site leaves, only its own places change hands', () => {
    fc.assert(
      fc.property(names, fc.integer({ min: 1, max: 4 }), fc.nat(), (sites, observers, pick) => {
        const gone = sites[pick % sites.length]!;
        const before = deployment(sites, 40, observers);
        const after = without(before, gone);
        const was = new Map(before.endpoints.map(({ id }, i) => [id, chosen(before)[i]!]));
        after.endpoints.forEach(({ id }, i) => {
          const kept = was.get(id)!.filter((name) => name !== gone);
          assert.deepEqual(chosen(after)[i]!.slice(0, kept.length), kept);
        });
      }),
      { numRuns: 50 },
    );
  });

  test('the choice is the same in every version: a change would move all work at once', () => {
    const config = deployment(['fra', 'iad', 'nrt', 'sin', 'syd'], 3, 2);
    assert.deepEqual(chosen(config), [
      ['syd', 'sin'],
      ['fra', 'nrt'],
      ['fra', 'iad'],
    ]);
  });
});
