/**
 * What is wrong between our TCP and the neighbour's: keys, TTL, ports. Pure. The counters are of the
 * whole host, so what they say of one neighbour is likely and not certain.
 */
import type { Evidence } from './evidence.ts';
import type { Certainty, Finding, WhyCase } from './why.ts';
import { ERROR } from './wire/codes.ts';

export function tcpFindings(asked: WhyCase): Finding[] {
  const found = [keyFinding, refusedFinding, ttlInFinding, ttlOutFinding].flatMap(
    (rule) => rule(asked) ?? [],
  );
  if (found.length > 0) return found;
  return [closedFinding, silenceFinding, waitFinding].flatMap((rule) => rule(asked) ?? []);
}

const likely = (code: string, text: string, certainty: Certainty = 'likely'): Finding => ({
  code,
  certainty,
  text,
});

const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);

/**
 * RFC 2385: a segment whose signature is missing or wrong is dropped without a word. Where an OPEN
 * has come, keys did agree then, so they are the less likely cause.
 */
function keyFinding({ evidence, settings, status }: WhyCase): Finding | null {
  const { counters, unsigned } = evidence;
  const heard = status.messages_in.open > 0;
  const signed = settings.md5_key_file !== null;
  if (!signed) {
    const count = counters?.TCPMD5Unexpected ?? 0;
    if (count === 0) return null;
    const text = 'the neighbour signs with TCP MD5, and no key is configured for it here';
    return likely('md5-missing-here', `${text} (TCPMD5Unexpected: ${count}): set md5_key_file`);
  }
  const differs = counters?.TCPMD5Failure ?? 0;
  if (differs > 0) {
    const text = `the neighbour's MD5 key differs: TCPMD5Failure has risen by ${differs}`;
    return likely('md5-differs', `${text}; write the same key on both sides`);
  }
  if (unsigned === 'accepted') {
    const text = 'the neighbour answers without TCP MD5 and not with it: it has no key for us';
    if (!heard) return likely('md5-missing-there', `${text}; set one there`, 'certain');
    const down = 'or its side of the session is shut down, and the key with it';
    return likely('md5-missing-there', `${text} any more, ${down}`, 'possible');
  }
  const unsigned_in = counters?.TCPMD5NotFound ?? 0;
  if (unsigned_in === 0 && unsigned === 'silent' && isNear(evidence) && !isClosed(status)) {
    const text = 'the neighbour is there and answers neither with our MD5 key nor without one';
    const cause = 'its key differs, or a firewall drops it';
    return likely('md5-differs', `${text}: ${cause}`, heard ? 'possible' : 'likely');
  }
  if (unsigned_in === 0 || unsigned === 'refused') return null;
  const text = `the neighbour does not sign what it sends (TCPMD5NotFound: ${unsigned_in})`;
  return likely('md5-missing-there', `${text}: it has no key for us, set one there`);
}

/** The neighbour has taken the connection and ended it: neither a key nor a TTL keeps it away. */
const isClosed = ({ last_failure }: WhyCase['status']): boolean =>
  /closed by the peer|ECONNRESET/.test(last_failure ?? '');

/** On our link, and it has answered there. */
function isNear({ route, next_hop }: Evidence): boolean {
  const direct = route?.kind === 'route' && route.gateway === null;
  const seen = ['REACHABLE', 'STALE', 'DELAY', 'PROBE'];
  return direct && next_hop !== null && seen.includes(next_hop.state);
}

/** A system that has no key answers a signed SYN to a closed port unsigned, and we do not hear it. */
function refusedFinding({ status, evidence, settings }: WhyCase): Finding | null {
  const refused = /ECONNREFUSED/.test(status.last_failure ?? '');
  if (!refused && evidence.unsigned !== 'refused') return null;
  const at = `${settings.address} port ${settings.port}`;
  const text = `nothing listens on ${at} (connection refused): start BGP there`;
  const rest = ', let it listen on that address, or open its firewall';
  return likely('nothing-listens', text + rest, 'certain');
}

