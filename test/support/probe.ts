/** Checks, targets and servers for the tests of probes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { type Clock, SystemClock } from '../../src/base/clock.ts';
import type { Check, CheckTiming, ProbeTarget, TlsTerms } from '../../src/model/check.ts';
import { probe } from '../../src/observe/probe.ts';
import type { ProbeResult } from '../../src/observe/verdict.ts';
import { HTTP_CHECK, testConfig } from './config.ts';
import { eventually } from './eventually.ts';

/** Long enough that a busy machine does not make a good probe fail. */
const TIMEOUT_MS = 5_000;

const { name, rise, fall, interval_ms, interval_failing_ms, jitter } = HTTP_CHECK;

export const TIMING: CheckTiming = {
  ...{ name, rise, fall, interval_ms, interval_failing_ms, jitter },
  timeout_ms: TIMEOUT_MS,
  source4: null,
  source6: null,
};

export const TLS_TERMS: TlsTerms = {
  server_name: null,
  verify: false,
  ca_file: null,
  certificate_days_min: null,
};

type Kind = Check['kind'];
type CheckOf<K extends Kind> = Extract<Check, { kind: K }>;

const { kind: _, ...HTTP_TERMS } = HTTP_CHECK;
const CHECKS: { readonly [K in Kind]: Omit<CheckOf<K>, 'kind' | keyof CheckTiming> } = {
  http: HTTP_TERMS,
  https: { ...HTTP_TERMS, ...TLS_TERMS },
  tcp: { send: '', expect: null, read_bytes_max: 4_000 },
  tls: TLS_TERMS,
  dns: { transport: 'udp', question: 'www.example.com', type: 'A', rcode: 'NOERROR', answers: [] },
  icmp: {},
  grpc: { service: '', host: null, tls: null },
  command: { command: ['true'] },
};

/** A file with this text in a folder of its own, both gone after the tests of the file. */
export function temporaryFile(name: string, text: string, mode = 0o644): string {
  const dir = mkdtempSync(join(tmpdir(), 'isobar-probe-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, name);
  writeFileSync(path, text, { mode });
  return path;
}

/** A target of this kind at `port` of 127.0.0.1, its check as by default except for `change`. */
export function targetOf<K extends Kind>(
  kind: K,
  port: number,
  change: Partial<Omit<CheckOf<K>, 'kind'>> = {},
): ProbeTarget {
  const check = { ...CHECKS[kind], ...TIMING, ...change, kind } as unknown as Check;
  return { ...testConfig().targets[0]!, address: '127.0.0.1', port, check };
}

export function run(
  target: ProbeTarget,
  clock: Clock = new SystemClock(),
  signal = new AbortController().signal,
): Promise<ProbeResult> {
  return probe(target, clock, signal);
}

/** The servers of a test file, and their connections. */
export class ProbeServers {
  #servers: { server: Server; sockets: Set<Socket> }[] = [];

  /** Listens on a free port, which it returns. */
  async listen(server: Server, address = '127.0.0.1'): Promise<number> {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    });
    this.#servers.push({ server, sockets });
    server.listen(0, address);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** A server that does this with each connection. */
  tcp(serve: (socket: Socket) => void): Promise<number> {
    return this.listen(
      createServer((socket) => {
        serve(socket);
        socket.resume(); // or it would not notice that the probe has gone
      }),
    );
  }

  /** A port where nobody listens. */
  async closedPort(): Promise<number> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  /** Ends the servers with their connections: some do not notice that a client has gone. */
  end(): void {
    for (const { server, sockets } of this.#servers.splice(0)) {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  }

  /** After each test: no probe may have left a connection open. */
  async close(): Promise<void> {
    for (const { server, sockets } of this.#servers.splice(0)) {
      await eventually('the probe has closed its connection', () => sockets.size === 0);
      server.close();
    }
  }
}

/** Each way in which a probe must end that waits for something for ever. */
export async function endsWhenTold(
  target: ProbeTarget,
  clock: Clock & { advance(ms: number): void; readonly pending: number },
  waiting: () => boolean,
  late: string,
): Promise<void> {
  const slow = run(target, clock);
  await eventually('the probe waits', waiting);
  const { timeout_ms } = target.check;
  clock.advance(timeout_ms - 1);
  assert.equal(clock.pending, 1);
  clock.advance(1);
  assert.deepEqual(await slow, { ok: false, detail: `no ${late} within ${timeout_ms} ms` });
  const stop = new AbortController();
  const stopped = run(target, clock, stop.signal);
  stop.abort();
  assert.deepEqual(await stopped, { ok: false, detail: 'stopped' });
  assert.deepEqual(await run(target, clock, stop.signal), { ok: false, detail: 'stopped' });
  assert.equal(clock.pending, 0);
}
