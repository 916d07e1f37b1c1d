/** Load meters against real load balancers, idle, with open connections, restarted, and gone. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TOOLS_PATH } from '../../lab/tools.ts';
import { VirtualClock } from '../../src/base/clock.ts';
import type { LoadMeterConfig } from '../../src/model/load.ts';
import type { MeterReading, ReadMeter } from '../../src/observe/meter-reading.ts';
import { openMeter } from '../../src/observe/meter-source.ts';
import { freePort } from '../support/bgp.ts';
import { eventually } from '../support/eventually.ts';
import { need } from '../support/need.ts';

const never = new AbortController().signal;
/** The meters' own timeouts never fire: the clock moves by hand. */
const timing = { interval_ms: 1_000, capacity: 100, smoothing_ms: 0, timeout_ms: 60_000 };

async function value(read: ReadMeter): Promise<number | string> {
  const reading = await read(never);
  if (!reading.ok) return reading.error;
  const { value: number, ...rest }: MeterReading = reading.value;
  return number ?? ('detail' in rest ? String(rest.detail) : '');
}

/** A load balancer in the foreground, with a folder of its own. */
class Balancer {
  readonly folder: string;
  readonly #command: readonly string[];
  readonly #clients: Socket[] = [];
  #process: ChildProcess | null = null;

  private constructor(folder: string, command: readonly string[]) {
    this.folder = folder;
    this.#command = command;
  }

  static async create(name: string, config: (folder: string) => string): Promise<Balancer> {
    const folder = await mkdtemp(join(tmpdir(), `isobar-${name}-`));
    const file = join(folder, 'config');
    await writeFile(file, config(folder));
    const command = { haproxy: ['-db', '-f', file], nginx: ['-p', folder, '-c', file] }[name]!;
    return new Balancer(folder, [name, ...command]);
  }

  start(): void {
    const [program, ...rest] = this.#command;
    this.#process = spawn(program!, rest, { stdio: 'ignore', env: { PATH: TOOLS_PATH } });
  }

  /** Opens a connection that asks once, and stays. */
  async client(port: number): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    this.#clients.push(socket);
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n');
    await once(socket, 'data');
  }

  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.destroy();
    const process = this.#process;
    this.#process = null;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    process.kill('SIGTERM');
    await once(process, 'exit');
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true });
  }
}

function ask(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume().on('end', resolve);
    });
    request.on('error', reject);
  });
}

