/** The ICMP probe: an echo request is answered within the timeout. */
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, IcmpCheck } from '../model/check.ts';
import { attempt } from './attempt.ts';
import { type Destination, sourceFor } from './dial.ts';
import { ping } from './pinger.ts';
import type { ProbeResult } from './verdict.ts';

export function probeIcmp(
  { address }: Pick<Destination, 'address'>,
  check: CheckTiming & IcmpCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return attempt(check.timeout_ms, clock, signal, (finish) => {
    const close = ping(address, sourceFor(check, address), finish);
    return { close, waitsFor: () => 'echo reply' };
  });
}
