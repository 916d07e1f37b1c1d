/** Load balancers that are only pretended, on virtual time, and observers that look at them. */
import assert from 'node:assert/strict';
import { VirtualClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import type { CheckTiming } from '../../src/model/check.ts';
import type { Config, Endpoint } from '../../src/model/config.ts';
import { Observer, type ObserverOptions } from '../../src/observe/observer.ts';
import type { Probe } from '../../src/observe/probe.ts';
import { testConfig, withEndpoints } from '../support/config.ts';

/** Answers after `delay_ms`, as `down` and `hanging` say. Ids are of targets, without "/ipv4". */
export class Farm {
  readonly clock = new VirtualClock();
  readonly down = new Set<string>();
  /** These answer nothing until the timeout. */
  readonly hanging = new Set<string>();
  /** "id@milliseconds" of each probe's beginning. */
  readonly begun: string[] = [];
  readonly inFlight = new Map<string, number>();
  readonly #atAddress = new Map<string, number>();
  aborted = 0;
  delay_ms = 20;
  total = 0;
  peak = 0;
  /** The most probes to one address at once. */
  addressPeak = 0;

  readonly probe: Probe = (target, clock, signal) => {
    const id = target.id.replace('/ipv4', '');
    this.begun.push(`${id}@${clock.now()}`);
    assert.equal(this.inFlight.get(id) ?? 0, 0, `${id} is probed twice at once`);
    this.inFlight.set(id, 1);
    this.peak = Math.max(this.peak, ++this.total);
    const { address, check } = target;
    const there = (this.#atAddress.get(address) ?? 0) + 1;
    this.#atAddress.set(address, there);
    this.addressPeak = Math.max(this.addressPeak, there);
    return new Promise((resolve) => {
      const hangs = this.hanging.has(id);
      let ended = false;
      const end = (): void => {
        if (ended) return;
        ended = true;
        timer.cancel();
        this.inFlight.set(id, 0);
        this.#atAddress.set(address, this.#atAddress.get(address)! - 1);
        this.total--;
        const ok = !hangs && !this.down.has(id);
        resolve({ ok, detail: ok ? 'HTTP 200' : hangs ? 'timeout' : 'connection refused' });
      };
      const timer = clock.timer(hangs ? check.timeout_ms : this.delay_ms, end);
      signal.addEventListener('abort', () => {
        this.aborted++;
        end();
      });
    });
  };

  observer(config: Config, in_flight_max = 128, more: Partial<ObserverOptions> = {}): Observer {
    const { clock, probe } = this;
    const log = silentLog;
    const random = prng(7);
    return new Observer({
      config,
      site: 'fra',
      clock,
      prng: random,
      log,
      probe,
      in_flight_max,
      ...more,
    });
  }

  times(id: string): number[] {
    return this.begun
      .filter((entry) => entry.startsWith(`${id}@`))
      .map((entry) => Number(entry.slice(id.length + 1)));
  }

  /** The longest time from the beginning of one probe to that of the next, from `since` to now. */
  longestGap(id: string, since: number): number {
    const times = this.times(id).filter((time) => time >= since);
    const ends = [...times, this.clock.now()];
    return Math.max(...ends.map((time, i) => time - (ends[i - 1] ?? since)));
  }
}

/** Endpoints "lb0/web" and so on of the first site, each at an address of its own. */
export function many(count: number, change: Partial<CheckTiming> = {}): Config {
  const config = testConfig();
  const first = config.endpoints[0]!;
  const endpoints = Array.from({ length: count }, (_, i): Endpoint => {
    return { ...first, id: `lb${i}/web`, address4: `127.1.${i >> 8}.${i & 255}` };
  });
  return withEndpoints(config, endpoints, change);
}
