/** Situations of a session that is not up, and which mistake is to be named first for each. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Evidence, SocketEvidence } from '../../src/bgp/evidence.ts';
import type { PeerError } from '../../src/bgp/peer-record.ts';
import type { BfdStatus } from '../../src/bgp/ports.ts';
import { diagnose, type WhySettings, type WhyStatus } from '../../src/bgp/why.ts';
import { errorWords } from '../../src/bgp/wire/codes.ts';
import { neighbor } from './bgp.ts';

export const ADDRESS = '192.0.2.1';
export const NONE = { open: 0, update: 0, notification: 0, keepalive: 0, 'route-refresh': 0 };
export const SILENT: WhyStatus = {
  state: 'Active',
  for_ms: 3_000,
  messages_in: NONE,
  messages_out: NONE,
  sessions: 0,
  dials: 1,
  refused: 0,
  routes_unsendable: 0,
  last_error_in: null,
  last_error_out: null,
  last_failure: 'cannot connect: no answer within 5 s',
  last_fault: null,
  silent_ms: null,
};
export const COUNTS = {
  TCPMD5NotFound: 0,
  TCPMD5Unexpected: 0,
  TCPMD5Failure: 0,
  TCPMinTTLDrop: 0,
};
export const FINE: Evidence = {
  counters: COUNTS,
  route: { kind: 'route', device: 'eth0', gateway: null },
  link: { device: 'eth0', state: 'up' },
  next_hop: { address: ADDRESS, state: 'REACHABLE' },
  sockets: [],
  unsigned: null,
};
export const SETTINGS: WhySettings = {
  ...neighbor({ address: ADDRESS, port: 179 }),
  local_as: 65001,
  listening: true,
  key_missing: false,
};
export const KEYED = { md5_key_file: '/etc/isobar/key' };
export const rose = (counter: keyof typeof COUNTS, by: number): Partial<Evidence> => ({
  counters: { ...COUNTS, [counter]: by },
});

export function error(
  code: number,
  subcode: number,
  said: string | null = null,
  at_ms = 1,
): PeerError {
  const words = errorWords(code, subcode);
  return { code, subcode, text: said ? `${words}: ${said}` : words, said, data: '', at_ms };
}

/** A NOTIFICATION that ended the last connection. */
export const heard = (code: number, subcode: number, said?: string): Partial<WhyStatus> => ({
  state: 'Idle',
  last_error_in: error(code, subcode, said),
  last_failure: `the peer says: ${error(code, subcode, said).text}`,
});
export const told = (code: number, subcode: number, detail: string): Partial<WhyStatus> => ({
  state: 'Idle',
  last_error_out: error(code, subcode),
  last_failure: `${errorWords(code, subcode)}: ${detail}`,
});
export const socket = (changes: Partial<SocketEvidence>): Partial<Evidence> => ({
  sockets: [
    {
      state: 'ESTAB',
      port: 179,
      unacknowledged: 0,
      retransmits: 0,
      ...changes,
    },
  ],
});
export const waiting: Partial<WhyStatus> = { last_failure: null, dials: 0 };

export interface Situation {
  readonly name: string;
  readonly status?: Partial<WhyStatus>;
  readonly evidence?: Partial<Evidence>;
  readonly settings?: Partial<WhySettings>;
  readonly bfd?: BfdStatus;
  readonly code: string;
  readonly certainty: string;
  readonly text: RegExp;
}

/** The first finding is the one that the situation asks for. */
export function checkSituations(name: string, situations: readonly Situation[]): void {
  describe(name, () => {
    for (const { status, evidence, settings, bfd, code, certainty, text, name } of situations) {
      test(name, () => {
        const [first] = diagnose(
          { ...SILENT, ...status },
          { ...FINE, ...evidence },
          { ...SETTINGS, ...settings },
          bfd ?? null,
        );
        assert.equal(first?.code, code);
        assert.equal(first?.certainty, certainty);
        assert.match(first?.text ?? '', text);
      });
    }
  });
}
