/** The body of a request that changes something: who orders it and why, and what it is about. */
import { err, ok, type Result } from '../base/result.ts';

/** Longest name or reason that an operator may give, in characters. */
const TEXT_MAX = 200;

export interface Order {
  readonly by: string;
  readonly reason: string;
  /** What it is about, where that is one of several; null: not said. */
  readonly neighbor: string | null;
  readonly vip: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** All fields are optional, bounded and printable. */
export function orderOf(text: string): Result<Order, string> {
  const fields = fieldsOf(text);
  return fields.ok ? ok(orderFrom(fields.value)) : fields;
}

/** The object that the body is; without a body an empty one. */
export function fieldsOf(text: string): Result<Fields, string> {
  let body: unknown;
  try {
    body = JSON.parse(text || '{}');
  } catch {
    return err('the body is not JSON');
  }
  if (typeof body !== 'object' || body === null) return err('the body is not a JSON object');
  return ok(body as Fields);
}

export function orderFrom(fields: Fields): Order {
  const field = (name: keyof Order): string | null => {
    const value = fields[name];
    if (typeof value !== 'string' || value.trim() === '') return null;
    return value.replace(/\p{Cc}/gu, ' ').slice(0, TEXT_MAX);
  };
  return {
    by: field('by') ?? 'an operator',
    reason: field('reason') ?? 'no reason given',
    neighbor: field('neighbor'),
    vip: field('vip'),
  };
}
