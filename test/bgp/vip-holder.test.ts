import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { type VipDriver, VipHolder, type WantedVip } from '../../src/bgp/vip-holder.ts';

const SETTLE_MS = 2_000;

/** An interface in memory: address → is it marked. */
class FakeInterface implements VipDriver {
  readonly addresses = new Map<string, boolean>();
  broken = false;
  changes = 0;

  async list(): Promise<{ address: string; ours: boolean }[]> {
    if (this.broken) throw new Error('no such interface');
    return [...this.addresses].map(([address, ours]) => ({ address, ours }));
  }

  async change(add: readonly string[], remove: readonly string[]): Promise<void> {
    this.changes++;
    for (const address of add) {
      assert.ok(!this.addresses.has(address), `${address} is put twice`);
      this.addresses.set(address, true);
    }
    for (const address of remove) {
      assert.equal(this.addresses.get(address), true, `${address} is not ours`);
      this.addresses.delete(address);
    }
  }
}

const holders: VipHolder[] = [];
afterEach(async () => {
  for (const holder of holders.splice(0)) await holder.close();
});

function setUp(driver = new FakeInterface(), clock = new VirtualClock()) {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (_fields, text) => errors.push(text) };
  const options = { interface: 'lo', driver, clock, prng: prng(1), log, settle_ms: SETTLE_MS };
  const holder = new VipHolder(options);
  holders.push(holder);
  return { driver, clock, holder, errors };
}

const web = (present: boolean): WantedVip => ({
  name: 'web',
  prefixes: ['198.18.80.80/32', '2001:db8:80::80/128'],
  present,
});

test('a VIP is present once its addresses stand, and leaves after it has settled', async () => {
  const { driver, clock, holder } = setUp();
  holder.want([web(true)]);
  assert.ok(!holder.isPresent('web'));
  assert.equal(await holder.whenPresent('web'), true);
  assert.ok(holder.isPresent('web'));
  assert.deepEqual([...driver.addresses.keys()], ['198.18.80.80', '2001:db8:80::80']);
  holder.want([web(false)]);
  await clock.advanceAsync(SETTLE_MS - 100);
  assert.equal(driver.addresses.size, 2);
  await clock.advanceAsync(200);
  assert.equal(driver.addresses.size, 0);
  assert.ok(!holder.isPresent('web'));
  assert.equal(driver.changes, 2);
});

test('what is wanted again before it left stays, and settles anew the next time', async () => {
  const { driver, clock, holder } = setUp();
  holder.want([web(true)]);
  await holder.whenPresent('web');
  holder.want([web(false)]);
  await clock.advanceAsync(SETTLE_MS - 100);
  holder.want([web(true)]);
  await clock.advanceAsync(SETTLE_MS * 2);
  holder.want([web(false)]);
  await clock.advanceAsync(SETTLE_MS - 100);
  assert.equal(driver.addresses.size, 2);
  assert.equal(driver.changes, 1);
  assert.equal(await holder.whenPresent('web'), false);
});

test('after a restart what stands is taken over; a VIP that is gone from the configuration leaves', async () => {
  const before = setUp();
  before.holder.want([web(true), { name: 'old', prefixes: ['198.18.81.81/32'], present: true }]);
  await before.holder.whenPresent('old');
  await before.holder.close();
  const { driver, clock, holder } = setUp(before.driver, before.clock);
  await clock.advanceAsync(SETTLE_MS * 2);
  assert.equal(driver.addresses.size, 3); // nothing is wanted yet: nothing is known
  holder.want([web(true)]);
  assert.equal(await holder.whenPresent('web'), true);
  await clock.advanceAsync(SETTLE_MS + 100);
  assert.deepEqual([...driver.addresses.keys()], ['198.18.80.80', '2001:db8:80::80']);
});

