/** What we say in an OPEN, what we refuse, and what two OPENs agree on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FsmSettings } from '../../src/bgp/fsm-model.ts';
import { agree, ourOpen, refusal } from '../../src/bgp/open-check.ts';
import { type Capability, capabilityText } from '../../src/bgp/wire/capability.ts';
import type { Open } from '../../src/bgp/wire/open.ts';
import type { BgpRole } from '../../src/model/bgp.ts';
import { MIRRORED, SETTINGS } from '../support/fsm-bench.ts';

const peer = (capabilities: readonly Capability[]): Open => ({
  ...ourOpen(MIRRORED),
  capabilities,
});
const codes = (local: FsmSettings, open: Open): string => {
  const wrong = refusal(local, open);
  return wrong ? `${wrong.code}/${wrong.subcode} ${Buffer.from(wrong.data).toString('hex')}` : 'ok';
};

describe('our OPEN', () => {
  test('says what is configured', () => {
    const all = ourOpen({
      ...SETTINGS,
      extended_next_hop: true,
      add_path: true,
      graceful_restart_helper: true,
      role: 'customer',
    });
    assert.deepEqual(all.capabilities.map(capabilityText), [
      'multiprotocol IPv4',
      'multiprotocol IPv6',
      'route refresh',
      'enhanced route refresh',
      'four-octet AS',
      'extended messages',
      'extended next hop IPv4 over IPv6',
      'add-path IPv4 (receive), IPv6 (receive)',
      'role customer',
      'graceful restart 0 s, after notifications, helper only',
    ]);
  });

  test('of one family says nothing of the other', () => {
    const one = ourOpen({ ...SETTINGS, ipv4: false, extended_next_hop: true, add_path: true });
    const texts = one.capabilities.map(capabilityText);
    assert.ok(!texts.some((text) => text.includes('IPv4')), texts.join());
  });
});

describe('a session without a family in common', () => {
  const ipv6Only: Capability = { kind: 'multiprotocol', afi: 2, safi: 1 };

  test('is refused, and the data says what we miss (RFC 5492 §5)', () => {
    assert.equal(codes({ ...SETTINGS, ipv6: false }, peer([ipv6Only])), '2/7 010400010001');
  });

  test('without any capability IPv4 is meant (RFC 4760 §8)', () => {
    assert.equal(codes({ ...SETTINGS, ipv6: false, remote_as: null }, peer([])), 'ok');
    assert.equal(
      codes({ ...SETTINGS, ipv4: false, remote_as: null }, peer([])),
      '2/7 010400020001',
    );
  });
});

describe('roles (RFC 9234 §4.2)', () => {
  const NUMBERS: readonly BgpRole[] = ['provider', 'rs', 'rs-client', 'customer', 'peer'];
  const told = (...roles: number[]): Open =>
    peer([
      ...ourOpen(MIRRORED).capabilities,
      ...roles.map((value): Capability => ({ kind: 'role', value })),
    ]);
  const FITTING = [
    'provider-customer',
    'customer-provider',
    'rs-rs-client',
    'rs-client-rs',
    'peer-peer',
  ];

  test('only the five pairs of the RFC fit', () => {
    const fits = NUMBERS.flatMap((role) =>
      NUMBERS.filter((_, value) => codes({ ...SETTINGS, role }, told(value)) === 'ok').map(
        (theirs) => `${role}-${theirs}`,
      ),
    );
    assert.deepEqual(fits.sort(), [...FITTING].sort());
    assert.equal(codes({ ...SETTINGS, role: 'peer' }, told(0)), '2/11 ');
    assert.equal(codes({ ...SETTINGS, role: 'peer' }, told(77)), '2/11 ');
  });

  test('a peer without a role is refused only if we are strict', () => {
    assert.equal(codes({ ...SETTINGS, role: 'peer' }, told()), 'ok');
    assert.equal(codes({ ...SETTINGS, role: 'peer', role_strict: true }, told()), '2/11 ');
  });

  test('a role said twice is one, two different are a mismatch', () => {
    assert.equal(codes({ ...SETTINGS, role: 'peer' }, told(4, 4)), 'ok');
    assert.equal(codes({ ...SETTINGS, role: 'peer' }, told(4, 0)), '2/11 ');
  });

  test('without a role of ours, and within an AS, it does not matter', () => {
    assert.equal(codes(SETTINGS, told(2)), 'ok');
    const internal: FsmSettings = {
      ...SETTINGS,
      role: 'peer',
      role_strict: true,
      remote_as: 65002,
    };
    assert.equal(codes({ ...internal, local_as: 65002 }, told(0)), 'ok');
  });

  test('it is not told within an AS', () => {
    const kinds = (remote_as: number): string[] =>
      ourOpen({ ...SETTINGS, role: 'peer', remote_as }).capabilities.map(({ kind }) => kind);
    assert.ok(kinds(65002).includes('role'));
    assert.ok(!kinds(SETTINGS.local_as).includes('role'));
  });

  test('the agreement has the role of the peer', () => {
    assert.equal(agree({ ...SETTINGS, role: 'customer' }, told(0)).role, 'provider');
    assert.equal(agree(SETTINGS, told()).role, null);
  });
});

describe('two OPENs agree on', () => {
  const both = (changes: Partial<FsmSettings>, capabilities: readonly Capability[]) =>
    agree({ ...SETTINGS, ...changes }, peer([...ourOpen(MIRRORED).capabilities, ...capabilities]));

  test('the families that both offer', () => {
    const { ipv4, ipv6 } = both({ ipv4: false }, []);
    assert.deepEqual([ipv4, ipv6], [false, true]);
  });

  test('several paths where we asked and the peer sends them', () => {
    const sends = (mode: number): Capability => ({
      kind: 'add-path',
      families: [{ afi: 1, safi: 1, mode }],
    });
    const paths = (asked: boolean, mode: number): boolean[] => {
      const { context } = both({ add_path: asked }, [sends(mode)]);
      return [context.add_path4, context.add_path6];
    };
    assert.deepEqual(paths(true, 2), [true, false]);
    assert.deepEqual(paths(true, 3), [true, false]);
    assert.deepEqual(paths(true, 1), [false, false]);
    assert.deepEqual(paths(false, 3), [false, false]);
    const other = both({ add_path: true, ipv4: false }, [sends(3)]).context;
    assert.equal(other.add_path4, false, 'not of a family that is not agreed on');
  });

  test('IPv6 next hops where both want them', () => {
    const hops: Capability = {
      kind: 'extended-next-hop',
      families: [{ afi: 1, safi: 1, next_hop_afi: 2 }],
    };
    assert.equal(both({ extended_next_hop: true }, [hops]).context.extended_next_hop, true);
    assert.equal(both({ extended_next_hop: false }, [hops]).context.extended_next_hop, false);
    assert.equal(both({ extended_next_hop: true }, []).context.extended_next_hop, false);
  });

  test('extended messages, and the kind of refresh', () => {
    const kinds = (...capabilities: Capability['kind'][]) => {
      const open = peer(capabilities.map((kind) => ({ kind }) as Capability));
      const { refresh, context } = agree(SETTINGS, open);
      return [refresh, context.extended_messages];
    };
    assert.deepEqual(kinds(), ['none', false]);
    assert.deepEqual(kinds('route-refresh', 'extended-messages'), ['plain', true]);
    assert.deepEqual(kinds('route-refresh', 'enhanced-route-refresh'), ['enhanced', false]);
    assert.deepEqual(kinds('enhanced-route-refresh'), ['none', false]);
  });

  test('help for a restart, of the families that we speak', () => {
    const restart: Capability = {
      kind: 'graceful-restart',
      restarted: true,
      notification: true,
      restart_time_s: 120,
      families: [
        { afi: 2, safi: 1, forwarding: true },
        { afi: 25, safi: 65, forwarding: true },
      ],
    };
    assert.deepEqual(both({ graceful_restart_helper: true }, [restart]).restart, {
      time_ms: 120_000,
      notification: true,
      families: [{ family: 6, forwarding: true }],
    });
    const earlier = { ...restart, restart_time_s: 7 };
    const last = both({ graceful_restart_helper: true }, [earlier, restart]).restart;
    assert.equal(last?.time_ms, 120_000, 'of several the last counts (RFC 4724 §3)');
    assert.equal(both({ graceful_restart_helper: false }, [restart]).restart, null);
    const helper = { ...restart, families: [] };
    assert.equal(both({ graceful_restart_helper: true }, [helper]).restart, null);
  });
});
