/** What the agents of one site say together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { blankReport, type Report, ROUTE_OFF } from '../../src/model/report.ts';
import { joinOwn, joinReports, type Union, type Word } from '../../src/share/union.ts';

const ID = 'lb/web';

function said(agent: string, up: boolean, for_ms: number, changes: Partial<Report> = {}): Report {
  const endpoints = { [ID]: { up, for_ms, downs: 0, detail: agent } };
  return { ...blankReport('fra', agent), endpoints, ...changes };
}

const word = (report: Report, age_ms = 0): Word => ({ report, age_ms });
const upOf = (union: Union): boolean => union.joined.endpoints[ID]!.up;

describe('the union of a site’s reports', () => {
  test('of one agent is its report', () => {
    const report = said('a', true, 5);
    assert.equal(joinReports([word(report, 70)], null).joined, report);
    assert.equal(joinReports([word(report, 70)], null).age_ms, 70);
  });

  test('believes the one whose word changed last', () => {
    const both = [word(said('a', true, 9_000)), word(said('b', false, 100))];
    assert.equal(upOf(joinReports(both, null)), false);
    const turned = [word(said('a', true, 50)), word(said('b', false, 100))];
    assert.equal(upOf(joinReports(turned, null)), true);
    // A report that lies there for longer tells of a change that is longer ago.
    const aged = [word(said('a', true, 50), 800), word(said('b', false, 100))];
    assert.equal(upOf(joinReports(aged, null)), false);
  });

  test('believes who trusts its own eyes', () => {
    const suspect = { suspect: 'all down' };
    const both = [word(said('a', true, 9_000)), word(said('b', false, 100, suspect))];
    const union = joinReports(both, null);
    assert.deepEqual([upOf(union), union.joined.suspect], [true, null]);
    const all = [word(said('a', true, 9_000, suspect)), word(said('b', false, 100, suspect))];
    const none = joinReports(all, null);
    assert.deepEqual([upOf(none), none.joined.suspect], [false, 'all down']);
  });

  test('an agent that has just started shortens nothing that the other remembers', () => {
    const old = said('b', true, 60_000);
    const sight = { ...old.endpoints[ID]!, downs: 3 };
    const both = [word(said('a', true, 10)), word({ ...old, endpoints: { [ID]: sight } })];
    assert.deepEqual(joinReports(both, null).joined.endpoints[ID], sight);
  });

  const bool = fc.boolean();
  const duration = fc.nat(100_000);

  test('does not turn round while nobody changes, however reports are delayed', () => {
    const delays = fc.array(fc.tuple(fc.nat(3_000), fc.nat(3_000)), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(bool, bool, duration, duration, delays, (a, b, forA, forB, late) => {
        let before: Union | null = null;
        for (const [lateA, lateB] of late) {
          const words = [word(said('a', a, forA), lateA), word(said('b', b, forB), lateB)];
          const union: Union = joinReports(words, before);
          assert.equal(upOf(union), before ? upOf(before) : upOf(union));
          before = union;
        }
      }),
    );
  });

  test('is the same in whatever order they come, and repeats those who agree', () => {
    const sight = fc.record({ up: bool, for_ms: duration, downs: fc.nat(3) });
    const agent = fc.record({ sight: fc.option(sight), age_ms: fc.nat(900), sure: bool });
    fc.assert(
      fc.property(fc.array(agent, { minLength: 1, maxLength: 4 }), (agents) => {
        const words = agents.map(({ sight, age_ms, sure }, i): Word => {
          const endpoints = sight ? { [ID]: { ...sight, detail: '' } } : {};
          const suspect = sure ? null : 'it sees nothing';
          return { report: { ...blankReport('fra', `a${i}`), endpoints, suspect }, age_ms };
        });
        const union = joinReports(words, null);
        assert.deepEqual(joinReports([...words].reverse(), null), union);
        const ups = agents.flatMap((one) => (one.sight ? [one.sight.up] : []));
        const together = union.joined.endpoints[ID]?.up;
        if (new Set(ups).size < 2) assert.equal(together, ups[0]);
        else assert.ok(together !== undefined);
      }),
    );
  });

  test('announces while one announces, and takes the load that is newest', () => {
    const on = { ...ROUTE_OFF, phase: 'on', fitness: 'healthy', heard: true, age_ms: 5 } as const;
    const off = { ...ROUTE_OFF, heard: false, age_ms: 0 } as const;
    const load = { used: 1, demand: 1, own: 1, capacity: 2 };
    const a = said('a', true, 1, { routes: { web: off }, load });
    const b = said('b', true, 1, { routes: { web: on }, load: { ...load, used: 2 } });
    const { joined } = joinReports([word(a, 10), word(b, 30)], null);
    assert.deepEqual(joined.routes.web, { ...on, age_ms: 25 });
    assert.equal(joined.load?.used, 1);
    const silent = { ...a, load: null };
    assert.equal(joinReports([word(silent), word(b)], null).joined.load?.used, 2);
  });

  test('an agent decides by its own routes and rulings, and learns what it does not remember', () => {
    const ruling = { up: true, for_ms: 500, downs: 2, penalty: 900, suppressed: false };
    const mine = { ...ruling, penalty: 5 };
    const own = said('b', true, 1, { rulings: { [ID]: mine }, ruled_ms: 20 });
    const routes = { web: { ...ROUTE_OFF, heard: false, age_ms: 0 } };
    const other = said('a', true, 1, { rulings: { [ID]: ruling, new: ruling }, routes });
    const { joined } = joinOwn(own, [word(other, 30)], null);
    assert.equal(joined.agent, 'b');
    assert.deepEqual(joined.routes, own.routes);
    assert.deepEqual(joined.rulings[ID], mine);
    assert.deepEqual(joined.rulings.new, { ...ruling, for_ms: 510 });
  });

  test('the first by name among those who are heard steers spill', () => {
    const stance = { ...blankReport('fra').spill, sending: true, for_ms: 100 };
    const a = said('a', true, 1, { spill: stance });
    const { joined } = joinReports([word(said('b', true, 1)), word(a, 40)], null);
    assert.deepEqual(joined.spill, { ...stance, for_ms: 140 });
  });
});