test('an address that somebody else put serves, and is never removed', async () => {
  const { driver, clock, holder } = setUp();
  driver.addresses.set('127.0.0.1', false).set('198.18.80.80', false);
  holder.want([web(true)]);
  assert.equal(await holder.whenPresent('web'), true);
  assert.equal(driver.addresses.get('198.18.80.80'), false);
  holder.want([]);
  await clock.advanceAsync(SETTLE_MS * 3);
  assert.deepEqual([...driver.addresses.keys()], ['127.0.0.1', '198.18.80.80']);
});

test('an address that somebody takes away is put back', async () => {
  const { driver, clock, holder } = setUp();
  holder.want([web(true)]);
  await holder.whenPresent('web');
  driver.addresses.delete('198.18.80.80');
  await clock.advanceAsync(10_100);
  assert.ok(driver.addresses.has('198.18.80.80'));
});

test('failures are said once, retried with growing waits, and mended without help', async () => {
  const { driver, clock, holder, errors } = setUp();
  driver.broken = true;
  holder.want([web(true)]);
  await clock.advanceAsync(5_000);
  assert.deepEqual(errors, ['VIPs cannot be set']);
  assert.equal(holder.error, 'no such interface');
  assert.ok(!holder.isPresent('web'));
  driver.broken = false;
  await clock.advanceAsync(31_000, 100);
  assert.ok(holder.isPresent('web'));
  assert.equal(holder.error, null);
});

test('of a VIP that is no host prefix nothing is put, and nothing is waited for', async () => {
  const { driver, holder } = setUp();
  holder.want([{ name: 'net', prefixes: ['198.18.80.0/24'], present: true }]);
  assert.equal(await holder.whenPresent('net'), true);
  assert.equal(driver.addresses.size, 0);
});

test('after close nobody waits any more, and all addresses stay', async () => {
  const { driver, clock, holder } = setUp();
  holder.want([web(true)]);
  await holder.whenPresent('web');
  driver.broken = true;
  holder.want([web(true), { name: 'more', prefixes: ['198.18.82.82/32'], present: true }]);
  const more = holder.whenPresent('more');
  await holder.close();
  assert.equal(await more, false);
  await clock.advanceAsync(SETTLE_MS * 3);
  assert.equal(driver.addresses.size, 2);
  assert.equal(clock.pending, 0);
});

test('whatever is wanted when, and whatever fails, in the end exactly that stands', async () => {
  const vip = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    prefixes: fc.uniqueArray(fc.constantFrom('10.0.0.1/32', '10.0.0.2/32', '2001:db8::1/128'), {
      minLength: 1,
    }),
    present: fc.boolean(),
  });
  const move = fc.oneof(
    fc.uniqueArray(vip, { selector: ({ name }) => name }).map((vips) => ({ vips })),
    fc.integer({ min: 1, max: 6_000 }).map((wait_ms) => ({ wait_ms })),
    fc.boolean().map((broken) => ({ broken })),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(move, { maxLength: 12 }), async (moves) => {
      const { driver, clock, holder } = setUp();
      driver.addresses.set('10.0.0.9', false);
      let vips: readonly WantedVip[] = [];
      for (const one of moves) {
        if ('broken' in one) driver.broken = one.broken;
        if ('wait_ms' in one) await clock.advanceAsync(one.wait_ms, 250);
        if (!('vips' in one)) continue;
        vips = one.vips;
        holder.want(vips);
      }
      driver.broken = false;
      await clock.advanceAsync(45_000, 500);
      const wanted = new Set(
        vips.filter(({ present }) => present).flatMap(({ prefixes }) => prefixes),
      );
      const standing = [...driver.addresses.keys()].filter((address) => address !== '10.0.0.9');
      assert.deepEqual(standing.sort(), [...wanted].map((prefix) => prefix.split('/')[0]!).sort());
      assert.ok(driver.addresses.has('10.0.0.9'));
      await holder.close();
    }),
    { numRuns: 100 },
  );
});
