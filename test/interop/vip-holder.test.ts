/** The VIP holder against the kernel, in a network namespace. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Namespace, NetLab } from '../../lab/netns.ts';
import { until } from '../../lab/wait.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { IpVipDriver, VIP_METRIC } from '../../src/bgp/vip-driver.ts';
import { VipHolder, type WantedVip } from '../../src/bgp/vip-holder.ts';
import { need } from '../support/need.ts';

const web = (present: boolean): WantedVip => ({
  name: 'web',
  prefixes: ['198.18.80.80/32', '2001:db8:80::80/128'],
  present,
});

describe('VIP holder', { skip: need('root', 'ip', 'ping') }, () => {
  let lab: NetLab;
  let space: Namespace;

  before(async () => {
    lab = new NetLab('viph');
    space = await lab.namespace('site');
    await space.ip('address add 198.18.1.1/32 dev lo');
    await space.ip('-6 address add 2001:db8:1::1/128 dev lo');
  });
  after(() => lab.close());

  const hold = (interfaceName = 'lo'): VipHolder =>
    new VipHolder({
      interface: interfaceName,
      driver: new IpVipDriver(space.host(), interfaceName),
      clock: new SystemClock(),
      prng: prng(1),
      log: silentLog,
      settle_ms: 300,
    });
  const shown = (): Promise<string> => space.ip('-brief address show dev lo');

  test('addresses come, survive a restart of the daemon, and go; others stay', async () => {
    const first = hold();
    first.want([web(true)]);
    assert.equal(await first.whenPresent('web'), true);
    await space.exec('ping', '-c', '1', '-W', '1', '198.18.80.80');
    await space.exec('ping', '-c', '1', '-W', '1', '2001:db8:80::80');
    await first.close();
    const second = hold();
    second.want([web(true)]);
    assert.equal(await second.whenPresent('web'), true);
    assert.equal((await shown()).split(`metric ${VIP_METRIC}`).length - 1, 2);
    second.want([web(false)]);
    await until('the VIP to leave', 5_000, async () => !/80[.:]+80/.test(await shown()));
    assert.match(await shown(), /198\.18\.1\.1\/32 .*2001:db8:1::1\/128/);
    await second.close();
  });

  test('an address of the operator serves as VIP and stays as it is', async () => {
    await space.ip('address add 198.18.80.80/32 dev lo');
    const holder = hold();
    holder.want([web(true)]);
    assert.equal(await holder.whenPresent('web'), true);
    holder.want([]);
    await until('our address to leave', 5_000, async () => !(await shown()).includes(':80::80'));
    assert.match(await shown(), /198\.18\.80\.80\/32/);
    await holder.close();
    await space.ip('address del 198.18.80.80/32 dev lo');
  });

  test('a thousand VIPs come and go in one run each', async () => {
    const many: WantedVip[] = Array.from({ length: 1000 }, (_, i) => ({
      name: `vip${i}`,
      prefixes: [`198.19.${i >> 8}.${i & 255}/32`],
      present: true,
    }));
    const holder = hold();
    holder.want(many);
    assert.equal(await holder.whenPresent('vip999'), true);
    holder.want([]);
    await until(
      'a thousand VIPs to leave',
      5_000,
      async () => !(await shown()).includes('198.19.'),
    );
    await holder.close();
  });

  test('an interface that is not there is said, and used once it comes', async () => {
    const holder = hold('vips0');
    holder.want([web(true)]);
    await until('an error', 5_000, () => holder.error !== null);
    assert.match(holder.error ?? '', /vips0/);
    await space.ip('link add vips0 type bridge');
    await space.ip('link set vips0 up');
    assert.equal(await holder.whenPresent('web'), true);
    await holder.close();
  });
});
