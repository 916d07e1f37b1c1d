import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AdjRibIn } from '../../src/bgp/adj-rib-in.ts';
import { PrefixSet } from '../../src/bgp/prefix-set.ts';
import type { AsPath } from '../../src/bgp/wire/as-path.ts';
import type { Attributes } from '../../src/bgp/wire/attributes.ts';
import type { Nlri } from '../../src/bgp/wire/nlri.ts';
import { routeChanges, type Update } from '../../src/bgp/wire/update.ts';
import type { BgpRole, ReceivePolicy } from '../../src/model/bgp.ts';
import { parsePrefix } from '../../src/net/ip.ts';

const NOTHING_KEPT: ReceivePolicy = { accept: [], prefixes_max: 1_000, watch_vips: false };
const ALL_KEPT: ReceivePolicy = { ...NOTHING_KEPT, accept: ['0.0.0.0/0', '::/0'] };
const path = (...as: number[]): AsPath => [{ kind: 'sequence', as }];
const nlri = (text: string, path_id?: number): Nlri => ({
  ...parsePrefix(text)!,
  ...(path_id === undefined ? {} : { path_id }),
});

interface Told {
  readonly withdrawn?: readonly (string | Nlri)[];
  readonly announced?: readonly (string | Nlri)[];
  readonly attributes?: Attributes;
}

/** Has the table read an UPDATE with these prefixes, each family in its own field. */
function tell(rib: AdjRibIn, { withdrawn = [], announced = [], attributes = {} }: Told): void {
  const parse = (list: readonly (string | Nlri)[], octets: number): Nlri[] =>
    list
      .map((one) => (typeof one === 'string' ? nlri(one) : one))
      .filter(({ address }) => address.length === octets);
  const next_hop = new Uint8Array(16).fill(1);
  const update: Update = {
    withdrawn: parse(withdrawn, 4),
    announced: parse(announced, 4),
    attributes: {
      origin: 0,
      as_path: path(65000),
      next_hop: Uint8Array.of(192, 0, 2, 1),
      mp_reach: { family: 6, next_hop, nlri: parse(announced, 16) },
      mp_unreach: { family: 6, nlri: parse(withdrawn, 16) },
      ...attributes,
    },
  };
  rib.routes(routeChanges(update, null), update);
}

function opened(policy = NOTHING_KEPT, role: BgpRole | null = null): AdjRibIn {
  const rib = new AdjRibIn(policy, 1);
  rib.open({ local_as: 65001, router_id: 0x0a000001, peer_as: 65000, role });
  return rib;
}

const shown = (rib: AdjRibIn): string[] =>
  rib.shown().map(({ prefix, path_id }) => (path_id === null ? prefix : `${prefix} ${path_id}`));

