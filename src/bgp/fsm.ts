/**
 * The BGP finite state machine of one peer (RFC 4271 §8), pure: `step(state, event, now, chance)`
 * gives the next state and what is to be done. Sockets and timers are actions, so that all of it
 * runs on a virtual clock. Here are starts and stops, timers, TCP and BFD; messages are in
 * fsm-message.ts, what both share in fsm-draft.ts.
 *
 * A peer has two slots, one for the connection that we dial and one for the connection that it
 * dials (§6.8). What must always hold: at most one slot is Established; in Idle after a stop no
 * timer runs and no connection is open; every error found here is answered by its NOTIFICATION.
 *
 * Of the optional session attributes (§8.1.1) these are on: AllowAutomaticStart, DelayOpen if
 * `delay_open_ms` is above 0, DampPeerOscillations, PassiveTcpEstablishment if `passive`,
 * SendNOTIFICATIONwithoutOPEN; and CollisionDetectEstablishedState is off.
 */
import { cease, Draft, other, SLOTS } from './fsm-draft.ts';
import { bfdAllows, confirm, onFault, onMessage, sendOpen } from './fsm-message.ts';
import type { Action, FsmEvent, FsmTimer, PeerState, Slot, Wrong } from './fsm-model.ts';
import { CEASE, ERROR, errorWords } from './wire/codes.ts';

/** So long after the beginning of a session the peer may still have dialled before it. */
export const SIMULTANEOUS_MS = 10_000;

/**
 * One step. `now` is monotonic milliseconds; `chance` in [0, 1) is the jitter of the timers that
 * this step starts (RFC 4271 §10).
 */
export function step(
  state: PeerState,
  event: FsmEvent,
  now: number,
  chance: number,
): { state: PeerState; actions: Action[] } {
  const draft = new Draft(state, now, chance);
  handle(draft, event);
  return { state: draft.state, actions: draft.actions };
}

function handle(draft: Draft, event: FsmEvent): void {
  switch (event.on) {
    case 'start':
      start(draft);
      break;
    case 'stop':
      stop(draft, cease(event.subcode, event.text));
      break;
    case 'end':
      if (draft.state.phase === 'idle') break;
      draft.notifyAll(event.wrong);
      draft.idle(event.wait_ms);
      break;
    case 'settings':
      adapt(draft, event.settings);
      break;
    case 'timer':
      onTimer(draft, event.timer);
      break;
    case 'tcp-connected':
      connected(draft);
      break;
    case 'tcp-failed':
      if (draft.state.phase === 'connect') draft.retryLater();
      break;
    case 'tcp-accepted':
      accepted(draft);
      break;
    case 'tcp-closed':
      closed(draft, event.slot, event.text);
      break;
    case 'tcp-waits':
      waits(draft, event.slot, event.waiting);
      break;
    case 'message':
      onMessage(draft, event.slot, event);
      break;
    case 'fault':
      onFault(draft, event.slot, event.fault);
      break;
    case 'bfd':
      onBfd(draft, event);
      break;
  }
}

/** Events 1 and 4; while the wait in Idle goes on it is cut short. */
function start(draft: Draft): void {
  draft.set({ running: true });
  if (draft.state.phase !== 'idle') return;
  draft.stopTimer('idle-hold');
  draft.connect();
}

/** Event 2. */
function stop(draft: Draft, wrong: Wrong): void {
  draft.set({ running: false });
  draft.notifyAll(wrong);
  draft.stopDialling('idle');
  draft.stopTimer('idle-hold');
  draft.set({ dial_failures: 0, session_failures: 0 });
}

function adapt(draft: Draft, settings: PeerState['settings']): void {
  draft.set({ settings });
  const { phase, out, in: incoming } = draft.state;
  if (settings.passive && (phase === 'connect' || phase === 'retry')) draft.stopDialling('listen');
  else if (!settings.passive && phase === 'listen' && !out && !incoming) draft.connect();
}

function onTimer(draft: Draft, timer: FsmTimer): void {
  switch (timer) {
    case 'idle-hold': // events 13, 6 and 7
      if (draft.state.running && draft.state.phase === 'idle') draft.connect();
      break;
    case 'connect-retry':
      connectRetryExpired(draft);
      break;
    case 'hold-out':
    case 'hold-in':
      holdExpired(draft, timer === 'hold-out' ? 'out' : 'in');
      break;
    case 'keepalive-out':
    case 'keepalive-in':
      keepaliveExpired(draft, timer === 'keepalive-out' ? 'out' : 'in');
      break;
    case 'delay-open-out':
    case 'delay-open-in': {
      const slot = timer === 'delay-open-out' ? 'out' : 'in';
      if (draft.state[slot]?.state === 'delay-open') sendOpen(draft, slot);
      break;
    }
    case 'send-hold-out':
    case 'send-hold-in': {
      // RFC 9687 §3.2: the NOTIFICATION will hardly arrive, but costs nothing.
      const slot = timer === 'send-hold-out' ? 'out' : 'in';
      draft.notify(slot, timeout(ERROR.SEND_HOLD_TIMER));
      break;
    }
  }
}

const timeout = (code: number): Wrong => ({
  code,
  subcode: 0,
  data: new Uint8Array(0),
  text: errorWords(code, 0),
});

