import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AdjRibOut, type OutSession } from '../../src/bgp/adj-rib-out.ts';
import { wantedRoutes } from '../../src/bgp/route.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { decodeMessage } from '../../src/bgp/wire/message.ts';
import { endOfRib, routeChanges, type Update } from '../../src/bgp/wire/update.ts';
import { formatPrefix } from '../../src/net/ip.ts';
import { plan } from '../support/bgp.ts';

const SESSION: OutSession = {
  local_as: 65001,
  ibgp: false,
  next_hop4: Uint8Array.of(192, 0, 2, 1),
  next_hop6: Uint8Array.of(0x20, 1, 0xd, 0xb8, ...Array.from({ length: 12 }, () => 0)),
  context: DEFAULT_CONTEXT,
  ipv4: true,
  ipv6: true,
};

function next(rib: AdjRibOut, session = SESSION): Update | null {
  const bytes = rib.next();
  if (!bytes) return null;
  assert.ok(bytes.length <= 4096);
  const { message, fault } = decodeMessage(bytes, session.context);
  assert.equal(fault, null);
  assert.ok(message?.type === 'update');
  return message.update;
}

/** All pending UPDATEs as "+prefix", "-prefix" and "end". */
function drain(rib: AdjRibOut): string[] {
  const seen: string[] = [];
  for (let update = next(rib); update; update = next(rib)) {
    const { withdrawn, announced } = routeChanges(update, null);
    if (endOfRib(update)) seen.push('end');
    seen.push(...withdrawn.map((prefix) => `-${formatPrefix(prefix)}`));
    seen.push(...announced.map(({ prefix }) => `+${formatPrefix(prefix)}`));
  }
  return seen;
}

function opened(session = SESSION): AdjRibOut {
  const rib = new AdjRibOut();
  rib.open(session);
  drain(rib);
  return rib;
}

