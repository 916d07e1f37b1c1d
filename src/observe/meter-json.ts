/** The load as a number in a JSON document, fetched by HTTP. */
import type { Clock } from '../base/clock.ts';
import { err, type Result } from '../base/result.ts';
import type { JsonSource } from '../model/load.ts';
import { fetchText } from './meter-input.ts';
import { loadReading, type MeterReading, type ReadMeter } from './meter-reading.ts';

const DOCUMENT_BYTES_MAX = 65_536;

/** The number at the dotted path `field` of a JSON document. */
export function loadFromJson(text: string, field: string): Result<MeterReading, string> {
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
  return loadReading(value, field);
}

export function jsonMeter({ url, field, timeout_ms }: JsonSource, clock: Clock): ReadMeter {
  const limits = { timeout_ms, bytes_max: DOCUMENT_BYTES_MAX };
  return async (signal) => {
    const text = await fetchText(url, limits, clock, signal);
    return text.ok ? loadFromJson(text.value, field) : text;
  };
}
