/** What our MRT dump says, read by bgpdump. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { SystemClock, VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import { MrtFile } from '../../src/bgp/mrt-file.ts';
import { Speaker } from '../../src/bgp/speaker.ts';
import { asPathText } from '../../src/bgp/wire/as-path.ts';
import { type CodecContext, DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import { encodeMessage, type Message } from '../../src/bgp/wire/message.ts';
import type { Nlri } from '../../src/bgp/wire/nlri.ts';
import { forTwoOctetPeer, type Update } from '../../src/bgp/wire/update.ts';
import { runProgram } from '../../src/net/host.ts';
import {
  canonicalAddress,
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
} from '../../src/net/ip.ts';
import { prefix } from '../bgp/wire/arbitrary.ts';
import { bgpSite, neighbor, plan, until } from '../support/bgp.ts';
import { need } from '../support/need.ts';

const PATHS: CodecContext = { ...DEFAULT_CONTEXT, add_path4: true };
const OLD: CodecContext = { ...DEFAULT_CONTEXT, four_octet_as: false };

const session = {
  peer_address: parseAddress('192.0.2.1')!,
  local_address: parseAddress('192.0.2.2')!,
  peer_as: 65001,
  local_as: 65000,
};

function route(text: string, path_id?: number): Message {
  const prefix = parsePrefix(text)!;
  const nlri = path_id === undefined ? prefix : { ...prefix, path_id };
  return {
    type: 'update',
    update: {
      withdrawn: [],
      announced: [nlri],
      attributes: {
        origin: 0,
        as_path: [{ kind: 'sequence', as: [65001] }],
        next_hop: parseAddress('192.0.2.1')!,
        med: 70,
      },
    },
  };
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const octets = (count: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: count, maxLength: count });

/** UPDATEs of which bgpdump says everything. */
function updates({ four_octet_as, add_path4 }: CodecContext): fc.Arbitrary<Update> {
  const as = fc.integer({ min: 1, max: 0xffffffff });
  const nlri = (family: 4 | 6): fc.Arbitrary<Nlri[]> =>
    fc.array(
      fc
        .tuple(prefix(family), u32)
        .map(([bare, path_id]) => (add_path4 ? { ...bare, path_id } : bare)),
      { minLength: 1, maxLength: 12 },
    );
  const attributes = fc.record({
    origin: fc.integer({ min: 0, max: 2 }),
    as_path: fc
      .tuple(fc.array(as, { minLength: 1, maxLength: 20 }))
      .map(([numbers]) => [{ kind: 'sequence' as const, as: numbers }]),
    next_hop: fc.tuple(fc.integer({ min: 1, max: 223 }), octets(3)).map(([first, rest]) => {
      return Uint8Array.of(first, ...rest);
    }),
    med: u32,
    local_pref: u32,
    // Those above have names, of which bgpdump knows other ones.
    communities: fc.array(fc.integer({ min: 0, max: 0xfffeffff }), { minLength: 1, maxLength: 9 }),
    aggregator: fc.record({ as, address: octets(4) }),
    mp_reach: fc.record({
      family: fc.constant(6 as const),
      next_hop: octets(16).map((hop) => Uint8Array.of(0x20, ...hop.subarray(1))),
      nlri: nlri(6),
    }),
    mp_unreach: fc.record({ family: fc.constant(6 as const), nlri: nlri(6) }),
  });
  return fc.record({ withdrawn: nlri(4), announced: nlri(4), attributes }).map((made) => ({
    ...made,
    attributes: four_octet_as ? made.attributes : forTwoOctetPeer(made.attributes),
  }));
}

/** What bgpdump must print of it, behind the time. */
function linesOf({ withdrawn, announced, attributes }: Update): string[] {
  const { as_path = [], origin = 0, communities = [], aggregator, mp_reach } = attributes;
  const { mp_unreach, next_hop = new Uint8Array(4), local_pref, med } = attributes;
  const peer = '192.0.2.1|65001';
  const place = ({ path_id, ...bare }: Nlri): string =>
    path_id === undefined ? formatPrefix(bare) : `${formatPrefix(bare)}|${path_id}`;
  const route = (hop: Uint8Array) => (one: Nlri) =>
    [
      `A|${peer}|${place(one)}|${asPathText(as_path)}|${['IGP', 'EGP', 'INCOMPLETE'][origin]}`,
      `${formatAddress(hop)}|${local_pref}|${med}`,
      communities.map((all) => `${all >>> 16}:${all & 0xffff}`).join(' '),
      `NAG|${aggregator?.as} ${formatAddress(aggregator!.address)}|`,
    ].join('|');
  const gone = [...withdrawn, ...(mp_unreach?.family === 6 ? mp_unreach.nlri : [])];
  return [
    ...gone.map((one) => `W|${peer}|${place(one)}`),
    ...announced.map(route(next_hop)),
    ...(mp_reach?.family === 6 ? mp_reach.nlri.map(route(mp_reach.next_hop)) : []),
  ];
}

