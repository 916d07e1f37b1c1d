/**
 * AS paths (RFC 4271 §4.3, RFC 6793): segments of AS numbers with two or four octets each, and how
 * the four-octet numbers are got back from a speaker that knows only two.
 */
import type { Reader, Writer } from '../../net/cursor.ts';
import { AS_TRANS } from './codes.ts';

export interface AsSegment {
  /** The last two are of a confederation (RFC 5065 §3). */
  readonly kind: 'set' | 'sequence' | 'confed-sequence' | 'confed-set';
  /** 1–255 AS numbers. */
  readonly as: readonly number[];
}

export type AsPath = readonly AsSegment[];

const KINDS = { set: 1, sequence: 2, 'confed-sequence': 3, 'confed-set': 4 } as const;
const BY_TYPE = new Map<number, AsSegment['kind']>(
  Object.entries(KINDS).map(([kind, type]) => [type, kind as AsSegment['kind']]),
);

/**
 * The path up to the reader's end, or undefined if it is malformed (RFC 7606 §7.2): unknown segment
 * type, an empty segment, one that does not fit, or AS 0 (RFC 7607).
 */
export function decodeAsPath(reader: Reader, octets: 2 | 4): AsPath | undefined {
  const path: AsSegment[] = [];
  while (reader.left > 0) {
    const kind = BY_TYPE.get(reader.u8());
    const count = reader.u8();
    if (!kind || count === 0 || count * octets > reader.left) return undefined;
    const as: number[] = [];
    for (let i = 0; i < count; i++) as.push(octets === 4 ? reader.u32() : reader.u16());
    if (as.includes(0)) return undefined;
    path.push({ kind, as });
  }
  return reader.failed ? undefined : path;
}

export function encodeAsPath(writer: Writer, path: AsPath, octets: 2 | 4): void {
  for (const segment of path) {
    writer.u8(KINDS[segment.kind]);
    writer.u8(segment.as.length);
    for (const as of segment.as) {
      if (octets === 4) writer.u32(as);
      else writer.u16(twoOctets(as));
    }
  }
}

/**
 * Why a well-formed path is not used: sets are of the past (RFC 9774 §3), and a confederation's
 * segments must not leave it, while we are in none (RFC 5065 §5).
 */
export function deprecatedSegment(path: AsPath): string | null {
  const kind = path.find((segment) => segment.kind !== 'sequence')?.kind;
  if (kind === undefined) return null;
  return kind === 'confed-sequence' ? 'AS_CONFED_SEQUENCE from outside' : `AS path with a ${kind}`;
}

/** An AS number where only two octets fit (RFC 6793 §4.2.2). */
export function twoOctets(as: number): number {
  return as > 0xffff ? AS_TRANS : as;
}

/** True if the path has a number that two octets cannot hold, so that AS4_PATH must go along. */
export function needsFourOctets(path: AsPath): boolean {
  return path.some(({ as }) => as.some((number) => number > 0xffff));
}

/** A segment's part of the path length (RFC 4271 §9.1.2.2, RFC 5065 §5.3). */
function segmentLength({ kind, as }: AsSegment): number {
  if (kind === 'sequence') return as.length;
  return kind === 'set' ? 1 : 0;
}

function pathLength(path: AsPath): number {
  return path.reduce((sum, segment) => sum + segmentLength(segment), 0);
}

/**
 * The true path behind a two-octet speaker: AS4_PATH, preceded by what AS_PATH has more at its
 * front (RFC 6793 §4.2.3). An AS4_PATH longer than AS_PATH is ignored.
 */
export function mergeAs4Path(path: AsPath, as4Path: AsPath): AsPath {
  let front = pathLength(path) - pathLength(as4Path);
  if (front < 0) return path;
  const merged: AsSegment[] = [];
  for (const segment of path) {
    if (front <= 0) break;
    const { kind, as } = segment;
    const part = kind === 'sequence' ? { kind, as: as.slice(0, front) } : segment;
    front -= segmentLength(part);
    merged.push(part);
  }
  return [...merged, ...as4Path];
}

const BRACKETS = {
  sequence: ['', ''],
  set: ['{', '}'],
  'confed-sequence': ['(', ')'],
  'confed-set': ['[', ']'],
} as const;

/** "64500 {64501 64502}", as routers print it. */
export function asPathText(path: AsPath): string {
  return path
    .map(({ kind, as }) => `${BRACKETS[kind][0]}${as.join(' ')}${BRACKETS[kind][1]}`)
    .join(' ');
}
