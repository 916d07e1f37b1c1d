/** The load as one number in a file that something else writes. */
import type { Clock } from '../base/clock.ts';
import type { FileSource } from '../model/load.ts';
import { readFileText } from './meter-input.ts';
import { decimal, loadReading, type ReadMeter } from './meter-reading.ts';

const NUMBER_BYTES_MAX = 64;

export function fileMeter({ path }: FileSource, clock: Clock): ReadMeter {
  return async () => {
    const file = await readFileText(path, NUMBER_BYTES_MAX);
    if (!file.ok) return file;
    const { text, written_at } = file.value;
    // The file's time is the machine's wall clock, so its age has to be measured by that one.
    const age_ms = Math.max(0, clock.wall() - written_at);
    return loadReading(decimal(text), 'the content of the file', age_ms);
  };
}