/** Event 9. */
function connectRetryExpired(draft: Draft): void {
  const { phase, settings, in: incoming } = draft.state;
  if (phase === 'connect') {
    const waited = `${settings.connect_retry_ms / 1000} s`;
    draft.actions.push({ do: 'stop-dial', text: `no answer within ${waited}` });
    draft.retryLater();
  } else if (phase === 'retry') {
    // The peer's own connection is nearly up; dialling would only make a collision.
    if (incoming?.agreement) draft.retryLater();
    else draft.connect();
  }
}

/** Event 10. */
function holdExpired(draft: Draft, slot: Slot): void {
  const state = draft.state[slot]?.state;
  if (state === 'delay-open') return;
  const down = { ...cease(CEASE.BFD_DOWN), text: 'BFD did not come up' };
  draft.notify(slot, state === 'bfd-wait' ? down : timeout(ERROR.HOLD_TIMER));
}

/** Event 11. */
function keepaliveExpired(draft: Draft, slot: Slot): void {
  const state = draft.state[slot]?.state;
  if (state !== 'open-confirm' && state !== 'established') return;
  draft.send(slot, { type: 'keepalive' });
  draft.armKeepalive(slot);
}

/** Event 16. */
function connected(draft: Draft): void {
  if (draft.state.phase !== 'connect') return;
  draft.stopTimer('connect-retry');
  draft.set({ phase: 'listen' });
  greet(draft, 'out');
}

/** Event 17. */
function accepted(draft: Draft): void {
  // RFC 4271 §8.2.2: in Idle all incoming connections are refused.
  if (draft.state.phase === 'idle') {
    draft.actions.push({ do: 'refuse' });
    return;
  }
  for (const slot of SLOTS) {
    const standing = draft.state[slot];
    // RFC 4724 §4.2: a peer that can restart and dials again has restarted; its routes are kept.
    if (standing?.state !== 'established' || !standing.agreement?.restart) continue;
    if (draft.now - standing.since_ms < SIMULTANEOUS_MS) continue;
    draft.drop(slot, 'the peer has restarted', { by: 'tcp' });
  }
  const standing = draft.state.in;
  if (standing?.state === 'established') {
    draft.actions.push({ do: 'refuse' });
    return;
  }
  // The peer has one dialler, so an unfinished older connection is dead.
  if (standing) draft.drop('in', 'the peer dialled again', { by: 'tcp' });
  draft.actions.push({ do: 'adopt' });
  greet(draft, 'in');
}

/** Sends our OPEN, or gives the peer the time to speak first (RFC 4271 §8.1.1, DelayOpen). */
function greet(draft: Draft, slot: Slot): void {
  const { delay_open_ms } = draft.state.settings;
  if (delay_open_ms === 0) {
    sendOpen(draft, slot);
    return;
  }
  const since_ms = draft.now;
  const state = 'delay-open';
  draft.setConnection(slot, { state, agreement: null, confirmed: false, since_ms });
  draft.startTimer(`delay-open-${slot}`, delay_open_ms);
}

/**
 * Event 18. RFC 4271 §8.2.2: a connection that ends in OpenSent leads to Active, not to Idle. It is
 * what a peer in Idle does to us; were we to answer in kind, two speakers that dial each other
 * could refuse each other for ever.
 */
function closed(draft: Draft, slot: Slot, text: string): void {
  const connection = draft.state[slot];
  if (connection?.agreement) {
    draft.lose(slot, text, { by: 'tcp' });
    return;
  }
  draft.drop(slot, text, { by: 'tcp' });
  const { phase, settings } = draft.state;
  // Whichever side had dialled: with the last connection gone, it is our turn again.
  const last = connection !== null && !draft.state[other(slot)];
  if (phase === 'listen' && last && !settings.passive) draft.retryLater();
}

/** RFC 9687 §3: the send hold timer runs while the peer takes nothing. */
function waits(draft: Draft, slot: Slot, waiting: boolean): void {
  const { send_hold_ms } = draft.state.settings;
  if (!draft.state[slot]) return;
  if (waiting && send_hold_ms > 0) draft.startTimer(`send-hold-${slot}`, send_hold_ms);
  else draft.stopTimer(`send-hold-${slot}`);
}

/**
 * RFC 5882 §4: a path that was seen to work and does not any more ends the sessions over it; one
 * that never did says nothing, unless the configuration is strict.
 */
function onBfd(draft: Draft, { state, text }: Extract<FsmEvent, { on: 'bfd' }>): void {
  const before = draft.state.bfd;
  draft.set({ bfd: state });
  if (bfdAllows(state)) {
    for (const slot of SLOTS) confirm(draft, slot);
  }
  const { out, in: incoming } = draft.state;
  if (before !== 'up' && state === 'up') pathWorks(draft);
  else if (before === 'up' && state === 'down' && (out || incoming)) {
    draft.notifyAll({ ...cease(CEASE.BFD_DOWN), text: `BFD: ${text}` });
    draft.idle(null);
  }
}

/** A wait that only gives the path time to recover is over. */
function pathWorks(draft: Draft): void {
  const { running, phase, sentenced, in: incoming } = draft.state;
  if (phase === 'retry' && !incoming?.agreement) {
    draft.connect();
  } else if (phase === 'idle' && running && !sentenced) {
    draft.stopTimer('idle-hold');
    draft.connect();
  }
}