describe('Adj-RIB-Out', () => {
  test('the initial table ends with End-of-RIB of both families', () => {
    const rib = new AdjRibOut();
    rib.want(wantedRoutes([plan(['10.0.0.1/32', '2001:db8::1/128'])], 'router'));
    assert.equal(rib.next(), null);
    rib.open(SESSION);
    assert.deepEqual(drain(rib), ['+10.0.0.1/32', '+2001:db8::1/128', 'end', 'end']);
    rib.close();
    rib.open({ ...SESSION, ipv6: false });
    assert.deepEqual(drain(rib), ['+10.0.0.1/32', 'end']);
  });

  test('withdrawals go first', () => {
    const rib = opened();
    rib.want(wantedRoutes([plan(['10.0.0.1/32', '2001:db8::1/128'])], 'router'));
    drain(rib);
    rib.want(wantedRoutes([plan(['10.0.0.2/32'])], 'router'));
    assert.deepEqual(drain(rib), ['-10.0.0.1/32', '-2001:db8::1/128', '+10.0.0.2/32']);
  });

  test('what was never sent is not withdrawn, and what came back is not sent', () => {
    const rib = opened();
    const routes = wantedRoutes([plan(['10.0.0.1/32'])], 'router');
    rib.want(routes);
    rib.want(new Map());
    assert.deepEqual(drain(rib), []);
    rib.want(routes);
    drain(rib);
    rib.want(new Map());
    rib.want(wantedRoutes([plan(['10.0.0.1/32'])], 'router'));
    assert.deepEqual(drain(rib), []);
  });

  test('a changed attribute is announced over the old route, without a withdrawal', () => {
    const rib = opened();
    rib.want(wantedRoutes([plan(['10.0.0.1/32'])], 'router'));
    drain(rib);
    rib.want(wantedRoutes([plan(['10.0.0.1/32'], { med: 7 })], 'router'));
    const update = next(rib);
    assert.equal(update?.attributes.med, 7);
    assert.deepEqual(update?.withdrawn, []);
  });

  test('routes with equal attributes share UPDATEs, and large ones are filled', () => {
    const rib = opened();
    const many = Array.from({ length: 2000 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`);
    rib.want(wantedRoutes([plan(many), plan(['10.9.0.1/32'], { med: 1 })], 'router'));
    const sizes: number[] = [];
    for (let update = next(rib); update; update = next(rib)) sizes.push(update.announced.length);
    assert.equal(sizes.length, 4);
    assert.ok(sizes[0]! > 800 && sizes[0] === sizes[1]);
    assert.deepEqual(sizes.at(-1), 1);
    rib.want(new Map());
    assert.equal(drain(rib).length, 2001);
  });

  test('the most communities that are allowed leave room for routes', () => {
    const communities = Array.from({ length: 255 }, (_, i) => `65000:${i}`);
    const rib = opened();
    rib.want(wantedRoutes([plan(['10.0.0.1/32', '2001:db8::1/128'], { communities })], 'router'));
    assert.deepEqual(drain(rib), ['+10.0.0.1/32', '+2001:db8::1/128']);
    const tooMany = plan(['10.0.0.1/32'], { communities: [...communities, '1:1'] });
    assert.throws(() => wantedRoutes([tooMany], 'router'), /more than 255 communities/);
  });

  test('within our AS: empty path and LOCAL_PREF 100', () => {
    const context = { ...DEFAULT_CONTEXT, ibgp: true };
    const session = { ...SESSION, ibgp: true, context };
    const rib = opened(session);
    rib.want(wantedRoutes([plan(['10.0.0.1/32'])], 'router'));
    const { attributes } = next(rib, session)!;
    assert.deepEqual([attributes.as_path, attributes.local_pref], [[], 100]);
  });

  test('a two-octet peer gets AS_TRANS and the true number in AS4_PATH (RFC 6793)', () => {
    const context = { ...DEFAULT_CONTEXT, four_octet_as: false };
    const session = { ...SESSION, local_as: 4_200_000_000, context };
    const rib = opened(session);
    rib.want(wantedRoutes([plan(['10.0.0.1/32'])], 'router'));
    const { attributes } = next(rib, session)!;
    assert.deepEqual(attributes.as_path, [{ kind: 'sequence', as: [23456] }]);
    assert.deepEqual(attributes.as4_path, [{ kind: 'sequence', as: [4_200_000_000] }]);
  });

  test('a refresh sends one family again; a withdrawal meanwhile is not forgotten', () => {
    const rib = opened();
    rib.want(wantedRoutes([plan(['10.0.0.1/32', '2001:db8::1/128'])], 'router'));
    drain(rib);
    rib.refresh(4);
    assert.deepEqual(drain(rib), ['+10.0.0.1/32']);
    rib.refresh(6);
    rib.want(new Map());
    assert.deepEqual(drain(rib).sort(), ['-10.0.0.1/32', '-2001:db8::1/128']);
  });

  test('whatever is wanted in whatever order, the peer ends with exactly the last of it', () => {
    const prefixes = ['10.0.0.1/32', '10.0.0.2/32', '2001:db8::1/128', '2001:db8::2/128'];
    const wish = fc.record({
      prefixes: fc.subarray(prefixes),
      med: fc.constantFrom(null, 1, 2),
      sends: fc.integer({ min: 0, max: 3 }),
      refresh: fc.constantFrom(null, 4 as const, 6 as const),
    });
    fc.assert(
      fc.property(fc.array(wish, { minLength: 1, maxLength: 20 }), (wishes) => {
        const rib = opened();
        const peer = new Map<string, number | null>();
        const send = (): boolean => {
          const update = next(rib);
          if (!update) return false;
          const { withdrawn, announced } = routeChanges(update, null);
          for (const prefix of withdrawn) assert.ok(peer.delete(formatPrefix(prefix)));
          const { med = null } = update.attributes;
          for (const { prefix } of announced) peer.set(formatPrefix(prefix), med);
          return true;
        };
        for (const { prefixes: chosen, med, sends, refresh } of wishes) {
          rib.want(wantedRoutes([plan(chosen, { med })], 'router'));
          if (refresh) rib.refresh(refresh);
          for (let i = 0; i < sends; i++) send();
        }
        while (send());
        const last = wishes.at(-1)!;
        const expected = last.prefixes.map((prefix) => [prefix, last.med] as const).sort();
        assert.deepEqual([...peer].sort(), expected);
        assert.equal(rib.sent, last.prefixes.length);
        assert.equal(rib.pending, 0);
      }),
      { numRuns: 500 },
    );
  });
});
