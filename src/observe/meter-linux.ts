/**
 * The load of the machine itself, as Linux tells it: pressure (how much of the last 10 s some task waited
 * for CPU, I/O or memory), or the load average by CPU.
 */
import { err, type Result } from '../base/result.ts';
import type { LinuxSource } from '../model/load.ts';
import { readFileText } from './meter-input.ts';
import { loadReading, type MeterReading, type ReadMeter } from './meter-reading.ts';

/** /proc/stat of the largest machines; its lines of CPUs come first. */
const PROC_BYTES_MAX = 1_048_576;

/** The percentage of the last 10 s, 0–100, of a file in /proc/pressure. */
export function loadFromPressure(text: string): Result<MeterReading, string> {
  const match = /^some avg10=([0-9]{1,3}(?:\.[0-9]+)?) /m.exec(text);
  return match ? loadReading(Number(match[1]), 'avg10') : err('the file has no "some avg10="');
}

/** The load average of one minute by CPU, of /proc/loadavg and /proc/stat. */
export function loadPerCpu(loadavg: string, stat: string): Result<MeterReading, string> {
  const match = /^([0-9]+\.[0-9]+) /.exec(loadavg);
  if (!match) return err('loadavg does not begin with a load average');
  const cpus = stat.match(/^cpu[0-9]+ /gm)?.length ?? 0;
  if (cpus === 0) return err('stat names no CPU');
  return loadReading(Number(match[1]) / cpus, 'the load average');
}

async function readPressure(path: string): Promise<Result<MeterReading, string>> {
  const file = await readFileText(path, PROC_BYTES_MAX);
  if (file.ok) return loadFromPressure(file.value.text);
  // Debian and others build the kernel with PSI off until it is asked for.
  return err(`${file.error} (pressure needs Linux 4.20, perhaps with psi=1 at boot)`);
}

export function linuxMeter({ measure, proc }: LinuxSource): ReadMeter {
  if (measure !== 'load_per_cpu') {
    return () => readPressure(`${proc}/pressure/${measure.replace('_pressure', '')}`);
  }
  return async () => {
    const loadavg = await readFileText(`${proc}/loadavg`, PROC_BYTES_MAX);
    if (!loadavg.ok) return loadavg;
    const stat = await readFileText(`${proc}/stat`, PROC_BYTES_MAX);
    return stat.ok ? loadPerCpu(loadavg.value.text, stat.value.text) : stat;
  };
}
