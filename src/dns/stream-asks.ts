/** Which queries a StreamHandler is asked about; told from the octets, before anything is decoded. */
import { HEADER, u16 } from './query.ts';
import { TYPE } from './wire/codes.ts';
import { skipName } from './wire/name.ts';

/** True for a zone transfer's query (AXFR, IXFR) and for any with a TSIG record (RFC 8945). */
export function asksHandler(packet: Uint8Array, from: number, end: number): boolean {
  const question = questionAt(packet, from, end);
  if (question < 0) return false;
  const type = u16(packet, question);
  if (type === TYPE.AXFR || type === TYPE.IXFR) return true;
  const additional = u16(packet, from + 10);
  if (additional === 0) return false;
  const records = u16(packet, from + 6) + u16(packet, from + 8) + additional;
  let at = question + 4;
  for (let i = 0; i < records; i++) {
    const header = skipName(packet, at, end);
    if (header < 0 || header + 10 > end) return false;
    if (u16(packet, header) === TYPE.TSIG) return true;
    at = header + 10 + u16(packet, header + 8);
  }
  return false;
}

/** The offset of the one question's type, or -1. */
function questionAt(packet: Uint8Array, from: number, end: number): number {
  if (end - from < HEADER || u16(packet, from + 4) !== 1) return -1;
  const at = skipName(packet, from + HEADER, end);
  return at + 4 > end ? -1 : at;
}
