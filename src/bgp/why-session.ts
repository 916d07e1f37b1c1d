/**
 * What the two speakers have said to each other: NOTIFICATIONs both ways, and what BFD says beside
 * them. Pure. What was said is certain while it is why the last connection ended; what was said
 * before that is a hint.
 */
import type { PeerError } from './peer-record.ts';
import type { Finding, WhyCase, WhySettings } from './why.ts';
import { ERROR } from './wire/codes.ts';

export function sessionFindings(asked: WhyCase): Finding[] {
  return [bfdFinding, saidFinding].flatMap((rule) => rule(asked) ?? []);
}

/** RFC 5882 §4: what goes down ends the session, and strict, holds it up; what is off does not. */
export function bfdFinding({ bfd, settings, status }: WhyCase): Finding | null {
  if (!settings.bfd || !bfd || bfd.state === 'up') return null;
  if (status.state === 'Established') {
    const text = `BFD is ${bfd.state}, and the session goes on without it: ${bfdCause(bfd)}`;
    return { code: 'bfd-down', certainty: 'certain', text };
  }
  const off = bfd.state === 'admin-down' || bfd.remote_state === 'admin-down';
  const held = settings.bfd.strict && !off;
  const ended = /BFD/.test(status.last_failure ?? '');
  const certainty = held || ended ? 'certain' : 'possible';
  const waits = held ? ', and the session waits for it' : '';
  return { code: 'bfd-down', certainty, text: `BFD is ${bfd.state}${waits}: ${bfdCause(bfd)}` };
}

function bfdCause(bfd: NonNullable<WhyCase['bfd']>): string {
  const { remote_state, packets_in, discarded, remote_diagnostic, problem } = bfd;
  if (discarded > 0 && packets_in === 0) {
    const cause = problem === null ? '' : ` (${problem})`;
    return `its packets are discarded, ${discarded} so far${cause}: compare keys, key id, and TTL (multihop or not)`;
  }
  if (problem !== null) return problem;
  if (packets_in === 0) return 'no packet has come: turn BFD on there, and open UDP 3784 (4784)';
  if (remote_state === 'admin-down') return 'the neighbour has turned it off (AdminDown)';
  const said = remote_diagnostic === null ? '' : ` (${remote_diagnostic})`;
  return `the neighbour is ${remote_state}${said}: packets of ours are lost, or intervals too short`;
}

interface Said {
  readonly code: string;
  readonly text: (settings: WhySettings, detail: string) => string;
}

/** By code/subcode or code of the NOTIFICATION (RFC 4271 §6), as the neighbour sent it to us. */
const IN: Readonly<Record<string, Said>> = {
  '2/1': { code: 'version', text: () => 'the neighbour does not speak BGP-4' },
  '2/2': {
    code: 'as-mismatch',
    text: ({ local_as }) =>
      `AS mismatch: we are AS ${local_as} and the neighbour expects another; mend it there, or bgp.as`,
  },
  '2/3': {
    code: 'router-id',
    text: () => 'the neighbour refuses our BGP identifier: two speakers have it; change router_id',
  },
  '2/5': { code: 'authentication', text: () => 'the neighbour wants an authentication long gone' },
  '2/6': {
    code: 'hold-time',
    text: ({ hold_time_ms }) =>
      `the neighbour refuses our hold time of ${hold_time_ms / 1000} s: propose a longer one`,
  },
  '2/7': {
    code: 'capability',
    text: (_, detail) =>
      `capability mismatch: the neighbour wants one that we have not offered (${detail}); compare families`,
  },
  '2/11': {
    code: 'role',
    text: ({ role }) => `role mismatch: ours is ${role ?? 'not told'} (RFC 9234), which it refuses`,
  },
  '3': {
    code: 'update',
    text: (_, detail) => `the neighbour refuses an UPDATE of ours: ${detail}`,
  },
  '4': {
    code: 'hold-time-there',
    text: () => 'the neighbour has heard nothing from us for its hold time: what we send is lost',
  },
  '6/1': {
    code: 'prefixes-there',
    text: () => 'the neighbour takes fewer prefixes than we announce: raise its limit',
  },
  '6/2': { code: 'shutdown', text: (_, detail) => `the neighbour was shut down: ${detail}` },
  '6/3': { code: 'deconfigured', text: () => 'the neighbour has taken us from its configuration' },
  '6/5': {
    code: 'rejected',
    text: ({ local_as }) =>
      `the neighbour rejects the connection: it does not know our address with AS ${local_as}`,
  },
  '6/8': { code: 'resources', text: () => 'the neighbour is out of resources' },
  '6/10': { code: 'bfd-down', text: () => 'the neighbour says that BFD is down' },
  '8': {
    code: 'send-hold-there',
    text: () => 'the neighbour could not send to us for its send hold time (RFC 9687)',
  },
};

