/**
 * One reading of a load meter: from a JSON document over HTTP, or from a file that holds one number.
 * A reading never rejects; whatever comes, it is a finite number ≥ 0 or an error in words.
 */
import { Buffer } from 'node:buffer';
import { constants, open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { LoadMeterConfig } from '../model/load.ts';
import { httpGet } from './http-get.ts';
import { socketErrorText } from './socket-error.ts';

export interface MeterReading {
  readonly value: number;
  /** How old the value already was when it was read, in milliseconds. */
  readonly age_ms: number;
}

type JsonMeter = Extract<LoadMeterConfig, { kind: 'json' }>;
type FileMeter = Extract<LoadMeterConfig, { kind: 'file' }>;

const DOCUMENT_BYTES_MAX = 65_536;
const NUMBER_BYTES_MAX = 64;

function loadFrom(value: unknown, where: string): Result<number, string> {
  if (typeof value !== 'number' || !Number.isFinite(value)) return err(`${where} is not a number`);
  return value < 0 ? err(`${where} is negative`) : ok(value);
}

/** The number at the dotted path `field` of a JSON document. */
export function loadFromJson(text: string, field: string): Result<number, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err('the document is not JSON');
  }
  for (const key of field.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      return err(`the document has no ${field}`);
    }
    value = (value as Record<string, unknown>)[key];
  }
  return loadFrom(value, field);
}

async function readJson(
  meter: JsonMeter,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<MeterReading, string>> {
  const url = new URL(meter.url);
  const secure = url.protocol === 'https:';
  const target = {
    secure,
    address: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    path: url.pathname + url.search,
    host: url.host,
    verify: true,
  };
  const limits = { timeout_ms: meter.timeout_ms, body_bytes_max: DOCUMENT_BYTES_MAX };
  const outcome = await httpGet(target, limits, clock, signal);
  if (outcome.kind === 'failed') return err(outcome.detail);
  if (outcome.status !== 200) return err(`HTTP ${outcome.status}, expected 200`);
  if (outcome.cut) return err(`the document is longer than ${DOCUMENT_BYTES_MAX} bytes`);
  const load = loadFromJson(outcome.body, meter.field);
  return load.ok ? ok({ value: load.value, age_ms: 0 }) : load;
}

async function readFile(meter: FileMeter, clock: Clock): Promise<Result<MeterReading, string>> {
  // Without O_NONBLOCK the opening of a FIFO that nobody writes would hang a thread.
  const file = await open(meter.path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return err('not a regular file');
    // The file's time is the machine's wall clock, so its age has to be measured by that one.
    const age_ms = Math.max(0, clock.wall() - stat.mtimeMs);
    const buffer = Buffer.alloc(NUMBER_BYTES_MAX);
    const { bytesRead } = await file.read(buffer, 0, NUMBER_BYTES_MAX, 0);
    if (bytesRead === NUMBER_BYTES_MAX) return err('the content of the file is too long');
    const text = buffer.toString('utf8', 0, bytesRead).trim();
    const load = loadFrom(text === '' ? null : Number(text), 'the content of the file');
    return load.ok ? ok({ value: load.value, age_ms }) : load;
  } finally {
    await file.close();
  }
}

/** Reads the meter once. Aborting `signal` ends a reading over HTTP at once. */
export async function readMeter(
  meter: LoadMeterConfig,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<MeterReading, string>> {
  try {
    return await (meter.kind === 'json' ? readJson(meter, clock, signal) : readFile(meter, clock));
  } catch (error) {
    return err(socketErrorText(error as Error));
  }
}
