/**
 * A zone image (../image.ts) read back as plain records: node by node in the order of the memory,
 * names in the rdata completed by the apex that answers point to instead.
 */
import type { ZoneImage } from '../../model/zone.ts';
import { findRrset, NODE, nameOf, RECORD, RRSET, rrsetsOf, templateOf, ZONE } from '../image.ts';
import { RECORD_HEADER } from '../template.ts';
import { TYPE } from '../wire/codes.ts';
import type { PlainRecord, ZoneSource } from './source.ts';

export class ImageSource implements ZoneSource {
  readonly origin: Uint8Array;
  readonly #image: ZoneImage;

  constructor(image: ZoneImage) {
    this.#image = image;
    this.origin = this.#nameAt(ZONE.APEX);
  }

  /** Zones are checked when they are loaded: there is one. */
  get soa(): PlainRecord {
    const { words } = this.#image;
    const rrset = findRrset(this.#image, ZONE.APEX, TYPE.SOA);
    return this.#record(this.origin, words[rrset + RRSET.RECORDS_AT]!);
  }

  *records(): Generator<PlainRecord, void> {
    const { words } = this.#image;
    const end = words[ZONE.END]!;
    for (let node: number = ZONE.APEX; node < end; node += words[node + NODE.SIZE]!) {
      const count = words[node + NODE.RRSETS]!;
      if (count === 0) continue;
      const owner = this.#nameAt(node);
      let rrset = rrsetsOf(this.#image, node);
      for (let left = count; left > 0; left--) {
        if (words[rrset + RRSET.TYPE] !== TYPE.SOA) yield* this.#rrset(owner, rrset);
        rrset += RRSET.STRIDE;
      }
    }
  }

  *#rrset(owner: Uint8Array, rrset: number): Generator<PlainRecord, void> {
    const { words } = this.#image;
    let record = words[rrset + RRSET.RECORDS_AT]!;
    for (let left = words[rrset + RRSET.RECORDS]!; left > 0; left--) {
      yield this.#record(owner, record);
      record += words[record + RECORD.SIZE]!;
    }
  }

  #record(owner: Uint8Array, record: number): PlainRecord {
    const { bytes } = this.#image;
    const at = templateOf(record);
    const ttl_s =
      bytes[at + 4]! * 2 ** 24 + ((bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!);
    return { owner, type: (bytes[at]! << 8) | bytes[at + 1]!, ttl_s, rdata: this.#rdata(record) };
  }

  /** Where the template has room for a pointer to the apex, the apex itself. */
  #rdata(record: number): Uint8Array {
    const { bytes, words } = this.#image;
    const at = templateOf(record);
    const end = at + words[record + RECORD.LENGTH]!;
    const parts: Uint8Array[] = [];
    let from = at + RECORD_HEADER;
    for (const field of [RECORD.POINTER_A, RECORD.POINTER_B]) {
      const pointer = words[record + field]!;
      if (pointer === 0) continue;
      parts.push(bytes.subarray(from, at + pointer), this.origin);
      from = at + pointer + 2;
    }
    // A view of shared memory, which is never changed: most records need no copy.
    const rest = bytes.subarray(from, end);
    return parts.length === 0 ? rest : Uint8Array.from(Buffer.concat([...parts, rest]));
  }

  #nameAt(node: number): Uint8Array {
    const at = nameOf(node);
    return this.#image.bytes.slice(at, at + this.#image.words[node + NODE.NAME_LENGTH]!);
  }
}
