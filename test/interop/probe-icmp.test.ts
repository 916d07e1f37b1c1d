/** ICMP probes with each right that Linux knows: a ping socket, a raw one, and none. */
import assert from 'node:assert/strict';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Namespace, NetLab } from '../../lab/netns.ts';
import { need } from '../support/need.ts';

const MAIN = fileURLToPath(new URL('../support/ping-main.js', import.meta.url));
const GROUPS = '/proc/sys/net/ipv4/ping_group_range';

describe('ICMP probes', { skip: need('root', 'ip', 'setpriv') }, () => {
  let lab: NetLab;
  let here: Namespace;

  before(async () => {
    lab = new NetLab('icmp');
    here = await lab.namespace('here');
    const there = await lab.namespace('there');
    await lab.link(here, 'e0', there, 'e0', '10.88.0.1/24', '10.88.0.2/24');
    await here.ip('address add 10.88.0.3/24 dev e0');
    await here.ip('address add fd00:88::1/64 dev e0 nodad');
    await there.ip('address add fd00:88::2/64 dev e0 nodad');
  });
  after(() => lab.close());

  const ping = async (words: string[], ...args: string[]): Promise<string[]> =>
    JSON.parse(await here.exec('setpriv', ...words, process.execPath, MAIN, ...args));
  const without = ['--bounding-set', '-net_raw', '--inh-caps', '-net_raw'];
  const groups = (range: string): Promise<void> => here.host().write(GROUPS, range);

  const rights: [string, string, string[]][] = [
    ['a ping socket', '0 2147483647', without],
    ['a raw socket', '1 0', []],
  ];
  for (const [what, range, words] of rights) {
    test(`${what}: replies of both families, and silence`, async () => {
      await groups(range);
      const to = ['10.88.0.2', 'fd00:88::2', '127.0.0.1', '::1', '10.88.0.9', '192.0.2.1'];
      const silence = 'no echo reply within 1000 ms';
      const reply = 'echo reply';
      const found = [reply, reply, reply, reply, silence, 'network unreachable'];
      assert.deepEqual(await ping(words, '', ...to), found);
    });

    test(`${what}: from the source`, async () => {
      await groups(range);
      await here.exec('nft', 'add table ip drops');
      await here.exec('nft', 'add chain ip drops out { type filter hook output priority 0; }');
      await here.exec(
        'nft',
        'add rule ip drops out ip saddr 10.88.0.1 icmp type echo-request drop',
      );
      assert.deepEqual(await ping(words, '10.88.0.3', '10.88.0.2'), ['echo reply']);
      const system = await ping(words, '', '10.88.0.2');
      assert.notDeepEqual(system, ['echo reply'], 'the rule drops what has the first address');
      await here.exec('nft', 'delete table ip drops');
    });
  }

  test('neither: a sentence that says what to do', async () => {
    await groups('1 0');
    assert.deepEqual(await ping(without, '', '10.88.0.2'), [
      'ICMP is not allowed: put the group of isobar into net.ipv4.ping_group_range, or give CAP_NET_RAW',
    ]);
  });
});
