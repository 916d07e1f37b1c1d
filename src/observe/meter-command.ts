/** The load as one number that a program prints. */
import type { Clock } from '../base/clock.ts';
import { err, type Result } from '../base/result.ts';
import type { CommandSource } from '../model/load.ts';
import { type CommandOutcome, runCommand } from './command.ts';
import { decimal, loadReading, type MeterReading, type ReadMeter } from './meter-reading.ts';

const OUTPUT_BYTES_MAX = 1_024;

export function loadFromCommand(outcome: CommandOutcome): Result<MeterReading, string> {
  if (outcome.kind === 'failed') return err(`the command ${outcome.detail}`);
  if (outcome.code !== 0) return err(`the command ended with exit code ${outcome.code}`);
  return loadReading(decimal(outcome.output), 'what the command prints');
}

/** One meter reads once at a time, so that the command never overlaps itself. */
export function commandMeter({ argv, timeout_ms }: CommandSource, clock: Clock): ReadMeter {
  const limits = { timeout_ms, output_bytes_max: OUTPUT_BYTES_MAX, env: {} };
  return async (signal) => loadFromCommand(await runCommand(argv, limits, clock, signal));
}
