/**
 * The HTTP and HTTPS probe: a GET is answered with an expected status, in full (or with so much of
 * the body that the rest does not matter), within the timeout.
 */
import type { Clock } from '../base/clock.ts';
import type { Check, ProbeTarget } from '../model/check.ts';
import { formatHostPort } from '../net/ip.ts';
import { httpGet } from './http-get.ts';
import type { ProbeResult } from './verdict.ts';

export type HttpCheck = Extract<Check, { kind: 'http' | 'https' }>;

/** A body is read to see that it comes; a longer one is cut off here and counts as good. */
const BODY_BYTES_MAX = 65_536;

export async function probeHttp(
  { address, port }: Pick<ProbeTarget, 'address' | 'port'>,
  check: HttpCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const target = {
    secure: check.kind === 'https',
    address,
    port,
    path: check.path,
    host: check.host ?? formatHostPort({ address, port }),
    verify: check.verify,
  };
  const limits = { timeout_ms: check.timeout_ms, body_bytes_max: BODY_BYTES_MAX };
  const outcome = await httpGet(target, limits, clock, signal);
  if (outcome.kind === 'failed') return { ok: false, detail: outcome.detail };
  if (check.expect.includes(outcome.status)) return { ok: true, detail: `HTTP ${outcome.status}` };
  const expected = check.expect.join(' or ');
  return { ok: false, detail: `HTTP ${outcome.status}, expected ${expected}` };
}
