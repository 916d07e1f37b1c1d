/**
 * The names that records of one response point at and that the zone has addresses of: what the
 * additional section is made from, in the order in which they were written.
 */
import type { ZoneImage } from '../model/zone.ts';
import { RECORD, RRSET, templateOf } from './image.ts';
import { RECORD_HEADER } from './template.ts';
import { TYPE } from './wire/codes.ts';
import { MESSAGE_MAX } from './wire/message.ts';

/** A record with a name takes 16 octets at least, so that no response points at more. */
const TARGETS_MAX = MESSAGE_MAX >> 4;

export class Targets {
  count = 0;
  /** The additional section has begun: what it adds may lead to what is there already. */
  adding = false;
  readonly nodes = new Int32Array(TARGETS_MAX);
  /** Where in the message each name stands. */
  readonly names = new Int32Array(TARGETS_MAX);
  /** What is wanted of it beside addresses: SVCB or HTTPS behind an alias of one; or 0. */
  readonly types = new Uint16Array(TARGETS_MAX);

  begin(): void {
    this.count = 0;
    this.adding = false;
  }

  /** Notes the target of a record, which has one, unless it was noted before. */
  note(image: ZoneImage, rrset: number, record: number, name: number): void {
    const type = image.words[rrset + RRSET.TYPE]!;
    const node = image.words[record + RECORD.TARGET]!;
    // Within an rrset each target is there once.
    if (this.count === TARGETS_MAX || (this.adding && this.#knows(node))) return;
    const service = type === TYPE.SVCB || type === TYPE.HTTPS;
    this.nodes[this.count] = node;
    this.names[this.count] = name;
    this.types[this.count++] = service && isAlias(image, record) ? type : 0;
  }

  #knows(node: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.nodes[i] === node) return true;
    return false;
  }
}

/** AliasMode (RFC 9460 §2.4.2) is priority 0. */
function isAlias({ bytes }: ZoneImage, record: number): boolean {
  const rdata = templateOf(record) + RECORD_HEADER;
  return bytes[rdata] === 0 && bytes[rdata + 1] === 0;
}
