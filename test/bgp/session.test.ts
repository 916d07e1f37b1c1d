/** One Established session over a socket that takes what the test lets it take. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { silentLog } from '../../src/base/log.ts';
import { AdjRibOut } from '../../src/bgp/adj-rib-out.ts';
import type { Link } from '../../src/bgp/link.ts';
import { agree, ourOpen } from '../../src/bgp/open-check.ts';
import { PeerRecord } from '../../src/bgp/peer-record.ts';
import { Session } from '../../src/bgp/session.ts';
import { decodeMessage, encodeMessage, type Message } from '../../src/bgp/wire/message.ts';
import { endOfRib } from '../../src/bgp/wire/update.ts';
import { formatPrefix } from '../../src/net/ip.ts';
import { MIRRORED, SETTINGS } from '../support/fsm-bench.ts';
import { routeTable, settingsTo } from '../support/peer-bench.ts';

const BOTH = agree(SETTINGS, ourOpen(MIRRORED));

/** In words: "+10.1.0.0/24", "end 4", "refresh 4 1" (family and subtype). */
function wordsOf(message: Message): string[] {
  if (message.type === 'route-refresh') {
    const { afi, subtype } = message.refresh;
    return [`refresh ${afi === 1 ? 4 : 6} ${subtype}`];
  }
  if (message.type !== 'update') return [message.type];
  const end = endOfRib(message.update);
  if (end !== null) return [`end ${end}`];
  const { withdrawn, announced } = message.update;
  return [
    ...withdrawn.map((prefix) => `-${formatPrefix(prefix)}`),
    ...announced.map((prefix) => `+${formatPrefix(prefix)}`),
  ];
}

function bench(prefixes: string[], agreement = BOTH) {
  const sent: string[] = [];
  const line = {
    full: true,
    clean: true,
    socket: { localAddress: '192.0.2.1', remoteAddress: '192.0.2.9' },
    send: (bytes: Uint8Array) => {
      const { message } = decodeMessage(bytes, agreement.context);
      if (message) sent.push(...wordsOf(message));
    },
  };
  const rib = new AdjRibOut();
  rib.want(routeTable(...prefixes));
  const session: Session = new Session(
    {
      slot: 'out',
      link: line as unknown as Link,
      agreement,
      rib,
      helper: null,
      record: new PeerRecord(0),
      guard: null,
      log: silentLog,
      send: (message) => line.send(encodeMessage(message, agreement.context)!),
    },
    settingsTo({ address: '192.0.2.9', port: 179 }),
  );
  return { sent, line, rib, session };
}

const ask = { afi: 1, subtype: 0, safi: 1 };
const TABLE = ['+10.1.0.0/24', '+10.2.0.0/24'];

describe('a route refresh', () => {
  test('that is asked for while the first table waits begins after its End-of-RIB (RFC 7313 §4.1)', () => {
    const { sent, line, session } = bench(['10.1.0.0/24', '10.2.0.0/24']);
    session.pump();
    session.refresh(ask);
    assert.deepEqual(sent, []);
    line.full = false;
    session.pump();
    const first = [...TABLE, 'end 4', 'end 6'];
    assert.deepEqual(sent, [...first, 'refresh 4 1', ...TABLE, 'refresh 4 2']);
  });

  test('asked for again and again while the socket is full has one beginning and one end', () => {
    const { sent, line, session } = bench(['10.1.0.0/24', '10.2.0.0/24']);
    line.full = false;
    session.pump();
    sent.length = 0;
    line.full = true;
    for (let i = 0; i < 5; i++) session.refresh(ask);
    line.full = false;
    session.pump();
    assert.deepEqual(sent, ['refresh 4 1', ...TABLE, 'refresh 4 2']);
  });

  test('of what was not agreed on, and marks that mean nothing, are ignored', () => {
    const { sent, line, session } = bench(['10.1.0.0/24']);
    line.full = false;
    session.pump();
    sent.length = 0;
    session.refresh({ afi: 25, subtype: 0, safi: 65 });
    session.refresh({ afi: 1, subtype: 77, safi: 1 });
    assert.deepEqual(sent, []);
  });
});

test('another next hop is told to the session as it is', () => {
  const { sent, line, session } = bench(['10.1.0.0/24']);
  line.full = false;
  session.pump();
  sent.length = 0;
  const settings = settingsTo({ address: '192.0.2.9', port: 179 });
  session.update({ ...settings, connect_retry_ms: 1 });
  assert.deepEqual(sent, []);
  session.update({ ...settings, next_hop: '192.0.2.77' });
  assert.deepEqual(sent, ['+10.1.0.0/24']);
});

test('we ask for the routes of the families that were agreed on, where we may ask', () => {
  for (const [peer, asked] of [
    [ourOpen(MIRRORED), ['refresh 4 0', 'refresh 6 0']],
    [ourOpen({ ...MIRRORED, ipv6: false }), ['refresh 4 0']],
    [{ ...ourOpen(MIRRORED), capabilities: [] }, []],
  ] as const) {
    const { sent, session } = bench([], agree(SETTINGS, peer));
    session.ask();
    assert.deepEqual(sent, asked);
  }
});
