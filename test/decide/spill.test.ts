/** One decision about spill at a time; how decisions play together is in simulator.test.ts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decide } from '../../src/decide/decide.ts';
import type { HeldOverride } from '../../src/model/override.ts';
import type { LoadSight, Report, SpillStance } from '../../src/model/report.ts';
import { IDLE_STANCE } from '../../src/model/report.ts';
import { testConfig } from '../support/config.ts';
import { DOWN, drainOrder, loadOf, reportOf, worldOf } from './world.ts';

const config = testConfig();
const policy = config.policy.spill;
const CAPACITY = 200;

function site(name: string, load: LoadSight | null, stance: Partial<SpillStance> = {}): Report {
  return reportOf(config, name, { load, spill: { ...IDLE_STANCE, ...stance } });
}

/** fra's spill plan at `now`; all reports arrived at 0. */
const planned = (reports: readonly Report[], now = 0, overrides: readonly HeldOverride[] = []) =>
  decide(config, worldOf('fra', reports, 0, { overrides }), now).spill;
const sum = (amounts: Readonly<Record<string, number>>): number =>
  Object.values(amounts).reduce((a, b) => a + b, 0);
const SENDING = { sending: true, over_for_ms: 60_000 };

describe('a sender', () => {
  test('waits until demand has been over for the onset, and asks meanwhile', () => {
    const first = planned([site('fra', loadOf(1.4))], 100);
    assert.deepEqual([first.stance.over_for_ms, first.stance.sending], [0, false]);
    assert.ok(Math.abs(first.stance.wanted - 0.4 * CAPACITY) < 1e-9);
    const early = planned([site('fra', loadOf(1.4), { over_for_ms: 0 })], policy.onset_ms - 1);
    assert.deepEqual([early.stance.sending, early.reason.code], [false, 'not-overloaded']);
    const due = planned([site('fra', loadOf(1.4), { over_for_ms: 0 })], policy.onset_ms);
    assert.deepEqual([due.stance.sending, due.reason.code], [true, 'no-grant']);
  });

  test('starts anew when demand fell below the threshold in between', () => {
    const dip = planned([site('fra', loadOf(1.09), { over_for_ms: 3_000 })], 500);
    assert.deepEqual([dip.stance.over_for_ms, dip.stance.sending], [null, false]);
  });

  test('goes on between relief and overload, and ends below relief', () => {
    assert.ok(planned([site('fra', loadOf(1.0), SENDING)]).stance.sending);
    assert.ok(!planned([site('fra', loadOf(0.94), SENDING)]).stance.sending);
    assert.ok(!planned([site('fra', loadOf(1.0))]).stance.sending);
  });

  test('is moved by demand: what it has sent away still counts, its guests do not', () => {
    const relieved = loadOf(1.0, 1.4, 1.0);
    assert.ok(planned([site('fra', relieved, SENDING)]).stance.sending);
    const hosting = loadOf(1.3, 0.8, 0.8);
    const plan = planned([site('fra', hosting, { over_for_ms: 60_000 })], 5_000);
    assert.deepEqual([plan.stance.sending, plan.stance.wanted], [false, 0]);
  });

  test('raises its share by so much a second, up to its need', () => {
    const reports = [
      site('fra', loadOf(1.4), SENDING),
      site('sin', loadOf(0.4), { grants: { fra: 100 } }),
    ];
    const plan = planned(reports, 2_000);
    assert.ok(Math.abs(plan.shares.sin! - 2 * policy.rise_per_s) < 1e-9);
    assert.equal(plan.reason.code, 'spill-ramping');
    const need = 0.4 / 1.4;
    assert.ok(Math.abs(plan.stance.aims.sin! - need) < 1e-9);
    const near = site('fra', loadOf(1.4), { ...SENDING, shares: { sin: 0.28 } });
    const settled = planned([near, reports[1]!], 2_000);
    assert.ok(Math.abs(settled.shares.sin! - need) < 1e-9);
    assert.equal(settled.reason.code, 'spilling');
  });

  test('divides its need over the grants, and obeys a smaller grant at once', () => {
    const steady = { ...SENDING, shares: { iad: 0.2, sin: 0.2 } };
    const plan = planned([
      site('fra', loadOf(1.4), { ...steady, aims: steady.shares }),
      site('iad', loadOf(0.4), { grants: { fra: 14 } }),
      site('sin', loadOf(0.4), { grants: { fra: 28 } }),
    ]);
    assert.ok(Math.abs(plan.shares.iad! - 14 / 280) < 1e-9);
    assert.ok(Math.abs(plan.shares.sin! - 28 / 280) < 1e-9);
  });

  test('a change within the dead band moves nothing', () => {
    const shares = { sin: 0.3 };
    const plan = planned(
      [
        site('fra', loadOf(1.38), { ...SENDING, shares, aims: shares }),
        site('sin', loadOf(0.4), { grants: { fra: 100 } }),
      ],
      2_000,
    );
    assert.deepEqual(plan.shares, shares);
  });

  test('no dead band holds an aim above the most that may be sent', () => {
    const aims = { sin: 0.32 };
    const limited = { ...config.policy, spill: { ...policy, share_max: 0.3 } };
    const reports = [
      site('fra', loadOf(1.4), { ...SENDING, shares: { sin: 0.2 }, aims }),
      site('sin', loadOf(0.4), { grants: { fra: 100 } }),
    ];
    const plan = decide({ ...config, policy: limited }, worldOf('fra', reports), 100).spill;
    assert.ok(Math.abs(plan.stance.aims.sin! - 0.4 / 1.4) < 1e-9);
  });

  test('after its end the share runs out by so much a second, still asked for', () => {
    const shares = { sin: 0.3 };
    const plan = planned(
      [
        site('fra', loadOf(0.9), { ...SENDING, shares, aims: shares, wanted: 60 }),
        site('sin', loadOf(0.4), { grants: { fra: 100 } }),
      ],
      2_000,
    );
    assert.ok(Math.abs(plan.shares.sin! - (0.3 - 2 * policy.fall_per_s)) < 1e-9);
    assert.ok(plan.stance.wanted > 0 && !plan.stance.sending);
  });

  test('takes no grant that is older than its lease', () => {
    const spilling = { ...SENDING, shares: { sin: 0.2 }, aims: { sin: 0.2 } };
    const reports = (for_ms: number) => [
      site('fra', loadOf(1.2), spilling),
      site('sin', loadOf(0.4), { grants: { fra: 100 }, for_ms }),
    ];
    assert.ok(planned(reports(policy.lease_ms - 1)).shares.sin! > 0);
    assert.deepEqual(planned(reports(policy.lease_ms)).shares, {});
  });
});

