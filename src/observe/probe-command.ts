/**
 * The command probe: a program of the operator's exits with 0. It finds what it is to look at in its
 * environment, so that one command serves all load balancers; the last line it prints is the detail.
 */
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, CommandCheck, ProbeTarget } from '../model/check.ts';
import { runCommand } from './command.ts';
import { sourceFor } from './dial.ts';
import type { ProbeResult } from './verdict.ts';

const OUTPUT_BYTES_MAX = 65_536;

export async function probeCommand(
  { load_balancer, address, port }: Pick<ProbeTarget, 'load_balancer' | 'address' | 'port'>,
  check: CheckTiming & CommandCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const env = {
    ISOBAR_CHECK: check.name,
    ISOBAR_LOAD_BALANCER: load_balancer,
    ISOBAR_ADDRESS: address,
    ISOBAR_PORT: port === 0 ? '' : `${port}`,
    ISOBAR_SOURCE: sourceFor(check, address) ?? '',
    ISOBAR_TIMEOUT_MS: `${check.timeout_ms}`,
  };
  const limits = { timeout_ms: check.timeout_ms, output_bytes_max: OUTPUT_BYTES_MAX, env };
  const outcome = await runCommand(check.command, limits, clock, signal);
  if (outcome.kind === 'failed') return { ok: false, detail: `the command ${outcome.detail}` };
  const said = lastLine(outcome.output);
  const ok = outcome.code === 0;
  if (said === '') return { ok, detail: ok ? 'exit 0' : `exit ${outcome.code}, without a word` };
  return { ok, detail: ok ? said : `exit ${outcome.code}: ${said}` };
}

/** Without what a terminal would take as a command. */
function lastLine(output: string): string {
  const line = output.trimEnd().split('\n').at(-1)!;
  return line.replace(/\p{Cc}/gu, ' ').trim();
}