describe('the load of a real HAProxy', { skip: need('haproxy') }, () => {
  const clock = new VirtualClock();
  let balancer: Balancer;
  let www = 0;
  let stats = 0;
  before(async () => {
    [www, stats] = [await freePort('127.0.0.1'), await freePort('127.0.0.1')];
    balancer = await Balancer.create('haproxy', (folder) =>
      [
        'global',
        `  stats socket ${folder}/stats.sock mode 600 level user`,
        'defaults',
        '  mode http',
        '  timeout connect 5s',
        '  timeout client 1m',
        '  timeout server 1m',
        'frontend www',
        `  bind 127.0.0.1:${www}`,
        '  http-request return status 200 content-type text/plain string hello',
        'frontend stats',
        `  bind 127.0.0.1:${stats}`,
        '  stats enable',
        '  stats uri /stats',
        'backend away',
        '  server s1 127.0.0.1:9 check inter 100ms fall 1',
        '',
      ].join('\n'),
    );
    balancer.start();
  });
  after(() => balancer.remove());

  const meter = (more: object): ReadMeter => {
    const from = { socket: `${balancer.folder}/stats.sock` };
    const chosen = { from, proxies: ['www'], rows: 'frontend', servers: ['*'], field: 'scur' };
    return openMeter({ kind: 'haproxy', ...chosen, ...timing, ...more } as LoadMeterConfig, clock);
  };
  const byHttp = () => ({ from: { url: `http://127.0.0.1:${stats}/stats;csv` } });

  test('sessions now, by socket and by HTTP', async () => {
    await eventually('it answers', async () => (await value(meter({}))) === 0);
    for (let i = 0; i < 3; i++) await balancer.client(www);
    assert.equal(await value(meter({})), 3);
    assert.equal(await value(meter(byHttp())), 3);
    assert.equal(await value(meter({ ...byHttp(), proxies: ['w*', 'stats'] })), 4, 'and ours');
  });

  test('requests per second, from the counter', async () => {
    const rate = meter({ field: 'req_tot' });
    assert.equal(await value(rate), 'a rate needs a second reading');
    for (let i = 0; i < 5; i++) await ask(www);
    clock.advance(500);
    assert.equal(await value(rate), 10);
  });

  test('what is gone or down is unknown', async () => {
    assert.equal(await value(meter({ proxies: ['shop'] })), 'no frontend row is of a proxy "shop"');
    const down = meter({ proxies: ['away'], rows: 'server' });
    await eventually(
      'it is down',
      async () => (await value(down)) === 'all 1 chosen rows are down',
    );
    assert.equal(
      await value(meter({ from: { url: `http://127.0.0.1:${www}/` } })),
      'the answer is not the statistics of HAProxy',
    );
  });

  test('a restart makes no rate of its own, and a dead one no load', async () => {
    const rate = meter({ field: 'req_tot' });
    await value(rate);
    await balancer.stop();
    assert.match(String(await value(rate)), /connection refused|no socket/);
    balancer.start();
    await eventually('it answers', async () => (await value(meter({}))) === 0);
    clock.advance(1_000);
    assert.match(String(await value(rate)), /started anew/);
    await ask(www);
    clock.advance(1_000);
    assert.equal(await value(rate), 1);
  });
});

describe('the load of a real nginx', { skip: need('nginx') }, () => {
  const clock = new VirtualClock();
  let balancer: Balancer;
  let port = 0;
  before(async () => {
    port = await freePort('127.0.0.1');
    balancer = await Balancer.create('nginx', (folder) =>
      [
        `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/errors;`,
        'events { worker_connections 64; }',
        'http {',
        '  access_log off;',
        ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
          (each) => `  ${each}_temp_path ${folder}/${each};`,
        ),
        `  server { listen 127.0.0.1:${port};`,
        '    location = /status { stub_status; }',
        '    location / { return 200 "hello"; } } }',
        '',
      ].join('\n'),
    );
    balancer.start();
  });
  after(() => balancer.remove());

  const meter = (measure: string): ReadMeter => {
    const url = `http://127.0.0.1:${port}/status`;
    return openMeter({ kind: 'nginx', url, measure, ...timing } as LoadMeterConfig, clock);
  };

  test('open connections, ours among them; those that wait are not busy', async () => {
    await eventually('it answers', async () => (await value(meter('active'))) === 1);
    await balancer.client(port);
    await balancer.client(port);
    assert.equal(await value(meter('active')), 3);
    assert.equal(await value(meter('busy')), 1);
  });

  test('requests and connections per second', async () => {
    const [requests, connections] = [meter('requests_per_s'), meter('connections_per_s')];
    await value(requests);
    await value(connections);
    for (let i = 0; i < 4; i++) await ask(port);
    clock.advance(2_000);
    assert.equal(await value(requests), 3, 'four, and the two readings since');
    assert.equal(await value(connections), 3);
  });

  test('a restart is no rate; a dead one, or another page, no load', async () => {
    const rate = meter('requests_per_s');
    for (let i = 0; i < 5; i++) await ask(port);
    await value(rate);
    await balancer.stop();
    assert.equal(await value(rate), 'connection refused');
    balancer.start();
    await eventually('it answers', async () => (await value(meter('active'))) === 1);
    clock.advance(1_000);
    assert.match(String(await value(rate)), /started anew/);
    const url = `http://127.0.0.1:${port}/`;
    const other = openMeter({ kind: 'nginx', url, measure: 'active', ...timing }, clock);
    assert.equal(await value(other), 'the answer is not the page of stub_status');
  });
});
