/**
 * The HTTP and HTTPS probe: a request is answered with an expected status, in full (or with so much of
 * the body that the rest does not matter), within the timeout; the body and the certificate are as the
 * check wants them.
 */
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, HttpCheck, HttpsCheck } from '../model/check.ts';
import { formatHostPort } from '../net/ip.ts';
import { type Destination, sourceFor } from './dial.ts';
import { type HttpOutcome, httpExchange } from './http-exchange.ts';
import { mismatchOf } from './text-match.ts';
import { whyCertificateEnds } from './tls-terms.ts';
import type { ProbeResult } from './verdict.ts';

type AnyHttpCheck = CheckTiming & (HttpCheck | HttpsCheck);

export async function probeHttp(
  { address, port }: Destination,
  check: AnyHttpCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const ask = {
    tls: check.kind === 'https' ? check : null,
    address,
    port,
    source: sourceFor(check, address),
    method: check.method,
    path: check.path,
    host: check.host ?? formatHostPort({ address, port }),
    headers: check.headers,
  };
  const outcome = await httpExchange(ask, check, clock, signal);
  if (outcome.kind === 'failed') return { ok: false, detail: outcome.detail };
  const wrong = whyBad(check, outcome, clock);
  return { ok: wrong === null, detail: wrong ?? `HTTP ${outcome.status}` };
}

function whyBad(
  check: AnyHttpCheck,
  { status, body, cut, certificate_end }: Extract<HttpOutcome, { kind: 'answer' }>,
  clock: Clock,
): string | null {
  if (!check.expect.includes(status)) return `HTTP ${status}, expected ${words(check.expect)}`;
  const mismatch = check.body && mismatchOf(check.body, body);
  if (mismatch) {
    const where = cut ? ` in its first ${check.body_bytes_max} bytes` : '';
    return `HTTP ${status}, but the body ${mismatch}${where}`;
  }
  if (check.kind === 'http') return null;
  return whyCertificateEnds(check, certificate_end, clock.wall());
}

/** "200 or 204"; numbers in a row as "200-299". */
function words(statuses: readonly number[]): string {
  const sorted = [...statuses].sort((a, b) => a - b);
  const runs: [from: number, to: number][] = [];
  for (const status of sorted) {
    const last = runs.at(-1);
    if (last?.[1] === status - 1) last[1] = status;
    else runs.push([status, status]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(' or ');
}
