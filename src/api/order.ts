/**
 * The body of a request that changes something: who orders it and why, and what it is about.
 *
 * Must hold: what is misspelt or of the wrong type is refused. Passed over, it would make another order
 * of it, as a site that is left out makes one for all sites.
 */
import { err, ok, type Result } from '../base/result.ts';
import { suggest } from '../config/nearest.ts';
import { ORDER_CHARS_MAX } from '../share/override-schema.ts';

/** What a body may hold beside `by` and `reason`. */
export type Shape = Readonly<Record<string, 'string' | 'number' | 'boolean'>>;

/** The values that are given; each is of its type. */
type Given<Of extends Shape> = {
  readonly [Key in keyof Of]?: { string: string; number: number; boolean: boolean }[Of[Key]];
};

export interface Author {
  readonly by: string;
  readonly reason: string;
}

/** The answer to an order to forget penalties: of which endpoints or VIPs there were some. */
export interface PenaltiesReset {
  readonly reset: readonly string[];
}

const AUTHOR = { by: 'string', reason: 'string' } as const satisfies Shape;

/** All fields are optional, and so is the body; null is as nothing. */
export function orderOf<Of extends Shape>(
  text: string,
  shape: Of,
): Result<Given<Of> & Author, string> {
  let body: unknown;
  try {
    body = JSON.parse(text || '{}');
  } catch {
    return err('the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return err('the body is not a JSON object');
  }
  const types: Shape = { ...shape, ...AUTHOR };
  const given = Object.entries(body).filter(([, value]) => value !== null);
  for (const [key, value] of given) {
    if (!Object.hasOwn(types, key)) {
      return err(`nothing is called "${key}" here; ${suggest(key, Object.keys(types))}`);
    }
    if (typeof value !== types[key]) return err(`"${key}" is to be a ${types[key]}`);
    if (value === '' && !Object.hasOwn(AUTHOR, key)) return err(`"${key}" is empty`);
  }
  const fields = Object.fromEntries(given) as Given<Of>;
  return ok({ ...fields, ...authorOf(fields) });
}

/** Bounded and printable, so that they can be shown in a line of a terminal. */
export function authorOf({ by, reason }: { readonly [Key in keyof Author]?: string }): Author {
  return { by: printable(by) ?? 'an operator', reason: printable(reason) ?? 'no reason given' };
}

function printable(text = ''): string | null {
  if (text.trim() === '') return null;
  return text.replace(/\p{Cc}|\p{Bidi_Control}/gu, ' ').slice(0, ORDER_CHARS_MAX);
}
