/** What an image holds, read back node by node. */
import { NODE, nameOf, RECORD, RRSET, rrsetsOf, templateOf, ZONE } from '../../src/dns/image.ts';
import type { ZoneImage } from '../../src/model/zone.ts';

export interface ImageRecord {
  readonly owner: Uint8Array;
  readonly type: number;
  readonly ttl_s: number;
  /** Names uncompressed. */
  readonly rdata: Uint8Array;
}

const HEADER_OCTETS = 10;

export function readImage(image: ZoneImage): ImageRecord[] {
  const { words, bytes } = image;
  const found: ImageRecord[] = [];
  for (let node: number = ZONE.APEX; node < words[ZONE.END]!; node += words[node + NODE.SIZE]!) {
    const owner = bytes.slice(nameOf(node), nameOf(node) + words[node + NODE.NAME_LENGTH]!);
    for (let i = 0; i < words[node + NODE.RRSETS]!; i++) {
      const rrset = rrsetsOf(image, node) + i * RRSET.STRIDE;
      let record = words[rrset + RRSET.RECORDS_AT]!;
      for (let left = words[rrset + RRSET.RECORDS]!; left > 0; left--) {
        found.push({ owner, ...readRecord(image, record) });
        record += words[record + RECORD.SIZE]!;
      }
    }
  }
  return found;
}

function readRecord({ words, bytes }: ZoneImage, record: number): Omit<ImageRecord, 'owner'> {
  const at = templateOf(record);
  const template = bytes.slice(at, at + words[record + RECORD.LENGTH]!);
  const view = new DataView(template.buffer);
  const apexAt = nameOf(ZONE.APEX);
  const apex = bytes.slice(apexAt, apexAt + words[ZONE.APEX_LENGTH]!);
  const cuts = [RECORD.POINTER_A, RECORD.POINTER_B].map((field) => words[record + field]!);
  const parts: number[] = [];
  let from = HEADER_OCTETS;
  for (const cut of cuts.filter((offset) => offset > 0)) {
    parts.push(...template.subarray(from, cut), ...apex);
    from = cut + 2;
  }
  parts.push(...template.subarray(from));
  return { type: view.getUint16(0), ttl_s: view.getUint32(4), rdata: Uint8Array.from(parts) };
}