describe('a receiver', () => {
  const asking = (name: string, wanted: number) => site(name, loadOf(1.4), { ...SENDING, wanted });

  test('opens below quiet and shuts above quiet_end of its own clients’ load', () => {
    const cases: [number, boolean, boolean][] = [
      [0.69, false, true],
      [0.75, false, false],
      [0.75, true, true],
      [0.81, true, false],
    ];
    for (const [own, before, after] of cases) {
      const load = loadOf(0.9, own, own);
      assert.equal(planned([site('fra', load, { open: before })]).stance.open, after);
    }
  });

  test('shuts when its guests weigh more than thought', () => {
    const load = loadOf(1.05, 0.4, 0.4);
    assert.equal(planned([site('fra', load, { open: true })]).stance.open, false);
  });

  test('splits its room in proportion to what is wanted', () => {
    const plan = planned([site('fra', loadOf(0.4)), asking('iad', 90), asking('sin', 30)]);
    assert.ok(Math.abs(plan.stance.grants.iad! - 75) < 1e-9);
    assert.ok(Math.abs(plan.stance.grants.sin! - 25) < 1e-9);
    assert.equal(plan.reason.code, 'receiving');
  });

  test('raises a grant only by more than noise, and lowers it at once', () => {
    const grant = (before: number) => {
      const fra = site('fra', loadOf(0.4), { open: true, grants: { iad: before } });
      return planned([fra, asking('iad', 90)]).stance.grants.iad!;
    };
    assert.equal(grant(97), 97);
    assert.ok(Math.abs(grant(90) - 100) < 1e-9);
    assert.ok(Math.abs(grant(101) - 100) < 1e-9);
  });

  test('grants nothing while it sends, or still has flows on the way out', () => {
    for (const stance of [SENDING, { shares: { sin: 0.2 }, aims: { sin: 0.2 } }]) {
      const helper = site('sin', loadOf(0.3), { grants: { fra: 100 } });
      const plan = planned([site('fra', loadOf(0.96), stance), asking('iad', 90), helper]);
      assert.deepEqual(plan.stance.grants, {});
    }
  });
});

test('a site whose load is unknown, that drains or is down neither sends nor grants', () => {
  const helper = site('sin', loadOf(0.4), { grants: { fra: 100 } });
  const over = loadOf(1.4);
  const out: [Report, string, HeldOverride[]?][] = [
    [site('fra', null, SENDING), 'load-unknown'],
    [site('fra', over, SENDING), 'draining', [drainOrder('fra')]],
    [reportOf(config, 'fra', { load: over }, DOWN), 'no-healthy-endpoint'],
  ];
  for (const [report, code, overrides] of out) {
    const plan = planned([report, helper, site('iad', over, { wanted: 80 })], 0, overrides);
    assert.deepEqual([plan.shares, plan.stance, plan.reason.code], [{}, IDLE_STANCE, code]);
  }
  const outPeers: [Report, HeldOverride[]?][] = [
    [{ ...helper, load: null }],
    [helper, [drainOrder('sin')]],
    [{ ...helper, endpoints: reportOf(config, 'sin', {}, DOWN).endpoints }],
  ];
  for (const [peer, overrides] of outPeers) {
    const { shares } = planned([site('fra', over, SENDING), peer], 2_000, overrides);
    assert.deepEqual(shares, {});
  }
});

