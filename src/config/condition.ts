/**
 * When something is to be announced, as the files write it: `www.example.com` (a service),
 * `{all: […]}`, `{any: […]}`, `{at_least: 2, of: […]}`, `{not: …}`, `{service: …}`,
 * `{site: [healthy, degraded]}`. A mistake is told at the part that has it.
 */
import { z } from 'zod';
import type { Condition } from '../model/bgp.ts';
import type { Path } from './document.ts';
import { suggest } from './nearest.ts';
import { domainName, shown } from './values.ts';

/** Conditions in one another, and parts of all of them together. */
const DEPTH_MAX = 8;
const PARTS_MAX = 64;

/** What a site can be in, as the files write it. */
const SITE_STATES = [
  'healthy',
  'degraded',
  'overloaded',
  'draining',
  'last_site_kept',
  'down',
  'lost',
  'unknown',
] as const;

const KEYS = ['all', 'any', 'at_least', 'not', 'service', 'site'] as const;
const EXAMPLE = 'the name of a service, or a mapping with one of the keys';

type Complain = (path: Path, message: string, input: unknown) => null;

class Reader {
  readonly #complain: Complain;
  readonly #service: (name: string, path: Path) => void;
  #parts = 0;

  constructor(complain: Complain, service: (name: string, path: Path) => void = () => {}) {
    this.#complain = complain;
    this.#service = service;
  }

  /** `depth`: of the conditions around it. */
  read(value: unknown, path: Path, depth = 0): Condition | null {
    if (++this.#parts > PARTS_MAX) {
      if (this.#parts > PARTS_MAX + 1) return null;
      return this.#complain(path, `more than ${PARTS_MAX} parts: write it more simply`, value);
    }
    if (depth >= DEPTH_MAX) {
      return this.#complain(path, `nested more than ${DEPTH_MAX} deep: write it flatter`, value);
    }
    if (typeof value === 'string') return this.#named(value, path);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      const wanted = `${EXAMPLE} ${KEYS.join(', ')}`;
      return this.#complain(path, `${shown(value)} is not a condition: write ${wanted}`, value);
    }
    return this.#mapping(value as Readonly<Record<string, unknown>>, path, depth);
  }

  #named(name: string, path: Path): Condition | null {
    const parsed = domainName().safeParse(name);
    if (!parsed.success) return this.#complain(path, parsed.error.issues[0]!.message, name);
    this.#service(parsed.data, path);
    return { kind: 'service', service: parsed.data };
  }

  #mapping(value: Readonly<Record<string, unknown>>, path: Path, depth: number): Condition | null {
    const given = Object.keys(value);
    const allowed: readonly string[] = 'at_least' in value ? ['at_least', 'of'] : KEYS;
    const wrong = given.find((key) => !allowed.includes(key));
    if (wrong !== undefined) {
      const advice = suggest(wrong, allowed);
      return this.#complain(path, `unknown key ${shown(wrong)}: ${advice}`, value);
    }
    if ('at_least' in value) return this.#atLeast(value, path, depth);
    const [key] = given;
    if (key === undefined || given.length > 1) {
      const message = `a condition has one key, this has ${given.length}: join them by all or any`;
      return this.#complain(path, message, value);
    }
    const [inner, at] = [value[key], [...path, key]];
    if (key === 'service') {
      if (typeof inner === 'string') return this.#named(inner, at);
      return this.#complain(at, `${shown(inner)} is not the name of a service: write one`, inner);
    }
    if (key === 'site') return this.#site(inner, at);
    if (key === 'not') {
      const of = this.read(inner, at, depth + 1);
      return of && { kind: 'not', of };
    }
    const of = this.#list(inner, at, depth);
    return of && { kind: key as 'all' | 'any', of };
  }

  #atLeast(value: Readonly<Record<string, unknown>>, path: Path, depth: number): Condition | null {
    const of = this.#list(value.of, 'of' in value ? [...path, 'of'] : path, depth);
    if (!of) return null;
    const count = value.at_least;
    if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= of.length) {
      return { kind: 'at-least', count, of };
    }
    const message = `${shown(count)} cannot be counted: write a whole number from 1 to ${of.length}`;
    return this.#complain([...path, 'at_least'], message, count);
  }

  #list(value: unknown, path: Path, depth: number): Condition[] | null {
    if (!Array.isArray(value) || value.length === 0) {
      const message = `${shown(value)} holds no conditions: write a list of at least one`;
      return this.#complain(path, message, value);
    }
    const conditions = value.flatMap((item, i) => this.read(item, [...path, i], depth + 1) ?? []);
    return conditions.length === value.length ? conditions : null;
  }

  #site(value: unknown, path: Path): Condition | null {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const at = (i: number): Path => (Array.isArray(value) ? [...path, i] : path);
    const states = list.flatMap((state, i) => {
      if ((SITE_STATES as readonly unknown[]).includes(state)) {
        return String(state).replaceAll('_', '-');
      }
      const advice = suggest(String(state), SITE_STATES);
      this.#complain(at(i), `${shown(state)} is not a state of a site: ${advice}`, state);
      return [];
    });
    if (list.length === 0) {
      return this.#complain(path, 'no state: write one, such as healthy', value);
    }
    return states.length === list.length ? { kind: 'site', states } : null;
  }
}

/** A condition, with its mistakes at their places. */
export const condition = () =>
  z
    .unknown()
    .transform((value, context): Condition => {
      const reader = new Reader((path, message, input) => {
        context.issues.push({ code: 'custom', message, input, path: [...path] });
        return null;
      });
      return reader.read(value, []) ?? z.NEVER;
    })
    .meta({ format: 'a condition' });

/** The services that a condition names, as the file writes it, and where. */
export function conditionServices(
  value: unknown,
): { readonly name: string; readonly path: Path }[] {
  const found: { name: string; path: Path }[] = [];
  new Reader(
    () => null,
    (name, path) => found.push({ name, path }),
  ).read(value, []);
  return found;
}