/** RFC 5082, our side of it. */
function ttlInFinding({ evidence: { counters }, settings, status }: WhyCase): Finding | null {
  const count = counters?.TCPMinTTLDrop ?? 0;
  const hops = settings.ttl_security;
  if (hops === null || count === 0 || isClosed(status)) return null;
  const least = 256 - hops;
  const text = `what the neighbour sends arrives with a TTL below ${least} and is dropped`;
  const cause = `(TCPMinTTLDrop: ${count}): turn on TTL security there, or raise ttl_security`;
  const told = `${text} ${cause} if it is more than ${hops} hops away`;
  return likely('ttl-security-here', told, status.messages_in.open > 0 ? 'possible' : 'likely');
}

/**
 * RFC 5082, the neighbour's side. Most systems accept a connection before they check its TTL: we
 * hear its OPEN, and nothing of ours is acknowledged any more.
 */
function ttlOutFinding({ status, evidence, settings }: WhyCase): Finding | null {
  const stuck = evidence.sockets.find(
    ({ state, unacknowledged, retransmits }) =>
      state === 'ESTAB' && unacknowledged > 0 && retransmits > 0,
  );
  const { messages_in: heard, messages_out: sent } = status;
  // It never answered an OPEN, though it sends its own, and does not say why.
  const deaf =
    status.sessions === 0 &&
    sent.open > 0 &&
    heard.open > 0 &&
    heard.keepalive === 0 &&
    !explained(status);
  if (!stuck && !deaf) return null;
  const seen = stuck
    ? `${stuck.unacknowledged} octets unacknowledged, sent again ${times(stuck.retransmits)}`
    : 'no answer to our OPEN, though its own has come';
  if (settings.ttl_security === null) {
    const text = `we send TTL ${settings.ttl} and the neighbour seems to check it (GTSM): ${seen}`;
    return likely('ttl-security-there', `${text}; set ttl_security here, or turn it off there`);
  }
  const text = `the neighbour hears nothing of what we send on the connection: ${seen}`;
  const cause = 'a firewall drops it, or it allows fewer hops than there are';
  return likely('unacknowledged', `${text}; ${cause}`, 'possible');
}

const explained = ({ last_error_in, last_error_out }: WhyCase['status']): boolean =>
  last_error_in !== null || (last_error_out !== null && last_error_out.code !== ERROR.HOLD_TIMER);

/** A speaker that does not know us closes at once, some of them without a NOTIFICATION. */
function closedFinding({ status, settings }: WhyCase): Finding | null {
  if (!isClosed(status)) return null;
  if (status.messages_in.open > 0) {
    const text = 'the neighbour takes the connection and closes it: it waits after an error';
    return likely(
      'waits-there',
      `${text} (BIRD: \`error wait time\`, 60 s at first), or is shut down`,
    );
  }
  if (explained(status)) return null;
  const from = settings.source === null ? 'the address that we dial from' : settings.source;
  const text = 'the neighbour closes the connection before its OPEN: it does not know us';
  return likely('not-known-there', `${text}; configure ${from} and AS ${settings.local_as} there`);
}

function silenceFinding({ status, evidence, settings }: WhyCase): Finding | null {
  const unanswered =
    /no answer within|ETIMEDOUT/.test(status.last_failure ?? '') ||
    evidence.sockets.some(({ state }) => state === 'SYN-SENT');
  if (!unanswered || status.sessions > 0 || status.messages_in.open > 0) return null;
  const text = `${settings.address} port ${settings.port} does not answer`;
  const causes =
    settings.md5_key_file === null
      ? 'a firewall drops it, the neighbour wants a TCP MD5 key, or checks the TTL'
      : 'a firewall drops it, or the neighbour has no TCP MD5 key for us';
  return likely('no-answer', `${text}: ${causes}`, 'possible');
}

function waitFinding({ status, settings }: WhyCase): Finding | null {
  if (!settings.passive || status.messages_in.open > 0) return null;
  const text = `we wait for ${settings.address} to connect, and it has not`;
  return likely('waiting', `${text}: let it dial us, or do not set passive`, 'possible');
}
