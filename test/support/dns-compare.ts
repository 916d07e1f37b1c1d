/** Answers of two name servers side by side: what is the same, and how to show what is not. */
import type { ReadMessage, ReadRecord } from './dns-query.ts';

const SECTIONS = ['answers', 'authority', 'additional'] as const;
export type Section = (typeof SECTIONS)[number];

/** What of an answer must be the same: sections as sets, owners and names without case. */
export interface Facts {
  readonly rcode: number;
  readonly aa: boolean;
  readonly tc: boolean;
  readonly answers: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
}

function recordText({ name, type, ttl, class: class_, data }: ReadRecord): string {
  return `${name.toLowerCase()} ${ttl} CLASS${class_} TYPE${type} ${data}`;
}

const unique = (records: readonly ReadRecord[]): string[] =>
  [...new Set(records.map(recordText))].sort();

export function factsOf(message: ReadMessage): Facts {
  const { rcode, aa, tc, answers, authority, additional } = message;
  return {
    rcode,
    aa,
    tc,
    answers: unique(answers),
    authority: unique(authority),
    additional: unique(additional),
  };
}

/** Names of the facts in which two answers differ. */
export function differences(one: Facts, other: Facts): (keyof Facts)[] {
  const keys = Object.keys(one) as (keyof Facts)[];
  return keys.filter((key) => JSON.stringify(one[key]) !== JSON.stringify(other[key]));
}

/** Records that one section holds twice, which no section may (RFC 2181 §5). */
export function repeated(message: ReadMessage): string[] {
  return SECTIONS.flatMap((section) => {
    const texts = message[section].map(recordText);
    return texts.filter((text, at) => texts.indexOf(text) !== at);
  });
}

/** Records of a section that are shown. */
const SHOWN_MAX = 12;

export function showFacts(who: string, facts: Facts): string {
  const { rcode, aa, tc } = facts;
  const lines = SECTIONS.flatMap((section) => {
    const shown = facts[section].slice(0, SHOWN_MAX).map((text) => `  ${section} ${text}`);
    const more = facts[section].length - shown.length;
    return more > 0 ? [...shown, `  ${section}: ${more} more`] : shown;
  });
  return [`${who}: rcode ${rcode}${aa ? ' aa' : ''}${tc ? ' tc' : ''}`, ...lines].join('\n');
}