/** bgpdump shortens a single zero group of an IPv6 address, which RFC 5952 §4.2.2 forbids. */
function canonical(field: string): string {
  const [address = '', ...length] = field.split('/');
  return [canonicalAddress(address) ?? address, ...length].join('/');
}

describe('MRT', { skip: need('bgpdump') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'isobar-mrt-'));
  after(() => rmSync(folder, { recursive: true }));

  test('bgpdump reads states, and messages of every kind of session', async () => {
    const file = join(folder, 'dump.mrt');
    const clock = new VirtualClock();
    const dump = new MrtFile({ clock, log: silentLog });
    dump.use({ file, bytes_max: 1_000_000 });
    const say = (message: Message, context: CodecContext, sent = false): void =>
      dump.message(session, { bytes: encodeMessage(message, context)!, sent, context }, 0);
    dump.state(session, 'OpenConfirm', 'Established');
    say(route('198.18.80.80/32'), DEFAULT_CONTEXT);
    say(route('198.18.81.0/24'), OLD);
    say(route('198.18.82.0/24', 7), PATHS);
    say({ type: 'keepalive' }, DEFAULT_CONTEXT, true);
    await dump.close();
    const lines = (await runProgram('bgpdump', ['-m', file])).trim().split('\n');
    const fields = lines.map((line) => line.split('|'));
    assert.deepEqual(fields[0]!.slice(2), ['STATE', '192.0.2.1', '65001', '5', '6']);
    const routes = fields.filter(([, , kind]) => kind === 'A');
    // A path identifier stands between the prefix and the AS path.
    assert.deepEqual(
      routes.map((all) => all.slice(3, 8).join(' ')),
      [
        '192.0.2.1 65001 198.18.80.80/32 65001 IGP',
        '192.0.2.1 65001 198.18.81.0/24 65001 IGP',
        '192.0.2.1 65001 198.18.82.0/24 7 65001',
      ],
    );
    const words = await runProgram('bgpdump', [file]);
    assert.match(words, /MESSAGE_LOCAL\/Keepalive\nFROM: 192\.0\.2\.2 AS65000\nTO: 192\.0\.2\.1/);
  });

  test('a whole session of the speaker, from OPEN to its good-bye', async () => {
    const shared = { clock: new SystemClock(), prng: prng(1), log: silentLog };
    const listen = { address: '127.0.0.1', port: 0 };
    const mine = { listen, as: 65000, router_id: '10.0.0.253', hold_time_ms: 9_000 };
    const router = new Collector({ ...mine, ...shared });
    await router.start();
    const file = join(folder, 'session.mrt');
    const bgp = bgpSite([neighbor(router.address)], { mrt: { file, bytes_max: 1_000_000 } });
    const site = new Speaker({ bgp, ...shared, onEvent: () => {} });
    site.apply([plan(['198.18.80.80/32'])]);
    await site.start();
    await until(() => router.routes().length === 1);
    await site.stop('replacing a fan');
    await router.stop();
    const words = await runProgram('bgpdump', [file]);
    const kinds = [...words.matchAll(/^TYPE: (\S+)$/gm)].map((found) => found[1]!);
    for (const kind of ['MESSAGE_LOCAL/Open', 'MESSAGE/Open', 'MESSAGE_LOCAL/Notify', 'STATE']) {
      assert.ok(
        kinds.some((one) => one.includes(kind)),
        `${kind} is missing: ${kinds.join(' ')}`,
      );
    }
    assert.match(words, /FROM: 127\.0\.0\.1 AS65001\nTO: 127\.0\.0\.1 AS65000/);
    assert.match(words, /ANNOUNCE\n {2}198\.18\.80\.80\/32/);
    assert.match(words, /WITHDRAW\n {2}198\.18\.80\.80\/32/);
  });

  for (const [name, changes] of [
    ['four-octet AS numbers', {}],
    ['two-octet AS numbers', { four_octet_as: false }],
    ['path identifiers', { add_path4: true, add_path6: true }],
  ] as const) {
    test(`a thousand UPDATEs with ${name} mean the same to bgpdump`, async () => {
      const context: CodecContext = { ...DEFAULT_CONTEXT, ...changes };
      const file = join(folder, `${name}.mrt`);
      const dump = new MrtFile({ clock: new VirtualClock(), log: silentLog });
      dump.use({ file, bytes_max: 10_000_000 });
      const wanted: string[] = [];
      for (const update of fc.sample(updates(context), { numRuns: 1000, seed: 6396 })) {
        const bytes = encodeMessage({ type: 'update', update }, context)!;
        dump.message(session, { bytes, sent: false, context }, 0);
        wanted.push(...linesOf(update));
      }
      await dump.close();
      const printed = (await runProgram('bgpdump', ['-m', file])).trim().split('\n');
      assert.deepEqual(
        printed.map((line) => line.split('|').slice(2).map(canonical).join('|')),
        wanted,
      );
    });
  }
});
