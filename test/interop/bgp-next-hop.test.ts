/**
 * The next hops that BIRD is told on a shared link: link-local ones beside or in place of global ones
 * (RFC 2545), and IPv6 ones of IPv4 routes (RFC 8950). What it makes of them is the witness.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Neighbor } from '../../src/model/bgp.ts';
import { bird, Pair, protocol } from '../support/bgp-pair.ts';
import { need } from '../support/need.ts';

const VIP = '198.18.80.80/32';
const VIP6 = '2001:db8:80::80/128';

describe('BGP next hops', { skip: need('root', 'ip', 'bird'), timeout: 120_000 }, () => {
  const pair = new Pair('bnh');
  before(() => pair.open());
  afterEach(() => pair.stop());
  after(() => pair.close());

  /** A session between these two addresses, without a next hop in our configuration. */
  async function up(ours: string, theirs: string, changes: Partial<Neighbor>): Promise<void> {
    const scope = theirs.startsWith('fe80') ? 'interface "them0";' : '';
    const extended = protocol(`passive; ${scope}`, theirs, ours).replace(
      'ipv4 {',
      'ipv4 { extended next hop on;',
    );
    await pair.bird(extended);
    const hops = { next_hop: null, next_hop6: null };
    pair.speaker([bird({ address: theirs, ...changes })], [], hops);
    await pair.until('it is up', () => pair.line.bird?.status.state === 'Established');
  }

  async function route(prefix: string): Promise<string> {
    let shown = '';
    await pair.until(`BIRD has ${prefix}`, async () => {
      shown = await pair.birdc('show', 'route', 'all', prefix).catch(() => '');
      return shown.includes(prefix);
    });
    return shown;
  }

  test('a neighbour on our link is told the link-local address, too', async () => {
    await up('fd00:9::1', 'fd00:9::2', {});
    assert.match(await route(VIP6), /BGP\.next_hop: fd00:9::1 fe80::1$/m);
    assert.equal(pair.line.bird?.status.routes_unsendable, 1); // nothing was agreed on for IPv4
  });

  test('one that takes IPv6 next hops is told IPv4 routes as well', async () => {
    await up('fe80::1', 'fe80::2', { interface: 'us0', extended_next_hop: true });
    for (const prefix of [VIP, VIP6]) {
      const shown = await route(prefix);
      assert.match(shown, /BGP\.next_hop: fd00:9::1 fe80::1$/m);
      assert.match(shown, /via \S+ on them0/);
    }
  });

  test('a link without global addresses is enough', async () => {
    await pair.us.ip('address del fd00:9::1/64 dev us0');
    await up('fe80::1', 'fe80::2', { interface: 'us0', extended_next_hop: true });
    for (const prefix of [VIP, VIP6]) assert.match(await route(prefix), /via fe80::1 on them0/);
    await pair.us.ip('address add fd00:9::1/64 dev us0 nodad');
  });
});
