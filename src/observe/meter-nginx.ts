/** The load of an nginx, as its module stub_status tells it over HTTP. */
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { LoadMeterTiming, NginxSource } from '../model/load.ts';
import { fetchText } from './meter-input.ts';
import { CounterBook } from './meter-rates.ts';
import { loadReading, type ReadMeter } from './meter-reading.ts';
import { silenceOf } from './meter-state.ts';

/** The page has four short lines. */
const STATUS_BYTES_MAX = 4_096;

export interface StubStatus {
  /** Open connections of clients. */
  readonly active: number;
  /** Those of them that are kept alive and wait for a request. */
  readonly waiting: number;
  /** Counted since nginx was started. */
  readonly accepted: number;
  readonly requests: number;
}

const STATUS =
  /^Active connections: ([0-9]+)\s+server accepts handled requests\s+([0-9]+) [0-9]+ ([0-9]+)\s+Reading: [0-9]+ Writing: [0-9]+ Waiting: ([0-9]+)\s*$/;

export function parseStubStatus(text: string): Result<StubStatus, string> {
  const match = STATUS.exec(text);
  if (!match) return err('the answer is not the page of stub_status');
  const [active, accepted, requests, waiting] = match.slice(1).map(Number);
  return ok({ active: active!, accepted: accepted!, requests: requests!, waiting: waiting! });
}

export function nginxMeter(meter: NginxSource & LoadMeterTiming, clock: Clock): ReadMeter {
  const { url, measure, timeout_ms } = meter;
  const limits = { timeout_ms, bytes_max: STATUS_BYTES_MAX };
  const book = new CounterBook(silenceOf(meter));
  return async (signal) => {
    const text = await fetchText(url, limits, clock, signal);
    const status = text.ok ? parseStubStatus(text.value) : text;
    if (!status.ok) return status;
    const { active, waiting, accepted, requests } = status.value;
    if (measure === 'active') return loadReading(active, measure);
    if (measure === 'busy') return loadReading(Math.max(0, active - waiting), measure);
    const counter = measure === 'requests_per_s' ? requests : accepted;
    return book.total(new Map([[measure, counter]]), clock.now(), measure);
  };
}