describe('Adj-RIB-In', () => {
  test('counts every prefix once and keeps none, unless the policy accepts it', () => {
    const rib = opened({ ...NOTHING_KEPT, accept: ['10.1.0.0/16'] });
    tell(rib, { announced: ['10.1.2.0/24', '10.0.0.0/15', '10.2.0.0/16', '2001:db8::/32'] });
    tell(rib, { announced: ['10.1.2.0/24', '10.2.0.0/16'], withdrawn: ['2001:db8:1::/48'] });
    const { ipv4, ipv6, kept, filtered } = rib.counts();
    assert.deepEqual([ipv4, ipv6, kept, filtered], [3, 1, 1, 3]);
    assert.deepEqual(shown(rib), ['10.1.2.0/24']);
    tell(rib, { withdrawn: ['10.1.2.0/24', '2001:db8::/32'] });
    assert.deepEqual([rib.size, shown(rib)], [2, []]);
  });

  test('shows what is kept with its attributes', () => {
    const rib = opened(ALL_KEPT);
    const attributes = { as_path: path(65000, 65010), med: 5, communities: [0xffffff01] };
    tell(rib, { announced: ['10.1.2.0/24'], attributes });
    assert.deepEqual(rib.shown(), [
      {
        prefix: '10.1.2.0/24',
        path_id: null,
        next_hop: '192.0.2.1',
        as_path: '65000 65010',
        med: 5,
        local_pref: null,
        communities: ['no-export'],
        stale: false,
      },
    ]);
  });

  test('more prefixes than allowed are noticed, and are not stored', () => {
    const rib = opened({ ...ALL_KEPT, prefixes_max: 3 });
    tell(rib, { announced: ['10.0.0.1/32', '10.0.0.2/32', '10.0.0.3/32', '10.0.0.1/32'] });
    assert.equal(rib.overLimit, false);
    tell(rib, { announced: Array.from({ length: 500 }, (_, i) => `10.1.${i >> 8}.${i & 255}/32`) });
    assert.equal(rib.overLimit, true);
    assert.deepEqual([rib.size, rib.shown().length], [4, 4]);
  });

  test('a route with our own AS in its path is not kept (RFC 4271 §9.1.2)', () => {
    const rib = opened(ALL_KEPT);
    tell(rib, { announced: ['10.0.0.0/24'] });
    tell(rib, { announced: ['10.0.0.0/24'], attributes: { as_path: path(65000, 65001) } });
    const { kept, looped } = rib.counts();
    assert.deepEqual([kept, looped, shown(rib)], [0, 1, []]);
  });

  test('a route of our own that a reflector sends back is not kept (RFC 4456 §8)', () => {
    const rib = opened(ALL_KEPT);
    tell(rib, {
      announced: ['10.0.0.0/24'],
      attributes: { as_path: [], originator_id: 0x0a000001 },
    });
    tell(rib, {
      announced: ['10.0.1.0/24'],
      attributes: { as_path: [], originator_id: 0x0a000002 },
    });
    assert.deepEqual([rib.counts().looped, shown(rib)], [1, ['10.0.1.0/24']]);
  });

  test('a leak by its Only to Customer attribute is not kept (RFC 9234 §5)', () => {
    const leaks = (role: BgpRole | null, otc: number): boolean => {
      const rib = opened(ALL_KEPT, role);
      tell(rib, { announced: ['10.0.0.0/24'], attributes: { otc } });
      const { kept, leaked } = rib.counts();
      assert.equal(kept + leaked, 1);
      return leaked === 1;
    };
    assert.ok(leaks('provider', 65000));
    assert.ok(leaks('rs', 65000));
    assert.ok(leaks('peer', 65010));
    assert.ok(!leaks('peer', 65000));
    assert.ok(!leaks('customer', 65010));
    assert.ok(!leaks('rs-client', 65010));
    assert.ok(!leaks(null, 65010));
    // A range may have members in our own AS: there nobody has a role.
    const inside = new AdjRibIn(ALL_KEPT, 1);
    inside.open({ local_as: 65001, router_id: 1, peer_as: 65001, role: 'provider' });
    tell(inside, { announced: ['10.0.0.0/24'], attributes: { otc: 65010 } });
    assert.deepEqual(shown(inside), ['10.0.0.0/24']);
  });

  test('what is not announced again by the end of a refresh is gone, in that family only', () => {
    const rib = opened(ALL_KEPT);
    tell(rib, { announced: ['10.0.0.1/32', '10.0.0.2/32', '2001:db8::1/128'] });
    rib.stale(4);
    assert.equal(rib.counts().stale, 2);
    tell(rib, { announced: ['10.0.0.2/32', '10.0.0.3/32'] });
    const stale = rib.shown().filter((route) => route.stale);
    assert.deepEqual(
      stale.map(({ prefix }) => prefix),
      ['10.0.0.1/32'],
    );
    rib.sweep(4);
    assert.deepEqual(shown(rib).sort(), ['10.0.0.2/32', '10.0.0.3/32', '2001:db8::1/128']);
    const { ipv4, ipv6, stale: left } = rib.counts();
    assert.deepEqual([ipv4, ipv6, left], [2, 1, 0]);
  });

  test('several paths to one prefix are several routes (RFC 7911)', () => {
    const rib = opened(ALL_KEPT);
    tell(rib, { announced: [nlri('10.0.0.0/24', 1), nlri('10.0.0.0/24', 2)] });
    assert.deepEqual(shown(rib), ['10.0.0.0/24 1', '10.0.0.0/24 2']);
    tell(rib, { withdrawn: [nlri('10.0.0.0/24', 1)] });
    assert.deepEqual([rib.size, shown(rib)], [1, ['10.0.0.0/24 2']]);
  });

  test('another policy drops what it does not accept, and says when it could accept more', () => {
    const rib = opened({ ...NOTHING_KEPT, accept: ['10.0.0.0/8'] });
    tell(rib, { announced: ['10.0.0.0/24', '10.1.0.0/24'] });
    assert.equal(rib.policy({ ...NOTHING_KEPT, accept: ['10.1.0.0/16'] }), true);
    assert.deepEqual(shown(rib), ['10.1.0.0/24']);
    assert.equal(rib.policy(NOTHING_KEPT), false);
    const { kept, filtered } = rib.counts();
    assert.deepEqual([kept, filtered], [0, 2]);
    rib.policy({ ...NOTHING_KEPT, prefixes_max: 1 });
    assert.equal(rib.overLimit, true);
  });

  test('sees watched prefixes whatever becomes of the route, and all their paths', () => {
    const rib = opened();
    tell(rib, { announced: ['10.0.0.1/32'], attributes: { as_path: path(65000, 65001) } });
    const watched = ['10.0.0.1/32', '10.0.0.2/32'].map(
      (text) => [text, parsePrefix(text)!] as const,
    );
    rib.watch(new Map(watched));
    assert.deepEqual([rib.sees('10.0.0.1/32'), rib.sees('10.0.0.2/32')], [true, false]);
    tell(rib, { announced: [nlri('10.0.0.2/32', 7), nlri('10.0.0.2/32', 8), '10.0.0.3/32'] });
    tell(rib, { withdrawn: ['10.0.0.1/32', nlri('10.0.0.2/32', 7)] });
    assert.deepEqual([rib.sees('10.0.0.1/32'), rib.sees('10.0.0.2/32')], [false, true]);
    rib.stale(4);
    rib.sweep(4);
    assert.equal(rib.sees('10.0.0.2/32'), false);
  });

  test('property: whatever the peer says, what is counted and kept is what it has left', () => {
    const prefixes = ['10.0.0.0/8', '10.0.0.0/24', '10.0.1.0/24', '::/0', '2001:db8::/32'];
    const said = fc.oneof(
      fc.record({ withdrawn: fc.subarray(prefixes), announced: fc.subarray(prefixes) }),
      fc.constantFrom<4 | 6>(4, 6),
    );
    const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4);
    fc.assert(
      fc.property(fc.array(said, { maxLength: 30 }), (all) => {
        const rib = opened(ALL_KEPT);
        let expected = new Set<string>();
        let stale = new Set<string>();
        for (const one of all) {
          if (typeof one === 'object') {
            tell(rib, one);
            for (const text of one.withdrawn) expected.delete(text);
            for (const text of one.announced) expected.add(text);
            for (const text of [...one.withdrawn, ...one.announced]) stale.delete(text);
          } else if (stale.size > 0) {
            rib.sweep(one);
            expected = new Set(
              [...expected].filter((it) => !stale.has(it) || familyOf(it) !== one),
            );
            stale = new Set([...stale].filter((it) => familyOf(it) !== one));
          } else {
            rib.stale(one);
            stale = new Set([...expected].filter((it) => familyOf(it) === one));
          }
          assert.deepEqual(shown(rib).sort(), [...expected].sort());
          assert.deepEqual([rib.size, rib.counts().stale], [expected.size, stale.size]);
        }
        rib.clear();
        assert.deepEqual([rib.size, rib.counts().kept, shown(rib)], [0, 0, []]);
      }),
    );
  });
});

