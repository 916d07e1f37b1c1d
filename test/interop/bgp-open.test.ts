/**
 * OPENs with more than 255 octets of capabilities (RFC 9072), both ways: BIRD sends such where it has
 * many families, and reads ours.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Speaker } from '../../src/bgp/speaker.ts';
import { DEFAULT_CONTEXT } from '../../src/bgp/wire/attributes.ts';
import type { Capability } from '../../src/bgp/wire/capability.ts';
import { Framer } from '../../src/bgp/wire/framer.ts';
import { decodeMessage, encodeMessage, type MessageType } from '../../src/bgp/wire/message.ts';
import { bgpSite, freePort, neighbor, plan, until } from '../support/bgp.ts';
import { Bird } from '../support/bird.ts';
import { need } from '../support/need.ts';

const OURS = '127.0.52.1';
const THEIRS = '127.0.52.2';
const VIP = '198.18.80.80/32';
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function bird(port: number, tables: string, channels: string): Bird {
  const made = new Bird(`${tables}
  protocol bgp site {
    local ${THEIRS} port ${port} as 65000;
    neighbor ${OURS} as 65001;
    strict bind; multihop; passive; graceful restart on; long lived graceful restart on;
    ipv4 { import all; export none; };
    ${channels}
  }`);
  cleanups.push(() => made.end());
  return made;
}

const TABLES = `ipv4 table m4; ipv6 table m6; vpn4 table v4; vpn6 table v6; vpn4 table w4;
  vpn6 table w6; flow4 table f4; flow6 table f6; mpls table labels;`;
const MANY = [
  ...['ipv6', 'ipv4 multicast { table m4;', 'ipv6 multicast { table m6;'],
  ...['vpn4 mpls { table v4;', 'vpn6 mpls { table v6;', 'vpn4 multicast { table w4;'],
  ...['vpn6 multicast { table w6;', 'flow4 { table f4;', 'flow6 { table f6;'],
]
  .map((one) => `${one.includes('{') ? one : `${one} {`} import all; export none; add paths on; };`)
  .join('\n');

describe('optional parameters', { skip: need('bird', 'birdc'), timeout: 60_000 }, () => {
  test('of BIRD in the extended form are read', async () => {
    const port = await freePort(THEIRS);
    const router = bird(port, TABLES, MANY);
    const bgp = bgpSite([neighbor({ address: THEIRS, port }, { name: 'bird', source: OURS })]);
    const clock = new SystemClock();
    const ours = new Speaker({ bgp, clock, prng: prng(1), log: silentLog, onEvent: () => {} });
    cleanups.push(() => ours.stop());
    ours.apply([plan([VIP], {}, ['bird'])]);
    await ours.start();
    await until(async () => (await router.ask('show', 'route')).includes(VIP));
    const { capabilities } = ours.neighbors()[0]!;
    assert.ok(capabilities.join().length > 255, capabilities.join());
  });

  test('of ours in the extended form are read by BIRD', async () => {
    const port = await freePort(THEIRS);
    const router = bird(port, '', '');
    await until(async () => (await router.ask('show', 'protocols')).includes('site'));
    const unknown = (code: number): Capability => {
      return { kind: 'unknown', code, value: new Uint8Array(100) };
    };
    const capabilities: Capability[] = [
      ...[240, 241, 242].map(unknown),
      { kind: 'multiprotocol', afi: 1, safi: 1 },
      { kind: 'four-octet-as', as: 65001 },
    ];
    const open = { my_as: 65001, hold_time_s: 9, router_id: 0x0a000001, capabilities };
    const bytes = encodeMessage({ type: 'open', open }, DEFAULT_CONTEXT);
    assert.ok(bytes && bytes.length > 19 + 10 + 255);
    const socket = connect({ host: THEIRS, port, localAddress: OURS });
    cleanups.push(async () => socket.destroy());
    await once(socket, 'connect');
    const said: MessageType[] = [];
    const framer = new Framer();
    socket.on('data', (chunk: Uint8Array) => {
      framer.push(chunk, (one) => {
        said.push(decodeMessage(one, DEFAULT_CONTEXT).message!.type);
        return true;
      });
    });
    socket.write(bytes);
    await until(() => said.length >= 2);
    assert.deepEqual(said.slice(0, 2), ['open', 'keepalive']);
  });
});
