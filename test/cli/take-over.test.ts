/** A restart under load: two real processes, one after the other, and a client that notices nothing. */
import assert from 'node:assert/strict';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { encodeQuery } from '../../src/dns/wire/message.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { TempDeployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { FraProcess, freePort, isobar, type Place, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

/** Sockets that questions leave from: the kernel spreads them over the servers by their ports. */
const SOCKETS = 16;

/** Asks without pause, one question a millisecond, and counts what is not answered. */
class PacedClient {
  sent = 0;
  readonly #server: HostPort;
  readonly #sockets: UdpSocket[] = [];
  readonly #waiting = new Set<number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(server: HostPort) {
    this.#server = server;
  }

  get unanswered(): number {
    return this.#waiting.size;
  }

  start(): void {
    for (let i = 0; i < SOCKETS; i++) {
      const socket = createSocket('udp4');
      socket.on('message', (answer) => this.#waiting.delete(answer.readUInt16BE(0)));
      this.#sockets.push(socket);
    }
    this.#timer = setInterval(() => this.#ask(), 1);
  }

  /** Asks no more; settles when all that can still come has come. */
  async pause(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await eventually('all is answered', () => this.unanswered === 0, 2_000).catch(() => {});
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  #ask(): void {
    const id = this.sent & 0xffff;
    const query = encodeQuery({ id, name: 'www.example.com', type: TYPE.A });
    this.sent += 1;
    this.#waiting.add(id);
    const { port, address } = this.#server;
    this.#sockets[id % SOCKETS]!.send(query, port, address);
  }
}

describe('isobar run --take-over', () => {
  const backend = new Backend();
  let health = 0;
  let copy: TempDeployment;
  let place: Place;
  const processes: FraProcess[] = [];
  let client: PacedClient | null = null;
  const start = (...args: string[]): FraProcess => {
    const fra = new FraProcess(place, ...args);
    processes.push(fra);
    return fra;
  };

  before(async () => {
    health = await backend.listen('127.67.1.1', 0);
  });
  after(() => backend.close());
  beforeEach(async () => {
    copy = await TempDeployment.create();
    place = await prepareFra(copy, health);
  });
  afterEach(async () => {
    for (const one of processes.splice(0)) await one.kill();
    client?.stop();
    client = null;
    await copy.destroy();
  });

  test('loses no query: the new one answers, then the old one leaves with exit code 0', async () => {
    const old = start();
    await old.ready();
    await isobar('drain', '--api', place.api, '--reason', 'kept');
    client = new PacedClient(place.dns);
    client.start();
    const next = start('--take-over');
    await eventually('the old one has left', () => old.exitCode !== null, 20_000);
    await next.ready();
    await client.pause();
    assert.equal(old.exitCode, 0);
    assert.deepEqual([client.unanswered, client.sent > 100], [0, true]);
    const status = await next.status();
    assert.equal(status.pid, next.pid);
    assert.equal(status.drain?.reason, 'kept');
    assert.equal((await next.end('SIGTERM')).code, 0);
  });

  test('starts as ever where there is nothing to take over', async () => {
    const first = start('--take-over');
    await first.ready();
    assert.equal((await first.end('SIGTERM')).code, 0);
  });

  test('heeds signals while it still looks for the old one', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    for (const signal of ['SIGHUP', 'SIGTERM'] as const) {
      silent.listen(Number(new URL(place.api).port), '127.0.0.1');
      await once(silent, 'listening');
      const next = start('--take-over');
      await eventually('it asks who is there', () => sockets.length > 0, 20_000);
      const ended = next.ended();
      next.signal(signal);
      silent.close();
      for (const socket of sockets.splice(0)) socket.destroy();
      if (signal === 'SIGHUP') {
        await next.ready();
        next.signal('SIGTERM');
      }
      assert.equal((await ended).code, 0, signal);
    }
  });

  test('without it, a second daemon ends with one sentence, and the first goes on', async () => {
    const old = start();
    await old.ready();
    const api = `127.0.0.1:${await freePort()}`;
    const files = ['--site', 'fra', '--config', copy.dir, '--log-level', 'silent'];
    const same = await isobar('run', ...files);
    assert.deepEqual([same.code, same.out], [1, '']);
    assert.match(
      same.err,
      /^API 127\.0\.0\.1:\d+: in use by another program; --take-over succeeds/,
    );
    await copy.edit('sites/fra.yaml', place.api.slice('http://'.length), api);
    const beside = await isobar('run', ...files);
    assert.equal(beside.err, `TCP 127.0.0.1:${place.dns.port}: in use by another program\n`);
    assert.equal((await old.end('SIGTERM')).code, 0);
  });
});