/** The same for those that we sent. */
const OUT: Readonly<Record<string, Said>> = {
  '2/2': {
    code: 'as-mismatch',
    text: ({ as }, detail) =>
      `AS mismatch: it is configured as AS ${as ?? 'any'} here and says another (${detail})`,
  },
  '2/3': {
    code: 'router-id',
    text: (_, detail) => `we refuse its BGP identifier (${detail}): every speaker has its own`,
  },
  '2/6': {
    code: 'hold-time',
    text: (_, detail) => `the neighbour proposes a hold time that is not allowed (${detail})`,
  },
  '2/7': {
    code: 'capability',
    text: (_, detail) => `capability mismatch: it does not offer what we ask for (${detail})`,
  },
  '2/11': {
    code: 'role',
    text: ({ role, role_strict }, detail) =>
      `role mismatch (${detail}): we are ${role ?? 'nothing'} to it${role_strict ? ', strictly' : ''}`,
  },
  '3': { code: 'update', text: (_, detail) => `an UPDATE of the neighbour is wrong: ${detail}` },
  '4': {
    code: 'hold-time',
    text: () =>
      'we have heard nothing from the neighbour for the hold time: it is stuck, or the way is cut',
  },
  '6/1': {
    code: 'prefixes-here',
    text: ({ receive }) =>
      `the neighbour sends more than ${receive.prefixes_max} prefixes: filter there, or raise prefixes_max`,
  },
  '6/2': { code: 'shutdown-here', text: (_, detail) => `the session is shut down here: ${detail}` },
  '6/10': { code: 'bfd-down', text: () => 'BFD went down and took the session with it' },
  '8': {
    code: 'send-hold',
    text: () => 'the neighbour has taken nothing of ours for the send hold time (RFC 9687)',
  },
};

/** What was said last, in either direction. */
function saidFinding({ status, settings }: WhyCase): Finding | null {
  const { last_error_in, last_error_out, last_failure } = status;
  const theirs = last_error_in !== null && !later(last_error_out, last_error_in);
  const error = theirs ? last_error_in : last_error_out;
  if (!error) return null;
  const number = `${error.code}/${error.subcode}`;
  const said = (theirs ? IN : OUT)[number] ?? (theirs ? IN : OUT)[error.code];
  const current = last_failure?.includes(`(${number})`) ?? false;
  const detail = current && !theirs ? last_failure! : error.text;
  const who = theirs ? 'the neighbour ended the session' : 'we ended the session';
  const text = said?.text(settings, detail) ?? `${who}: ${detail}`;
  const told = theirs && said ? `${text} [${error.text}]` : text;
  const code = said?.code ?? (theirs ? 'notification-in' : 'notification-out');
  // A hold timer that ends before there was a session is the sign of something else.
  const sign = !theirs && error.code === ERROR.HOLD_TIMER && status.sessions === 0;
  if (current && !sign) return { code, certainty: 'certain', text: told };
  // What was refused of an OPEN stays so until somebody changes it, however silent the other is since.
  const standing = error.code === ERROR.OPEN && !/\(\d+\/\d+\)/.test(last_failure ?? '');
  return { code, certainty: standing ? 'likely' : 'possible', text: told };
}

const later = (a: PeerError | null, b: PeerError): boolean => a !== null && a.at_ms > b.at_ms;
