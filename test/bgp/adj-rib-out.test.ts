import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AdjRibOut } from '../../src/bgp/adj-rib-out.ts';
import type { OutSession } from '../../src/bgp/out-form.ts';
import { communityTexts, NO_ROUTES, type RouteTable } from '../../src/bgp/route.ts';
import { RouteBook } from '../../src/bgp/route-book.ts';
import { asPathText } from '../../src/bgp/wire/as-path.ts';
import { type CodecContext, DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { Framer } from '../../src/bgp/wire/framer.ts';
import { decodeMessage, sessionBytesMax } from '../../src/bgp/wire/message.ts';
import { endOfRib, routeChanges, type Update } from '../../src/bgp/wire/update.ts';
import type { RoutePlan } from '../../src/model/plan.ts';
import { formatAddress, formatPrefix, parseAddress } from '../../src/net/ip.ts';
import { plan } from '../support/bgp.ts';

const SESSION: OutSession = {
  local_as: 65001,
  role: null,
  next_hop4: Uint8Array.of(192, 0, 2, 1),
  next_hop6: Uint8Array.of(0x20, 1, 0xd, 0xb8, ...Array.from({ length: 12 }, () => 0)),
  context: DEFAULT_CONTEXT,
  ipv4: true,
  ipv6: true,
};

/** What one neighbour should have by these plans; nothing is remembered from one call to the next. */
function wanted(plans: readonly RoutePlan[]): RouteTable {
  const book = new RouteBook();
  book.take(plans);
  return book.table('router');
}

function next(rib: AdjRibOut, session = SESSION): Update | null {
  const bytes = rib.next();
  if (!bytes) return null;
  assert.ok(bytes.length <= sessionBytesMax(session.context));
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
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'])]));
    assert.equal(rib.next(), null);
    rib.open(SESSION);
    assert.deepEqual(drain(rib), ['+10.0.0.1/32', '+2001:db8::1/128', 'end', 'end']);
    rib.close();
    rib.open({ ...SESSION, ipv6: false });
    assert.deepEqual(drain(rib), ['+10.0.0.1/32', 'end']);
  });

  test('withdrawals go first', () => {
    const rib = opened();
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'])]));
    drain(rib);
    rib.want(wanted([plan(['10.0.0.2/32'])]));
    assert.deepEqual(drain(rib), ['-10.0.0.1/32', '-2001:db8::1/128', '+10.0.0.2/32']);
  });

  test('what was never sent is not withdrawn, and what came back is not sent', () => {
    const rib = opened();
    const routes = wanted([plan(['10.0.0.1/32'])]);
    rib.want(routes);
    rib.want(NO_ROUTES);
    assert.deepEqual(drain(rib), []);
    rib.want(routes);
    drain(rib);
    rib.want(NO_ROUTES);
    rib.want(wanted([plan(['10.0.0.1/32'])]));
    assert.deepEqual(drain(rib), []);
  });

  test('a changed attribute is announced over the old route, without a withdrawal', () => {
    const rib = opened();
    rib.want(wanted([plan(['10.0.0.1/32'])]));
    drain(rib);
    rib.want(wanted([plan(['10.0.0.1/32'], { med: 7 })]));
    const update = next(rib);
    assert.equal(update?.attributes.med, 7);
    assert.deepEqual(update?.withdrawn, []);
  });

  test('routes with equal attributes share UPDATEs, and large ones are filled', () => {
    const rib = opened();
    const many = Array.from({ length: 2000 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`);
    rib.want(wanted([plan(many), plan(['10.9.0.1/32'], { med: 1 })]));
    const sizes: number[] = [];
    for (let update = next(rib); update; update = next(rib)) sizes.push(update.announced.length);
    assert.equal(sizes.length, 4);
    assert.ok(sizes[0]! > 800 && sizes[0] === sizes[1]);
    assert.deepEqual(sizes.at(-1), 1);
    rib.want(NO_ROUTES);
    assert.equal(drain(rib).length, 2001);
  });

  test('the most communities that are allowed leave room for routes', () => {
    const communities = Array.from({ length: 255 }, (_, i) => `65000:1:${i}`);
    const rib = opened();
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'], { communities })]));
    assert.deepEqual(drain(rib), ['+10.0.0.1/32', '+2001:db8::1/128']);
  });

  test('within our AS: empty path and LOCAL_PREF 100', () => {
    const context = { ...DEFAULT_CONTEXT, ibgp: true };
    const session = { ...SESSION, context };
    const rib = opened(session);
    rib.want(wanted([plan(['10.0.0.1/32'])]));
    const { attributes } = next(rib, session)!;
    assert.deepEqual([attributes.as_path, attributes.local_pref], [[], 100]);
  });

  test('a two-octet peer gets AS_TRANS and the true number in AS4_PATH (RFC 6793)', () => {
    const context = { ...DEFAULT_CONTEXT, four_octet_as: false };
    const session = { ...SESSION, local_as: 4_200_000_000, context };
    const rib = opened(session);
    rib.want(wanted([plan(['10.0.0.1/32'])]));
    const { attributes } = next(rib, session)!;
    assert.deepEqual(attributes.as_path, [{ kind: 'sequence', as: [23456] }]);
    assert.deepEqual(attributes.as4_path, [{ kind: 'sequence', as: [4_200_000_000] }]);
  });

  test('a refresh sends one family again; a withdrawal meanwhile is not forgotten', () => {
    const rib = opened();
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'])]));
    drain(rib);
    rib.refresh(4);
    assert.deepEqual(drain(rib), ['+10.0.0.1/32']);
    rib.refresh(6);
    rib.want(NO_ROUTES);
    assert.deepEqual(drain(rib).sort(), ['-10.0.0.1/32', '-2001:db8::1/128']);
  });

  test('MED, prepending and communities of every kind go to a router outside of our AS', () => {
    const rib = opened();
    const communities = ['no-export', '65000:80', '65000:1:2', 'target:65000:9'];
    rib.want(wanted([plan(['10.0.0.1/32'], { med: 5, prepend: 2, local_pref: 90, communities })]));
    const { attributes } = next(rib)!;
    assert.equal(attributes.med, 5);
    assert.equal(attributes.local_pref, undefined); // RFC 4271 §5.1.5: not to other ASes
    assert.equal(asPathText(attributes.as_path!), '65001 65001 65001');
    assert.deepEqual(communityTexts(attributes), [
      'no-export',
      '65000:80',
      '65000:1:2',
      'target:65000:9',
    ]);
  });

  test('what one neighbour would not see is not sent to it', () => {
    const rib = opened();
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'])]));
    drain(rib);
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'], { local_pref: 50 })]));
    assert.equal(rib.pending, 0);
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128'], { next_hop6: '2001:db8::9' })]));
    assert.deepEqual(drain(rib), ['+2001:db8::1/128']);
  });

  test('another next hop of the site announces again what has no next hop of its own', () => {
    const rib = opened();
    const own = plan(['10.0.0.2/32'], { next_hop: '192.0.2.9' });
    rib.want(wanted([plan(['10.0.0.1/32', '2001:db8::1/128']), own]));
    drain(rib);
    rib.update({ ...SESSION, next_hop4: Uint8Array.of(192, 0, 2, 2) });
    const update = next(rib)!;
    assert.deepEqual(update.announced.map(formatPrefix), ['10.0.0.1/32']);
    assert.deepEqual(update.attributes.next_hop, Uint8Array.of(192, 0, 2, 2));
    assert.equal(rib.pending, 0);
    rib.update({ ...SESSION, next_hop4: null, next_hop6: null });
    assert.deepEqual(drain(rib).sort(), ['-10.0.0.1/32', '-2001:db8::1/128']);
    assert.equal(rib.unsendable, 2);
  });

  test('an IPv4 route without an IPv4 next hop has an IPv6 one where that is agreed (RFC 8950)', () => {
    const context = { ...DEFAULT_CONTEXT, extended_next_hop: true };
    const both = Uint8Array.of(...parseAddress('2001:db8::1')!, ...parseAddress('fe80::1')!);
    const session = { ...SESSION, next_hop4: null, next_hop6: both, context };
    const rib = opened(session);
    rib.want(wanted([plan(['10.0.0.1/32'])]));
    const { attributes, announced } = next(rib, session)!;
    assert.deepEqual(announced, []);
    assert.ok(attributes.mp_reach?.family === 4);
    assert.deepEqual(attributes.mp_reach.next_hop, both);
    assert.equal(attributes.next_hop, undefined);
    rib.want(NO_ROUTES);
    assert.equal(next(rib, session)?.attributes.mp_unreach?.family, 4);
    const without = opened({ ...session, context: DEFAULT_CONTEXT });
    without.want(wanted([plan(['10.0.0.1/32'])]));
    assert.deepEqual([without.pending, without.unsendable], [0, 1]);
  });

  test('Only to Customer goes to customers, peers and clients of a route server (RFC 9234 §5)', () => {
    const otcOf = (role: OutSession['role'], ibgp = false): number | undefined => {
      const session = { ...SESSION, role, context: { ...DEFAULT_CONTEXT, ibgp } };
      const rib = opened(session);
      rib.want(wanted([plan(['10.0.0.1/32'])]));
      return next(rib, session)?.attributes.otc;
    };
    assert.deepEqual(
      (['provider', 'peer', 'rs', 'customer', 'rs-client', null] as const).map((role) =>
        otcOf(role),
      ),
      [65001, 65001, 65001, undefined, undefined, undefined],
    );
    assert.equal(otcOf('provider', true), undefined);
  });

  test('extended messages carry more routes each (RFC 8654)', () => {
    const session = { ...SESSION, context: { ...DEFAULT_CONTEXT, extended_messages: true } };
    const rib = opened(session);
    const many = Array.from({ length: 5000 }, (_, i) => `10.0.${i >> 8}.${i & 255}/32`);
    rib.want(wanted([plan(many)]));
    assert.equal(next(rib, session)?.announced.length, 5000);
    assert.equal(rib.pending, 0);
  });

  describe('property', () => {
    const prefixes = ['10.0.0.1/32', '10.0.0.2/32', '2001:db8::1/128', '2001:db8::2/128'];
    const changes = fc.record({
      med: fc.constantFrom(null, 1, 2),
      prepend: fc.constantFrom(0, 1),
      local_pref: fc.constantFrom(null, 50),
      next_hop: fc.constantFrom(null, '192.0.2.7'),
      next_hop6: fc.constantFrom(null, '2001:db8::7'),
    });
    const happening = fc.record({
      one: fc.subarray(prefixes),
      two: fc.subarray(prefixes),
      changes: fc.tuple(changes, changes),
      sends: fc.integer({ min: 0, max: 3 }),
      refresh: fc.constantFrom(null, null, 4 as const, 6 as const),
      hop: fc.constantFrom(null, null, 1, 2),
    });
    const context = fc.record({
      ...Object.fromEntries(Object.entries(DEFAULT_CONTEXT).map(([k, v]) => [k, fc.constant(v)])),
      ibgp: fc.boolean(),
      four_octet_as: fc.boolean(),
      extended_next_hop: fc.boolean(),
      extended_messages: fc.boolean(),
    }) as fc.Arbitrary<CodecContext>;

    /** What a router believes, with all it knows of each route. */
    class Router {
      readonly routes = new Map<string, string>();

      take(update: Update): void {
        const { withdrawn, announced } = routeChanges(update, null);
        const raw = [
          ...update.withdrawn,
          ...(update.attributes.mp_unreach?.family ? withdrawn : []),
        ];
        const gone = new Set(raw.map(formatPrefix));
        for (const prefix of gone) assert.ok(this.routes.delete(prefix), 'withdrawn for nothing');
        const { mp_reach: _, mp_unreach: __, ...attributes } = update.attributes;
        for (const { prefix, next_hop } of announced) {
          const key = formatPrefix(prefix);
          assert.ok(!gone.has(key), 'both withdrawn and announced');
          const said = JSON.stringify([attributes, formatAddress(next_hop)]);
          assert.notEqual(this.routes.get(key), said, 'said twice');
          this.routes.set(key, said);
        }
      }
    }

    test('whatever happens in whatever order, the router ends with exactly what is wanted', () => {
      const run = fc.tuple(context, fc.array(happening, { minLength: 1, maxLength: 20 }));
      fc.assert(
        fc.property(run, ([agreed, happenings]) => {
          let session: OutSession = { ...SESSION, context: agreed };
          const book = new RouteBook();
          const rib = opened(session);
          const router = new Router();
          const send = (): boolean => {
            const update = next(rib, session);
            if (update) router.take(update);
            return update !== null;
          };
          for (const {
            one,
            two,
            changes: [a, b],
            sends,
            refresh,
            hop,
          } of happenings) {
            assert.deepEqual(book.take([plan(one, a), plan(two, b)]), []);
            rib.want(book.table('router'));
            if (hop) {
              session = { ...session, next_hop4: hop === 1 ? null : Uint8Array.of(192, 0, 2, hop) };
              rib.update(session);
            }
            if (refresh) {
              rib.refresh(refresh);
              const v6 = (key: string): boolean => key.includes(':');
              for (const key of router.routes.keys()) {
                if (v6(key) === (refresh === 6)) router.routes.set(key, 'asked for again');
              }
            }
            for (let i = 0; i < sends; i++) send();
            assert.equal(rib.sent, router.routes.size);
            assert.deepEqual(emptied(rib.withdrawals(), router.routes, session), []);
          }
          while (send());
          const fresh = opened(session);
          const expected = new Router();
          fresh.want(book.table('router'));
          for (let update = next(fresh, session); update; update = next(fresh, session)) {
            expected.take(update);
          }
          assert.deepEqual(
            new Map([...router.routes].sort()),
            new Map([...expected.routes].sort()),
          );
          assert.equal(rib.pending, 0);
        }),
        { numRuns: 500 },
      );
    });
  });
});

/** What is left of these routes once the guard has spoken. */
function emptied(
  bytes: Uint8Array,
  routes: ReadonlyMap<string, string>,
  { context }: OutSession,
): string[] {
  const left = new Set(routes.keys());
  const framer = new Framer();
  framer.bytesMax = sessionBytesMax(context);
  const fault = framer.push(bytes, (message) => {
    const decoded = decodeMessage(message, context).message;
    assert.ok(decoded?.type === 'update');
    for (const prefix of routeChanges(decoded.update, null).withdrawn) {
      assert.ok(left.delete(formatPrefix(prefix)));
    }
    return true;
  });
  assert.equal(fault, null);
  return [...left];
}
