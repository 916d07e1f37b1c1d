/**
 * The border where a Report comes in from the network. What passes is a complete Report of finite
 * numbers and bounded size. Fields that are not known here are dropped, so that agents of two
 * versions can share one store; a missing or wrong field makes the whole report invalid.
 */
import { z } from 'zod';
import { err, ok, type Result } from '../base/result.ts';
import type { Report } from '../model/report.ts';

/**
 * Length of a report's JSON text, in UTF-16 units: enough for `SITE_ROUTES_MAX` routes and as many
 * endpoints as `SITE_ENDPOINTS_MAX` that all fail with a long detail. A site that failed in a way too
 * long to tell would count as silent.
 */
export const REPORT_CHARS_MAX = 4_194_304;
/** An incarnation is milliseconds since 1970, or little more; what comes after must fit, too. */
export const INCARNATION_MAX = 2 ** 52;
const NAME_CHARS_MAX = 255;
const TEXT_CHARS_MAX = 1_000;
/** Endpoints and routes of one site. Config allows no more: a report that is refused is a silent site. */
export const SITE_ENDPOINTS_MAX = 2_048;
export const SITE_ROUTES_MAX = 1_024;
/** Endpoints of all sites together: slots of the health table. */
export const ENDPOINTS_MAX = 65_536;
const PEERS_MAX = 1_000;
/** Of durations and amounts: sums of larger ones would not be finite for ever. */
export const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

const name = z.string().min(1).max(NAME_CHARS_MAX);
const text = z.string().max(TEXT_CHARS_MAX);
const count = z.number().int().nonnegative();
const amount = z.number().nonnegative().max(NUMBER_MAX);
const duration_ms = z.number().nonnegative().max(NUMBER_MAX);
const part = z.number().min(0).max(1);

/** Counted before any entry is looked at: a hundred thousand bad ones would take seconds. */
function bounded<Value extends z.ZodType>(value: Value, keysMax: number) {
  return z
    .unknown()
    .refine((entries) => Object.keys(Object(entries)).length <= keysMax, {
      error: `more than ${keysMax} entries`,
    })
    .pipe(z.record(name, value));
}

const endpointSight = z.object({
  up: z.boolean(),
  for_ms: duration_ms,
  downs: count,
  detail: text,
});

const endpointRuling = z.object({
  up: z.boolean(),
  for_ms: duration_ms,
  downs: count,
  penalty: amount,
  suppressed: z.boolean(),
});

const observedSight = z.object({ up: z.boolean(), for_ms: duration_ms, detail: text });

const loadSight = z.object({
  used: amount,
  demand: amount,
  own: amount,
  capacity: z.number().positive().max(NUMBER_MAX),
});

const routeSight = z.object({
  phase: z.enum(['off', 'coming', 'on', 'going']),
  for_ms: duration_ms,
  fitness: z.enum(['healthy', 'degraded', 'overloaded', 'draining', 'last-site-kept']).nullable(),
  withdrawn_by: z.enum(['failure', 'drain', 'policy']).nullable(),
  fit_for_ms: duration_ms.nullable(),
  drained: z.boolean(),
  penalty: amount,
  suppressed: z.boolean(),
  heard: z.boolean(),
  age_ms: duration_ms,
});

export const routeSights = bounded(routeSight, SITE_ROUTES_MAX);

const overloadSight = z.object({
  overloaded: z.boolean(),
  over_for_ms: duration_ms.nullable(),
  age_ms: duration_ms,
});

const spillStance = z.object({
  for_ms: duration_ms,
  over_for_ms: duration_ms.nullable(),
  sending: z.boolean(),
  open: z.boolean(),
  wanted: amount,
  grants: bounded(amount, PEERS_MAX),
  shares: bounded(part, PEERS_MAX),
  aims: bounded(part, PEERS_MAX),
});

const reportSchema = z.object({
  site: name,
  agent: name,
  incarnation: count.max(INCARNATION_MAX),
  sequence: count,
  endpoints: bounded(endpointSight, SITE_ENDPOINTS_MAX),
  rulings: bounded(endpointRuling, SITE_ENDPOINTS_MAX),
  ruled_ms: duration_ms,
  observed: bounded(observedSight, SITE_ENDPOINTS_MAX),
  suspect: text.nullable(),
  uplink: z.boolean().nullable(),
  evicted: z.array(name).max(ENDPOINTS_MAX),
  load: loadSight.nullable(),
  routes: routeSights,
  overload: overloadSight,
  spill: spillStance,
});

/** A Report of its own, sharing nothing with `value`; or what is wrong, where, and whose it seems. */
export function checkReport(value: unknown): Result<Report, string> {
  const checked = reportSchema.safeParse(value);
  if (checked.success) return ok(checked.data);
  const issue = checked.error.issues[0]!;
  const site = name.safeParse((value as { readonly site?: unknown } | null | undefined)?.site);
  const whose = site.success ? ` (report of ${site.data})` : '';
  return err(`${issue.path.join('.') || 'report'}: ${issue.message}${whose}`);
}

/** As `checkReport`, from JSON text. */
export function parseReport(json: string): Result<Report, string> {
  if (json.length > REPORT_CHARS_MAX) return err(`longer than ${REPORT_CHARS_MAX} characters`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return err('not JSON');
  }
  return checkReport(value);
}
