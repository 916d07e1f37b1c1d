/**
 * One probe of one target: connects to its own address (never to a name) and judges what comes back.
 * A probe never rejects, settles within the check's timeout and leaves no socket or process behind.
 */
import type { Clock } from '../base/clock.ts';
import type { Check, ProbeTarget } from '../model/check.ts';
import { probeCommand } from './probe-command.ts';
import { probeDns } from './probe-dns.ts';
import { probeGrpc } from './probe-grpc.ts';
import { probeHttp } from './probe-http.ts';
import { probeIcmp } from './probe-icmp.ts';
import { probeTcp } from './probe-tcp.ts';
import { probeTls } from './probe-tls.ts';
import type { ProbeResult } from './verdict.ts';

/** Aborting `signal` ends the probe at once; its result then means nothing. */
export type Probe = (
  target: ProbeTarget,
  clock: Clock,
  signal: AbortSignal,
) => Promise<ProbeResult>;

type ProbeOf<Kind extends Check['kind']> = (
  target: ProbeTarget,
  check: Extract<Check, { kind: Kind }>,
  clock: Clock,
  signal: AbortSignal,
) => Promise<ProbeResult>;

const PROBES: { readonly [Kind in Check['kind']]: ProbeOf<Kind> } = {
  http: probeHttp,
  https: probeHttp,
  tcp: probeTcp,
  tls: probeTls,
  dns: probeDns,
  icmp: probeIcmp,
  grpc: probeGrpc,
  command: probeCommand,
};

export const probe: Probe = (target, clock, signal) => {
  const { check } = target;
  return (PROBES[check.kind] as ProbeOf<Check['kind']>)(target, check, clock, signal);
};
