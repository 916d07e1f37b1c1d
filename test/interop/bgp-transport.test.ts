/**
 * Sessions with BIRD in network namespaces that come up only if the kernel has what was configured:
 * MD5 keys, TTL security, link-local addresses, the traffic class. BIRD's own table is the witness.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Neighbor } from '../../src/model/bgp.ts';
import { bird, Pair, protocol } from '../support/bgp-pair.ts';
import { need } from '../support/need.ts';

describe('BGP transport', { skip: need('root', 'ip', 'bird', 'nft'), timeout: 120_000 }, () => {
  const pair = new Pair('btr');
  before(() => pair.open());
  afterEach(() => pair.stop());
  after(() => pair.close());

  const secret = (text = 'one secret'): string => pair.key('key', text);
  const PASSWORD = 'password "one secret";';

  /** We dial BIRD, or wait for it. */
  async function up(who: 'we dial' | 'it dials', options: string, changes: Partial<Neighbor>) {
    const dial = who === 'we dial';
    const six = changes.address?.includes(':') ?? false;
    const [local, remote] = six ? ['fd00:9::2', 'fd00:9::1'] : ['10.9.0.2', '10.9.0.1'];
    await pair.bird(protocol(`${options} ${dial ? 'passive;' : ''}`, local, remote));
    pair.speaker([bird({ passive: !dial, ...changes })], dial ? [] : ['::']);
    await pair.established();
    assert.equal(pair.line.bird!.status.dialled_by, dial ? 'us' : 'peer');
  }

  for (const who of ['we dial', 'it dials'] as const) {
    test(`MD5, ${who}`, async () => {
      await up(who, PASSWORD, { md5_key_file: secret() });
    });

    test(`TTL security, ${who}`, async () => {
      await up(who, 'ttl security on;', { ttl_security: 1 });
    });

    test(`MD5 and TTL security over IPv6, ${who}`, async () => {
      const options = { md5_key_file: secret(), ttl_security: 1, address: 'fd00:9::2' };
      await up(who, `${PASSWORD} ttl security on;`, options);
    });

    test(`a link-local neighbour with MD5, ${who}`, async () => {
      const dial = who === 'we dial';
      const options = `${PASSWORD} interface "them0"; ${dial ? 'passive;' : ''}`;
      await pair.bird(protocol(options, 'fe80::2', 'fe80::1'));
      const on = { address: 'fe80::2', interface: 'us0', md5_key_file: secret() };
      pair.speaker([bird({ ...on, passive: !dial })], dial ? [] : ['::']);
      await pair.established();
    });
  }

  test('a key for a range is for whoever connects from it', async () => {
    await pair.bird(protocol(PASSWORD));
    const { address: _, as, passive: __, ...session } = bird({ md5_key_file: secret() });
    const range = { ...session, prefix: '10.9.0.0/24', as, sessions_max: 4, name: 'range' };
    pair.speaker([], ['0.0.0.0'], { ranges: [range] });
    const name = 'range/10.9.0.2';
    await pair.until('it is up', () => pair.line[name]?.status.state === 'Established');
  });

  const FAMILIES = [
    { ip: 'ip', hops: 'ip ttl', ours: '10.9.0.1', theirs: '10.9.0.2' },
    { ip: 'ip6', hops: 'ip6 hoplimit', ours: 'fd00:9::1', theirs: 'fd00:9::2' },
  ];
  for (const { ip, hops, ours, theirs } of FAMILIES) {
    test(`every packet of a session is CS6, with the TTL that was asked for: ${ip}`, async () => {
      await pair.them.exec('nft', 'add table inet seen');
      const chain = 'add chain inet seen in { type filter hook input priority 0; }';
      await pair.them.exec('nft', chain);
      const rules = [`${ip} dscp cs6 ${hops} 7`, `${ip} dscp != cs6`, `${hops} != 7`];
      for (const rule of rules) {
        const counted = `add rule inet seen in ${ip} saddr ${ours} tcp dport 179 ${rule} counter`;
        await pair.them.exec('nft', counted);
      }
      await up('we dial', '', { ttl: 7, address: theirs, source: ours, interface: 'us0' });
      const listed = await pair.them.exec('nft', 'list', 'chain', 'inet', 'seen', 'in');
      const counts = [...listed.matchAll(/counter packets (\d+)/g)].map((match) =>
        Number(match[1]),
      );
      await pair.them.exec('nft', 'delete', 'table', 'inet', 'seen');
      assert.ok(counts[0]! > 3, listed);
      assert.deepEqual(counts.slice(1), [0, 0], listed);
    });
  }

  test('another key in a file ends that session alone, and it returns with the new key', async () => {
    const other = pair.key('other', 'another secret');
    const second = protocol('password "another secret";', 'fd00:9::2', 'fd00:9::1', 'second');
    await pair.bird(protocol(PASSWORD), second);
    const neighbors = [
      bird({ md5_key_file: secret() }),
      bird({ name: 'second', address: 'fd00:9::2', md5_key_file: other }),
    ];
    pair.speaker(neighbors, ['::']);
    await pair.established();
    await pair.established('second', 'second');
    secret('a new secret');
    pair.rereadKeys();
    await pair.until('it is down', () => pair.line.bird?.status.state !== 'Established');
    await pair.reconfigure(protocol('password "a new secret";'), second);
    await pair.established();
    assert.equal(pair.line.second!.status.sessions, 1);
    assert.equal(pair.line.second!.status.state, 'Established');
  });
});
