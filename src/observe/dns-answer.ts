/** Judges the answer to a DNS probe. Whatever the octets are, it returns a value, and soon. Pure. */
import type { Buffer } from 'node:buffer';
import { Packet, type Resource } from 'dns2';
import type { DnsCheck } from '../model/check.ts';
import { canonicalAddress } from '../net/ip.ts';
import { tameAnswer } from './dns-tame.ts';
import type { ProbeResult } from './verdict.ts';

const HEADER_BYTES = 12;
const SHOWN_MAX = 4;

export const RCODES: Readonly<Record<DnsCheck['rcode'], number>> = {
  NOERROR: 0,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  REFUSED: 5,
};

const RCODE_NAMES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** Null for a message that is no answer to the question `id` of `check`. */
export function judgeAnswer(message: Buffer, id: number, check: DnsCheck): ProbeResult | null {
  const packet = read(message, id, check);
  if (!packet) return null;
  const { rcode } = packet.header;
  if (rcode !== RCODES[check.rcode]) {
    const name = RCODE_NAMES[rcode] ?? `response code ${rcode}`;
    return { ok: false, detail: `${name}, expected ${check.rcode}` };
  }
  const found = packet.answers.flatMap((record) => textsOf(record, check.type));
  const missing = check.answers.filter((answer) => !found.includes(answer));
  if (missing.length === 0) {
    return { ok: true, detail: found.length === 0 ? check.rcode : `answered ${shown(found)}` };
  }
  if (packet.header.tc) {
    return { ok: false, detail: 'the answer does not fit in UDP: set transport to tcp' };
  }
  const got = found.length === 0 ? `no ${check.type} record` : shown(found);
  return { ok: false, detail: `${got} instead of ${shown(missing)}` };
}

function shown(texts: readonly string[]): string {
  const more = texts.length > SHOWN_MAX ? ` and ${texts.length - SHOWN_MAX} more` : '';
  return `${texts.slice(0, SHOWN_MAX).join(', ')}${more}`;
}

function read(message: Buffer, id: number, { question: name, type }: DnsCheck): Packet | null {
  if (message.length < HEADER_BYTES || message.readUInt16BE(0) !== id) return null;
  const isAnswer = (message[2]! & 0x80) !== 0;
  // RFC 1035 §4.1.1; a server that understood nothing may leave the question out (FORMERR).
  const questions = message.readUInt16BE(4);
  if (!isAnswer || questions > 1) return null;
  const tame = tameAnswer(message, Packet.TYPE[type]);
  if (!tame) return null;
  let packet: Packet;
  try {
    packet = Packet.parse(tame);
  } catch {
    return null;
  }
  const [question] = packet.questions;
  if (questions === 0) return packet.header.rcode === 0 ? null : packet;
  const same = question?.type === Packet.TYPE[type] && nameOf(question.name) === nameOf(name);
  return same ? packet : null;
}

const nameOf = (name: unknown): string => String(name).toLowerCase().replace(/\.$/, '');

/** The record as the check writes an answer; none for a record of another type. */
function textsOf(record: Resource, type: DnsCheck['type']): string[] {
  if (record.type !== Packet.TYPE[type]) return [];
  const fields = record as unknown as Readonly<Record<string, unknown>>;
  switch (type) {
    case 'A':
    case 'AAAA': {
      const address = canonicalAddress(String(fields.address));
      return address === null ? [] : [address];
    }
    case 'NS':
      return [nameOf(fields.ns)];
    case 'CNAME':
    case 'PTR':
      return [nameOf(fields.domain)];
    case 'MX':
      return [`${String(fields.priority)} ${nameOf(fields.exchange)}`];
    case 'SOA':
      return [nameOf(fields.primary)];
    case 'TXT':
      // Several strings of one record are one text (RFC 7208 §3.3 reads them so, too).
      return [Array.isArray(fields.data) ? fields.data.join('') : String(fields.data)];
  }
}
