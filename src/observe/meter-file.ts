/** The load as one number in a file that something else writes. */
import type { Clock } from '../base/clock.ts';
import type { FileSource } from '../model/load.ts';
import { readFileText } from './meter-input.ts';
import { decimal, loadReading, type ReadMeter } from './meter-reading.ts';

const NUMBER_BYTES_MAX = 64;

export function fileMeter({ path }: FileSource, clock: Clock): ReadMeter {
  let known = { written_at: Number.NaN, since: 0 };
  return async () => {
    const file = await readFileText(path, NUMBER_BYTES_MAX);
    if (!file.ok) return file;
    const { text, written_at } = file.value;
    const now = clock.now();
    if (written_at !== known.written_at) known = { written_at, since: now };
    // The file's time is the machine's wall clock, so its age has to be measured by that one; but if that
    // was set back, the file is at least as old as this time of it is known.
    const age_ms = Math.max(clock.wall() - written_at, now - known.since);
    return loadReading(decimal(text), 'the content of the file', age_ms);
  };
}
