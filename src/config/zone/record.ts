/**
 * What stands between the owner and the rdata of a record (RFC 1035 §5.1), and what people write
 * there by mistake.
 */
import { CLASS, isDataType, TYPE, typeName, typeNumber } from '../../dns/wire/codes.ts';
import { parseSeconds } from '../../dns/wire/text.ts';
import { parseAddress } from '../../net/ip.ts';
import type { Place, ZoneToken } from './lexer.ts';
import { TTL_MAX_S } from './scope.ts';

export type TellProblem = (place: Place, message: string) => void;

export interface RecordHead {
  readonly type: number;
  /** Null if the record states none. */
  readonly ttl_s: number | null;
  /** Index of the first word of the rdata. */
  readonly next: number;
}

/** TTL and class may be left out, and may come in either order. Null after telling a problem. */
export function parseHead(
  tokens: readonly ZoneToken[],
  start: number,
  tell: TellProblem,
): RecordHead | null {
  let ttl_s: number | null = null;
  let classSeen = false;
  let next = start;
  for (; next < tokens.length; next++) {
    const token = tokens[next]!;
    const klass = classSeen ? null : classOf(token.text);
    if (ttl_s === null && /^[0-9]/.test(token.text)) {
      ttl_s = parseSeconds(token.text, TTL_MAX_S);
      if (ttl_s === null) {
        tell(token, untypedAddress(token.text) ?? badTtl(token.text));
        return null;
      }
    } else if (klass !== null) {
      classSeen = true;
      if (klass !== CLASS.IN) {
        tell(token, `class ${token.text} is not served: write IN or leave it out`);
      }
    } else {
      break;
    }
  }
  const token = tokens[next];
  if (!token) {
    tell(endOf(tokens.at(-1)!), 'the record type and its data are missing');
    return null;
  }
  const type = token.quoted ? null : typeNumber(token.text);
  if (type === null || !isDataType(type)) {
    tell(token, badType(token, type));
    return null;
  }
  return { type, ttl_s, next: next + 1 };
}

/**
 * The words of rdata as its type wants them. Those of SVCB and HTTPS may be half in quotes
 * (alpn="h2,h3", RFC 9460 §2.1): they are one word, which keeps the quotes. To other types a quote
 * begins a word of its own, as in BIND and NSD.
 */
export function rdataWords(type: number, tokens: readonly ZoneToken[]): readonly ZoneToken[] {
  if (type !== TYPE.SVCB && type !== TYPE.HTTPS) return tokens;
  const words: ZoneToken[] = [];
  for (const token of tokens) {
    const before = words.at(-1);
    if (before && token.joined && !before.quoted) {
      const text = token.quoted ? `"${token.text}"` : token.text;
      words[words.length - 1] = { ...before, text: before.text + text };
    } else {
      words.push(token);
    }
  }
  return words;
}

/** The place behind a word. */
export const endOf = ({ line, column, text, quoted }: ZoneToken): Place => ({
  line,
  column: column + text.length + (quoted ? 2 : 0),
});

export const badTtl = (text: string): string =>
  `"${text}" is not a TTL: write seconds (0–${TTL_MAX_S}) or e.g. 1h30m`;

/** The commonest slip: "www 192.0.2.1". */
function untypedAddress(text: string): string | null {
  const address = parseAddress(text);
  const type = address?.length === 4 ? 'A' : 'AAAA';
  return address && `the record type is missing: write ${type} before ${text}`;
}

function badType(token: ZoneToken, type: number | null): string {
  if (type !== null) return `${typeName(type)} exists in queries only and cannot be zone data`;
  if (/^[0-9]/.test(token.text)) return `"${token.text}" is a second TTL: write the type here`;
  if (classOf(token.text) !== null) return `"${token.text}" is a second class: write the type here`;
  const slip = untypedAddress(token.text);
  return (
    slip ?? `"${token.text}" is not a record type (an unknown one is written TYPE123, RFC 3597)`
  );
}

/** The number of a class's name, also as CLASS32 (RFC 3597 §5); null if it is none. */
function classOf(text: string): number | null {
  const upper = text.toUpperCase();
  if (upper === 'IN') return CLASS.IN;
  if (upper === 'CH' || upper === 'NONE' || upper === 'ANY') return CLASS[upper];
  if (upper === 'HS') return 4;
  if (upper === 'CS') return 2;
  const generic = /^CLASS([0-9]{1,5})$/.exec(upper);
  return generic ? Number(generic[1]) : null;
}
