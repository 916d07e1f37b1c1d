/**
 * One probe of one endpoint: connects to its own address (never to a name) and judges what comes
 * back. A probe never rejects, settles within the check's timeout and leaves no socket behind.
 */
import type { Clock } from '../base/clock.ts';
import type { Endpoint } from '../model/config.ts';
import { probeHttp } from './probe-http.ts';
import { probeTcp } from './probe-tcp.ts';
import type { ProbeResult } from './verdict.ts';

/** Aborting `signal` ends the probe at once; its result then means nothing. */
export type Probe = (endpoint: Endpoint, clock: Clock, signal: AbortSignal) => Promise<ProbeResult>;

export const probe: Probe = (endpoint, clock, signal) => {
  const { check } = endpoint;
  const address = endpoint.address4 ?? endpoint.address6;
  if (address === null) return Promise.resolve({ ok: false, detail: 'no address to probe' });
  return check.kind === 'tcp'
    ? probeTcp(address, check, clock, signal)
    : probeHttp(address, check, clock, signal);
};