describe('a compact set of prefixes', () => {
  test('property: is a set, whatever goes in and out in whatever order', () => {
    const prefix = fc.record({
      address: fc.uint8Array({ minLength: 4, maxLength: 4 }),
      length: fc.constantFrom(24, 32),
      path_id: fc.integer({ min: 0, max: 1 }),
    });
    const step = fc.tuple(prefix, fc.constantFrom('set', 'delete'), fc.integer({ min: 1, max: 3 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
        const set = new PrefixSet(seed);
        const model = new Map<string, number>();
        for (const [it, what, note] of steps) {
          const key = `${it.address.join('.')}/${it.length} ${it.path_id}`;
          const before = model.get(key) ?? 0;
          assert.equal(what === 'set' ? set.set(it, note) : set.delete(it), before);
          if (what === 'set') model.set(key, note);
          else model.delete(key);
          assert.equal(set.size, model.size);
        }
        set.rewrite((note) => (note === 1 ? 0 : note));
        for (const [it] of steps) {
          const left = model.get(`${it.address.join('.')}/${it.length} ${it.path_id}`) ?? 0;
          assert.equal(set.get(it), left === 1 ? 0 : left);
        }
      }),
    );
  });

  test('100,000 prefixes of both families and many paths are told apart', () => {
    const set = new PrefixSet(7);
    for (let i = 0; i < 100_000; i++) {
      const address = new Uint8Array(i % 2 === 0 ? 4 : 16);
      new DataView(address.buffer).setUint32(0, i >> 2);
      assert.equal(set.set({ address, length: 32, path_id: i & 2 }, 1), 0);
    }
    assert.equal(set.size, 100_000);
  });
});
