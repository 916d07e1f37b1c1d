/**
 * One probe of one target: connects to its own address (never to a name) and judges what comes back.
 * A probe never rejects, settles within the check's timeout and leaves no socket behind.
 */
import type { Clock } from '../base/clock.ts';
import type { ProbeTarget } from '../model/check.ts';
import { probeHttp } from './probe-http.ts';
import { probeTcp } from './probe-tcp.ts';
import type { ProbeResult } from './verdict.ts';

/** Aborting `signal` ends the probe at once; its result then means nothing. */
export type Probe = (
  target: ProbeTarget,
  clock: Clock,
  signal: AbortSignal,
) => Promise<ProbeResult>;

export const probe: Probe = (target, clock, signal) => {
  const { check } = target;
  return check.kind === 'tcp'
    ? probeTcp(target, clock, signal)
    : probeHttp(target, check, clock, signal);
};