const ratio = fc.double({ min: 0, max: 3, noNaN: true });
const amounts = fc.dictionary(
  fc.constantFrom('fra', 'iad', 'sin'),
  fc.double({ min: 0, max: 300, noNaN: true }),
);
const parts = fc.dictionary(
  fc.constantFrom('iad', 'sin'),
  fc.double({ min: 0, max: 1, noNaN: true }),
);
const stance = fc.record({
  for_ms: fc.constantFrom(0, 3_000, 20_000),
  over_for_ms: fc.constantFrom(null, 0, 60_000),
  sending: fc.boolean(),
  open: fc.boolean(),
  wanted: fc.double({ min: 0, max: 400, noNaN: true }),
  grants: amounts,
  shares: parts,
  aims: parts,
});
const party = (name: string) =>
  fc
    .tuple(fc.option(fc.record({ used: ratio, demand: ratio, own: ratio })), stance)
    .map(([load, spill]) =>
      site(name, load && loadOf(load.used, load.demand, Math.min(load.own, load.demand)), spill),
    );
const parties = fc.tuple(party('fra'), party('iad'), party('sin'));
const times = fc.nat(5_000);

describe('for any reports', () => {
  test('grants stay below the room, shares below the limit and the grants', () => {
    fc.assert(
      fc.property(parties, times, (reports, now) => {
        const { shares, stance: given } = planned(reports, now);
        const { load } = reports[0];
        const room = load === null ? 0 : Math.max(0, policy.fill * CAPACITY - load.own);
        assert.ok(sum(given.grants) <= room + 1e-6);
        if (given.sending || sum(shares) > 0) assert.deepEqual(given.grants, {});
        assert.ok(sum(shares) <= policy.share_max + 1e-9);
        for (const [peer, share] of Object.entries(shares)) {
          const granted = reports.find((report) => report.site === peer)!.spill.grants.fra ?? 0;
          assert.ok(share * load!.demand <= granted + 1e-6);
        }
      }),
    );
  });

  test('what is newly aimed for is no more than what is needed', () => {
    fc.assert(
      fc.property(parties, times, (reports, now) => {
        const fresh = { ...reports[0], spill: { ...reports[0].spill, shares: {}, aims: {} } };
        const plan = planned([fresh, reports[1], reports[2]], now);
        const demand = fresh.load?.demand ?? 0;
        const excess = Math.max(0, demand - policy.target * CAPACITY);
        assert.ok(sum(plan.stance.aims) * demand <= excess + 1e-6);
      }),
    );
  });

  test('without demand over the threshold nothing begins, whatever guests load it with', () => {
    fc.assert(
      fc.property(parties, times, (reports, now) => {
        const { load } = reports[0];
        fc.pre(load !== null && load.demand <= policy.overload * CAPACITY);
        const calm = { ...reports[0], spill: IDLE_STANCE };
        const plan = planned([calm, reports[1], reports[2]], now);
        assert.deepEqual([plan.shares, plan.stance.sending], [{}, false]);
      }),
    );
  });

  test('deciding again at the same instant changes nothing', () => {
    fc.assert(
      fc.property(parties, times, (reports, now) => {
        const once = planned(reports, now);
        const { sightings } = worldOf('fra', reports);
        const kept = { ...reports[0], spill: once.stance };
        const again = decide(
          config,
          {
            ...worldOf('fra', []),
            sightings: new Map([
              ...sightings,
              ['fra', { report: kept, received_at: now, cut_ms: 0 }],
            ]),
          },
          now,
        ).spill;
        const rounded = (value: Readonly<Record<string, number>>): [string, number][] =>
          Object.entries(value).map(([key, n]) => [key, Math.round(n * 1e9)]);
        assert.deepEqual(rounded(again.shares), rounded(once.shares));
        assert.deepEqual(rounded(again.stance.aims), rounded(once.stance.aims));
        assert.equal(again.stance.sending, once.stance.sending);
      }),
    );
  });

  test('many short steps lead where one long step leads', () => {
    const shares = { sin: 0.15 };
    const fra = site('fra', loadOf(1), { ...SENDING, shares, aims: shares });
    const helper = site('sin', loadOf(0.2), { grants: { fra: 100 } });
    const demands = fc.double({ min: 0.5, max: 1.45, noNaN: true });
    fc.assert(
      fc.property(demands, fc.nat(4_000), fc.integer({ min: 1, max: 500 }), (demand, ms, steps) => {
        const start = { ...fra, load: loadOf(demand) };
        const long = planned([start, helper], ms).shares.sin ?? 0;
        let plan = planned([start, helper], 0);
        for (let i = 0; i < steps; i++) {
          const spill = { ...plan.stance, for_ms: ms / steps };
          plan = planned([{ ...start, spill }, helper], 0);
        }
        const short = plan.shares.sin ?? 0;
        assert.ok(Math.abs(long - short) < 1e-6, `${long} against ${short}`);
      }),
    );
  });
});
