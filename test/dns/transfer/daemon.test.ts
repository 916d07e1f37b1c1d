/** Transfers through the whole server: its UDP workers, its stream thread, its reloads. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { DnsServer } from '../../../src/dns/server.ts';
import type { UdpEngine } from '../../../src/dns/udp-shared.ts';
import type { TestConfig } from '../../support/config.ts';
import { buildQuery, type ReadMessage, readMessage } from '../../support/dns-query.ts';
import { framed, serverConfig, startServer } from '../../support/dns-server.ts';
import { geoOf, planOf } from '../../support/dns-zone.ts';
import { eventually } from '../../support/eventually.ts';
import { SECRETS, transferConfig } from '../../support/transfer.ts';
import { assertSigned, signatureOf, signRequest } from '../../support/tsig.ts';

const KEY = SECRETS[0]!;
const soa = buildQuery({ name: 'example.com', type: 6 });
const axfr = buildQuery({ name: 'example.com', type: 252 });
const ixfr = buildQuery({ name: 'example.com', type: 251 });

/** An address of its own. */
const DNS = { listen: [{ address: '127.0.61.2', port: 0 }] };

const now_s = (): number => Math.floor(Date.now() / 1000);
const serial = ({ answers }: ReadMessage): number => Number(answers[0]!.text.split(' ')[2]);

/** The first answer's octets. */
async function rawUdp(server: DnsServer, packet: Uint8Array): Promise<Uint8Array> {
  const { address, port } = server.addresses[0]!;
  const socket = createSocket('udp4');
  socket.send(packet, port, address);
  const [answer] = await once(socket, 'message', { signal: AbortSignal.timeout(5_000) });
  socket.close();
  return Uint8Array.from(answer as Buffer);
}

async function rawTcp(server: DnsServer, packet: Uint8Array): Promise<Uint8Array> {
  const { address, port } = server.addresses[0]!;
  const socket = connect(port, address);
  socket.end(framed(packet));
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(chunk as Uint8Array);
  return Uint8Array.from(Buffer.concat(chunks).subarray(2));
}

for (const udp of ['batch', 'dgram'] as UdpEngine[]) {
  describe(`a server that is copied from, UDP by ${udp}`, () => {
    let secondary: Socket;
    let notified: number[] = [];
    let config: TestConfig;
    let server: DnsServer;

    before(async () => {
      secondary = createSocket('udp4');
      secondary.bind(0, '127.0.0.1');
      await once(secondary, 'listening');
      secondary.on('message', (packet, { address, port }) => {
        notified.push(serial(readMessage(Uint8Array.from(packet))));
        packet[2] = packet[2]! | 0x80;
        secondary.send(packet, port, address);
      });
      const { address, port } = secondary.address();
      const shape = {
        config: transferConfig({ notify: [{ address: { address, port }, key: null }] }),
      };
      config = serverConfig(shape);
      server = await startServer({ ...shape, udp, tsigKeys: SECRETS });
    });
    after(async () => {
      await server.stop();
      secondary.close();
    });

    test('gives the zone over a stream to whom it is for, signed', async () => {
      const { packet, mac } = signRequest(axfr, KEY, now_s());
      const answer = await rawTcp(server, packet);
      assertSigned([answer], KEY, mac);
      assert.ok(readMessage(answer).answers.length > 60);
      assert.equal(readMessage(await rawTcp(server, axfr)).rcode, 5);
    });

    test('answers a signed query signed, over UDP and TCP, and others as ever', async () => {
      for (const send of [rawUdp, rawTcp]) {
        const { packet, mac } = signRequest(soa, KEY, now_s());
        assertSigned([await send(server, packet)], KEY, mac);
        const plain = readMessage(await send(server, soa));
        assert.equal(plain.answers[0]!.type, 6);
        assert.ok(plain.additional.every(({ type }) => type !== 250));
      }
    });

    test('over UDP gives the SOA alone for IXFR, and refuses AXFR', async () => {
      const { packet, mac } = signRequest(ixfr, KEY, now_s());
      const answer = await rawUdp(server, packet);
      assertSigned([answer], KEY, mac);
      assert.deepEqual(
        readMessage(answer).answers.map(({ type }) => type),
        [6],
      );
      assert.equal(readMessage(await rawUdp(server, ixfr)).rcode, 5);
      assert.equal(readMessage(await rawUdp(server, axfr)).rcode, 5);
      const chaos = buildQuery({ name: 'example.com', type: 252, class: 3 });
      assert.equal(readMessage(await rawUdp(server, chaos)).rcode, 5);
    });

    test('lets the serial rise when answers change, everywhere, and then notifies', async () => {
      const told = async (): Promise<number> => serial(readMessage(await rawUdp(server, soa)));
      await eventually('told at the start', () => notified.length > 0);
      notified = [];
      const old = await told();
      server.apply(planOf(config, (id) => !id.startsWith('fra')));
      await eventually('told of the change', () => notified.some((one) => one > old));
      assert.equal(await told(), notified.at(-1));
      assert.equal(serial(readMessage(await rawTcp(server, soa))), notified.at(-1));
    });

    test('takes other keys while it runs; a reload keeps them, and the serial', async () => {
      const before = serial(readMessage(await rawUdp(server, soa)));
      await server.useTsigKeys(SECRETS.slice(1));
      await server.reload(config, geoOf(config));
      for (const send of [rawUdp, rawTcp]) {
        const refused = await send(server, signRequest(soa, KEY, now_s()).packet);
        assert.equal(signatureOf(refused).error, 17, 'BADKEY');
        const { packet, mac } = signRequest(soa, SECRETS[1]!, now_s());
        const answer = await send(server, packet);
        assertSigned([answer], SECRETS[1]!, mac);
        assert.equal(serial(readMessage(answer)), before);
      }
    });
  });
}

for (const udp of ['batch', 'dgram'] as UdpEngine[]) {
  test(`a refusal with the longest names does not end the thread, UDP by ${udp}`, async () => {
    const server = await startServer({ udp, dns: { ...DNS, udp_payload_max: 512 } });
    try {
      const long = Array.from({ length: 31 }, () => 'abcdefg').join('.');
      const query = buildQuery({ name: `x.${long}`, type: 1 });
      const { packet } = signRequest(query, KEY, now_s(), { key: long, algorithm: long });
      assert.equal(readMessage(await rawUdp(server, packet)).rcode, 9);
      assert.equal(readMessage(await rawUdp(server, soa)).rcode, 0);
    } finally {
      await server.stop();
    }
  });
}

test('a signed query counts once', async () => {
  const server = await startServer({ tsigKeys: SECRETS, dns: DNS });
  try {
    await rawUdp(server, signRequest(soa, KEY, now_s()).packet);
    const { queries, noerror } = server.counters();
    assert.deepEqual([queries, noerror], [1, 1]);
  } finally {
    await server.stop();
  }
});
