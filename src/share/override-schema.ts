/**
 * The border where an override comes in: from the network, or from the state file. What passes is
 * complete and bounded, and lies in the register of its scope.
 */
import { z } from 'zod';
import { err, ok, type Result } from '../base/result.ts';
import { idOf, type OverrideSight, REPLACES_MAX } from '../model/override.ts';
import { NUMBER_MAX } from './report-schema.ts';

/** Of a part of the scope, or of an agent. */
const NAME_CHARS_MAX = 255;
/** Four parts and their keys. */
const ID_CHARS_MAX = 1_100;
/** Of a name or a reason that an operator gives. */
export const ORDER_CHARS_MAX = 200;
/** An override's JSON text, in UTF-16 units. */
export const OVERRIDE_CHARS_MAX = 16_384;

const name = z.string().min(1).max(NAME_CHARS_MAX);
const text = z.string().max(ORDER_CHARS_MAX);
const part = name.nullable();

const stamp = z.object({
  clock: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  agent: name,
});

const override = z
  .object({
    id: z.string().min(1).max(ID_CHARS_MAX),
    scope: z.object({ site: part, service: part, endpoint: part, label: part }),
    action: z.enum(['drain', 'up', 'down']).nullable(),
    by: text,
    reason: text,
    stamp,
    replaces: z.array(stamp).max(REPLACES_MAX),
  })
  .refine(({ id, scope }) => id === idOf(scope), 'the id is not that of the scope');

export const overrideSight = z.object({
  override,
  for_ms: z.number().nonnegative().max(NUMBER_MAX),
  left_ms: z.number().min(-NUMBER_MAX).max(NUMBER_MAX).nullable(),
});

/** An override of its own, sharing nothing with `value`; or what is wrong, and where. */
export function checkOverride(value: unknown): Result<OverrideSight, string> {
  const checked = overrideSight.safeParse(value);
  if (checked.success) return ok(checked.data);
  const issue = checked.error.issues[0]!;
  return err(`${issue.path.join('.') || 'override'}: ${issue.message}`);
}

/** As `checkOverride`, from JSON text. */
export function parseOverride(json: string): Result<OverrideSight, string> {
  if (json.length > OVERRIDE_CHARS_MAX) return err(`longer than ${OVERRIDE_CHARS_MAX} characters`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return err('not JSON');
  }
  return checkOverride(value);
}
