/** Which changes of a neighbour's settings end its session. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { needsReset, type PeerSettings } from '../../src/bgp/peer-settings.ts';
import { UNCHANGED } from '../support/bgp.ts';
import { STRICT_BFD } from '../support/fsm-bench.ts';
import { settingsTo } from '../support/peer-bench.ts';

const BEFORE = settingsTo({ address: '192.0.2.9', port: 179 });
const names = (changes: Partial<PeerSettings>, before = BEFORE): string[] =>
  needsReset(before, { ...before, ...changes });

describe('a new session is needed', () => {
  const cases: [Partial<PeerSettings>, string[]][] = [
    [{ remote_as: 65009 }, ['AS']],
    [{ address: '192.0.2.8', port: 1790 }, ['address', 'port']],
    [{ hold_time_ms: 30_000 }, ['hold time']],
    [{ ipv6: false }, ['family IPv6']],
    [{ role: 'customer', role_strict: true }, ['role', 'strict role']],
    [{ ttl: 1 }, ['TTL']],
    [{ ttl_security: 1 }, ['TTL security']],
    [{ md5_key: Uint8Array.of(1, 2) }, ['MD5 key']],
    [{ bfd: STRICT_BFD }, ['strict BFD']],
  ];
  for (const [changes, expected] of cases) {
    test(`for ${expected.join(' and ')}`, () => assert.deepEqual(names(changes), expected));
  }
});

describe('the session goes on', () => {
  test('with other timers, policies, next hops, and BFD that nobody waits for', () => {
    const changes: Partial<PeerSettings> = {
      name: 'renamed',
      connect_retry_ms: 1,
      delay_open_ms: 1,
      send_hold_ms: 1,
      idle_hold_max_ms: 1,
      passive: true,
      next_hop: '192.0.2.77',
      next_hop6: null,
      receive: { accept: ['10.0.0.0/8'], prefixes_max: 1, watch_vips: true },
      announce: {
        vips: [],
        when: null,
        changes: { ...UNCHANGED, med: 5 },
        by_fitness: {},
        by_vip: {},
      },
      bfd: { ...STRICT_BFD, strict: false },
      bfd_key: Uint8Array.of(1),
    };
    assert.deepEqual(names(changes), []);
  });

  test('with a key that is the same in another array', () => {
    const keyed = { ...BEFORE, md5_key: Uint8Array.of(1, 2) };
    assert.deepEqual(names({ md5_key: Uint8Array.of(1, 2) }, keyed), []);
  });

  test('with another TTL where TTL security decides it', () => {
    assert.deepEqual(names({ ttl: 9 }, { ...BEFORE, ttl_security: 1 }), []);
  });
});
