/**
 * Why a session is not up, or not what it should be: the likely mistakes, likeliest first, each in a
 * sentence that names it and what to do. Pure: it is given what the session has seen and what the
 * host knows, and never guesses beyond that.
 */
import type { SessionSettings } from '../model/bgp.ts';
import type { Evidence } from './evidence.ts';
import type { PeerStatus } from './peer-record.ts';
import type { BfdStatus } from './ports.ts';
import { hostFindings } from './why-host.ts';
import { bfdFinding, sessionFindings } from './why-session.ts';
import { tcpFindings } from './why-tcp.ts';

/** Nothing else explains it; much speaks for it; it would explain what is seen. */
export const CERTAINTIES = ['certain', 'likely', 'possible'] as const;
export type Certainty = (typeof CERTAINTIES)[number];

export interface Finding {
  /** A stable name for programs: "md5-differs". */
  readonly code: string;
  readonly certainty: Certainty;
  /** What is wrong, and what to do about it. */
  readonly text: string;
}

/** What is read of a session's record. */
export type WhyStatus = Pick<
  PeerStatus,
  | 'state'
  | 'for_ms'
  | 'messages_in'
  | 'messages_out'
  | 'sessions'
  | 'dials'
  | 'refused'
  | 'routes_unsendable'
  | 'last_error_in'
  | 'last_error_out'
  | 'last_failure'
  | 'last_fault'
  | 'silent_ms'
>;

/** A neighbour's settings, or those of a range with the address of who is asked about. */
export interface WhySettings extends SessionSettings {
  readonly address: string;
  /** The AS that it must have; null: any. */
  readonly as: number | null;
  readonly passive: boolean;
  /** Our own AS number, and whether neighbours can connect to us (`bgp.listen`). */
  readonly local_as: number;
  readonly listening: boolean;
  /** A key is configured and its file was not read. */
  readonly key_missing: boolean;
}

export interface WhyCase {
  readonly status: WhyStatus;
  readonly evidence: Evidence;
  readonly settings: WhySettings;
  readonly bfd: BfdStatus | null;
}

/** A session that came up so often, and not so long ago, may end again soon. */
const FLAPS_MIN = 3;
const FLAPS_FOR_MS = 600_000;

/** Likely causes in their order; empty: the session is up and nothing is amiss, or nothing is known. */
export function diagnose(
  status: WhyStatus,
  evidence: Evidence,
  settings: WhySettings,
  bfd: BfdStatus | null = null,
): Finding[] {
  const asked: WhyCase = { status, evidence, settings, bfd };
  if (status.state === 'Established') return establishedFindings(asked);
  const findings = [...hostFindings(asked), ...sessionFindings(asked), ...tcpFindings(asked)];
  const rank = ({ certainty }: Finding): number => CERTAINTIES.indexOf(certainty);
  return findings.sort((a, b) => rank(a) - rank(b));
}

function establishedFindings(asked: WhyCase): Finding[] {
  const bfd = bfdFinding(asked);
  const findings = bfd ? [bfd] : [];
  const { routes_unsendable: count, sessions, for_ms, last_failure } = asked.status;
  if (count > 0) {
    const text =
      `${count} of our routes cannot be sent: the neighbour has not agreed to their family, or we ` +
      'have no next hop of it; look at its capabilities, and set next_hop or next_hop6';
    findings.push({ code: 'routes-unsendable', certainty: 'certain', text });
  }
  if (sessions >= FLAPS_MIN && for_ms < FLAPS_FOR_MS) {
    const up = `it comes and goes: this is session ${sessions}, up for ${seconds(for_ms)}`;
    const text = last_failure === null ? up : `${up}; what ended before it: ${last_failure}`;
    findings.push({ code: 'flaps', certainty: 'likely', text });
  }
  return findings;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

/** Lines for people: how it stands, then each finding with how sure it is. */
export function whyText(name: string, status: WhyStatus, findings: readonly Finding[]): string {
  const lines = [`${name}: ${status.state} for ${seconds(status.for_ms)}`];
  const { state, silent_ms, last_failure, last_fault } = status;
  const heard = silent_ms === null ? 'never' : `${seconds(silent_ms)} ago`;
  lines.push(`last message from it: ${heard}`);
  if (state !== 'Established' && last_failure !== null) {
    lines.push(`last failure: ${last_failure}`);
  }
  if (last_fault) {
    const { class: kind, text, bytes } = last_fault;
    lines.push(`last faulty message: ${text} (${kind}), its last octets ${bytes}`);
  }
  for (const { certainty, text } of findings) lines.push(`${certainty}: ${text}`);
  if (findings.length === 0) {
    const up = status.state === 'Established';
    lines.push(up ? 'nothing is amiss' : 'nothing that this host can see explains it yet');
  }
  return lines.join('\n');
}
