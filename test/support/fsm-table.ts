/**
 * Every pair of state and event of RFC 4271 §8: what the machine does, and the state that follows.
 * "-": the event cannot happen there, `why` says how that is known; where it can be raised anyway,
 * nothing must come of it. Idle has two columns (stopped, and waiting for the idle hold timer),
 * Connect and Active a second one each while an OPEN is held back (DelayOpenTimer runs).
 *
 * A cell is the next state and what is done: "+hold" starts a timer, "-hold" ends one that ran.
 * "see 20": the pair is that event's. Where we do not do what the RFC suggests, a comment says why.
 */
import type { FsmEvent, Slot } from '../../src/bgp/fsm-model.ts';
import { ourOpen } from '../../src/bgp/open-check.ts';
import { type Bench, KEEPALIVE, MIRRORED, UPDATE } from './fsm-bench.ts';

export const COLUMNS = [
  'Idle',
  'Idle, waiting',
  'Connect',
  'Connect, OPEN held back',
  'Active',
  'Active, OPEN held back',
  'OpenSent',
  'OpenConfirm',
  'Established',
] as const;

export type Column = (typeof COLUMNS)[number];

export interface Row {
  readonly event: number;
  readonly name: string;
  /** Null: nothing that happens to the machine means this. */
  readonly raise: ((bench: Bench, slot: Slot) => void) | null;
  readonly why?: string;
  /** Where nothing is said: "-". */
  readonly cells: Readonly<Partial<Record<Column, string>>>;
  readonly passive?: true;
  /** The connection is the peer's, and our own dial is still in progress. */
  readonly second?: true;
}

const timer = (name: 'hold' | 'keepalive' | 'delay-open') => (bench: Bench, slot: Slot) => {
  // A timer fires once: the machine's own one is over.
  bench.timers.get(`${name}-${slot}`)?.cancel();
  bench.timers.delete(`${name}-${slot}`);
  bench.on({ on: 'timer', timer: `${name}-${slot}` });
};
const plainTimer = (name: 'connect-retry' | 'idle-hold') => (bench: Bench) => {
  bench.timers.get(name)?.cancel();
  bench.timers.delete(name);
  bench.on({ on: 'timer', timer: name });
};
const fault = (code: number, subcode: number) => (bench: Bench, slot: Slot) => {
  const data = new Uint8Array(0);
  const wrong = { class: 'session-reset', code, subcode, data, text: '' } as const;
  bench.on({ on: 'fault', slot, fault: wrong });
};
const notification = (code: number, subcode: number) => (bench: Bench, slot: Slot) => {
  const said = { code, subcode, data: new Uint8Array(0) };
  bench.message(slot, { type: 'notification', notification: said });
};
const on = (event: FsmEvent) => (bench: Bench) => bench.on(event);
const open = (bench: Bench, slot: Slot): void =>
  bench.message(slot, { type: 'open', open: ourOpen(MIRRORED) });
const autoStop: FsmEvent = {
  on: 'end',
  wrong: { code: 6, subcode: 10, data: new Uint8Array(0), text: '' },
  wait_ms: null,
};

export const TABLE: readonly Row[] = [
  {
    event: 1,
    name: 'ManualStart',
    raise: on({ on: 'start' }),
    cells: {
      Idle: 'Connect dial +connect-retry',
      'Idle, waiting': 'Connect -idle-hold dial +connect-retry',
      Connect: 'Connect',
      'Connect, OPEN held back': 'Connect',
      Active: 'Active',
      'Active, OPEN held back': 'Active',
      OpenSent: 'OpenSent',
      OpenConfirm: 'OpenConfirm',
      Established: 'Established',
    },
  },
  {
    event: 2,
    name: 'ManualStop',
    raise: on({ on: 'stop', subcode: 2, text: '' }),
    cells: {
      Idle: 'Idle',
      'Idle, waiting': 'Idle -idle-hold',
      Connect: 'Idle stop-dial -connect-retry',
      'Connect, OPEN held back': 'Idle 6/2 -delay-open close',
      Active: 'Idle -connect-retry',
      'Active, OPEN held back': 'Idle 6/2 -delay-open close -connect-retry',
      OpenSent: 'Idle 6/2 -hold close',
      OpenConfirm: 'Idle 6/2 -hold -keepalive close',
      Established: 'Idle 6/2 -hold -keepalive close',
    },
  },
  {
    event: 3,
    name: 'AutomaticStart',
    raise: null,
    why: 'Damping is always on (DampPeerOscillations), so that an automatic start is event 6 or 7.',
    cells: {},
  },
  // PassiveTcpEstablishment: Active, and no dial.
  {
    event: 4,
    name: 'ManualStart_with_PassiveTcpEstablishment',
    raise: on({ on: 'start' }),
    passive: true,
    cells: {
      Idle: 'Active',
      'Idle, waiting': 'Active -idle-hold',
      Connect: 'Active',
      'Connect, OPEN held back': 'Active',
      Active: 'Active',
      'Active, OPEN held back': 'Active',
      OpenSent: 'OpenSent',
      OpenConfirm: 'OpenConfirm',
      Established: 'Established',
    },
  },
  {
    event: 5,
    name: 'AutomaticStart_with_PassiveTcpEstablishment',
    raise: null,
    why: 'As event 3.',
    cells: {},
  },
  {
    event: 6,
    name: 'AutomaticStart_with_DampPeerOscillations',
    raise: plainTimer('idle-hold'),
    why: 'An automatic start follows only the wait in Idle; a stop is for good.',
    cells: { 'Idle, waiting': 'Connect dial +connect-retry' },
  },
  {
    event: 7,
    name: 'AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment',
    raise: plainTimer('idle-hold'),
    passive: true,
    why: 'As event 6. A passive neighbour is never in Connect.',
    cells: { 'Idle, waiting': 'Active' },
  },
  // BFD, too many prefixes, or an operator's reset; the machine comes back by itself.
  {
    event: 8,
    name: 'AutomaticStop',
    raise: on(autoStop),
    cells: {
      Idle: 'Idle',
      'Idle, waiting': 'Idle',
      Connect: 'Idle stop-dial -connect-retry +idle-hold',
      'Connect, OPEN held back': 'Idle 6/10 -delay-open close +idle-hold',
      Active: 'Idle -connect-retry +idle-hold',
      'Active, OPEN held back': 'Idle 6/10 -delay-open close -connect-retry +idle-hold',
      OpenSent: 'Idle 6/10 -hold close +idle-hold',
      OpenConfirm: 'Idle 6/10 -hold -keepalive close +idle-hold',
      Established: 'Idle 6/10 -hold -keepalive close +idle-hold',
    },
  },
  // Connect: Active and a short wait, not at once another dial, so that a dead address costs
  // little.
  {
    event: 9,
    name: 'ConnectRetryTimer_Expires',
    raise: plainTimer('connect-retry'),
    why: 'The timer is that of the dialler, which does nothing here; a connection stops it.',
    cells: {
      Connect: 'Active stop-dial +connect-retry',
      Active: 'Connect dial +connect-retry',
      'Active, OPEN held back': 'Connect dial +connect-retry',
    },
  },
  {
    event: 10,
    name: 'HoldTimer_Expires',
    raise: timer('hold'),
    why: 'The timer does not run before our OPEN.',
    cells: {
      OpenSent: 'Idle 4/0 -hold close +idle-hold',
      OpenConfirm: 'Idle 4/0 -hold -keepalive close +idle-hold',
      Established: 'Idle 4/0 -hold -keepalive close +idle-hold',
    },
  },
  {
    event: 11,
    name: 'KeepaliveTimer_Expires',
    raise: timer('keepalive'),
    why: 'The timer does not run before the peer has accepted our OPEN.',
    cells: {
      OpenConfirm: 'OpenConfirm KEEPALIVE +keepalive',
      Established: 'Established KEEPALIVE +keepalive',
    },
  },
  {
    event: 12,
    name: 'DelayOpenTimer_Expires',
    raise: timer('delay-open'),
    why: 'The timer runs only while an OPEN is held back.',
    cells: {
      'Connect, OPEN held back': 'OpenSent -delay-open OPEN +hold',
      'Active, OPEN held back': 'OpenSent -delay-open OPEN +hold',
    },
  },
  {
    event: 13,
    name: 'IdleHoldTimer_Expires',
    raise: plainTimer('idle-hold'),
    why: 'The timer runs only in Idle, and not after a stop.',
    cells: { 'Idle, waiting': 'Connect dial +connect-retry' },
  },
  {
    event: 14,
    name: 'TcpConnection_Valid',
    raise: null,
    why: 'The kernel completes the handshake: the first that we see of a connection is event 17.',
    cells: {},
  },
  {
    event: 15,
    name: 'Tcp_CR_Invalid',
    raise: null,
    why: 'The kernel (keys, TTL) and the speaker (address) refuse such connections before.',
    cells: {},
  },
  // The connection is our second one, beside the peer's: it goes its own way until §6.8 decides.
  {
    event: 16,
    name: 'Tcp_CR_Acked',
    raise: on({ on: 'tcp-connected' }),
    second: true,
    why: 'No dial is in progress.',
    cells: {
      Connect: 'OpenSent -connect-retry OPEN +hold',
      'Connect, OPEN held back': 'Connect -connect-retry +delay-open',
      OpenSent: 'OpenSent -connect-retry OPEN +hold',
      OpenConfirm: 'OpenConfirm -connect-retry OPEN +hold',
    },
  },
  // A second connection goes its own way until its OPEN comes (§6.8).
  {
    event: 17,
    name: 'TcpConnectionConfirmed',
    raise: on({ on: 'tcp-accepted' }),
    cells: {
      Idle: 'Idle refuse',
      'Idle, waiting': 'Idle refuse',
      Connect: 'OpenSent adopt OPEN +hold',
      'Connect, OPEN held back': 'Connect adopt +delay-open',
      Active: 'OpenSent adopt OPEN +hold',
      'Active, OPEN held back': 'Active -delay-open close adopt +delay-open',
      OpenSent: 'OpenSent adopt OPEN +hold',
      OpenConfirm: 'OpenConfirm adopt OPEN +hold',
      Established: 'Established adopt OPEN +hold',
    },
  },
  // Connect: Active instead of Idle, where the peer's own connection would be refused. Active: the
  // peer's connection ends, our next dial is still to come.
  {
    event: 18,
    name: 'TcpConnectionFails',
    raise: (b, s) =>
      b.session === 'Connect' && !b.state.out
        ? b.on({ on: 'tcp-failed' })
        : b.on({ on: 'tcp-closed', slot: s, text: '' }),
    why: 'There is no connection that could fail.',
    cells: {
      Connect: 'Active +connect-retry',
      'Connect, OPEN held back': 'Active -delay-open close +connect-retry',
      'Active, OPEN held back': 'Active -delay-open close',
      OpenSent: 'Active -hold close +connect-retry',
      OpenConfirm: 'Idle -hold -keepalive close +idle-hold',
      Established: 'Idle -hold -keepalive close +idle-hold',
    },
  },
  {
    event: 19,
    name: 'BGPOpen',
    raise: open,
    why: 'There is no connection that it could come on.',
    cells: {
      'Connect, OPEN held back': 'see 20',
      'Active, OPEN held back': 'see 20',
      OpenSent: 'OpenConfirm +hold KEEPALIVE +keepalive',
      OpenConfirm: 'Idle 5/2 -hold -keepalive close +idle-hold',
      Established: 'Idle 5/3 -hold -keepalive close +idle-hold',
    },
  },
  {
    event: 20,
    name: 'BGPOpen with DelayOpenTimer running',
    raise: open,
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'OpenConfirm -delay-open OPEN +hold +hold KEEPALIVE +keepalive',
      'Active, OPEN held back': 'OpenConfirm -delay-open OPEN +hold +hold KEEPALIVE +keepalive',
      OpenSent: 'see 19',
      OpenConfirm: 'see 19',
      Established: 'see 19',
    },
  },
  // SendNOTIFICATIONwithoutOPEN is on. A held back OPEN in Active: as event 18.
  {
    event: 21,
    name: 'BGPHeaderErr',
    raise: fault(1, 2),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle 1/2 -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active 1/2 -delay-open close',
      OpenSent: 'Idle 1/2 -hold close +idle-hold',
      OpenConfirm: 'Idle 1/2 -hold -keepalive close +idle-hold',
      Established: 'Idle 1/2 -hold -keepalive close +idle-hold',
    },
  },
  // As event 21; an OPEN out of turn is an error of the FSM, however broken.
  {
    event: 22,
    name: 'BGPOpenMsgErr',
    raise: fault(2, 4),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle 2/4 -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active 2/4 -delay-open close',
      OpenSent: 'Idle 2/4 -hold close +idle-hold',
      OpenConfirm: 'Idle 5/2 -hold -keepalive close +idle-hold',
      Established: 'Idle 5/3 -hold -keepalive close +idle-hold',
    },
  },
  // §6.8 decides when the second OPEN has come: the peer's identifier is higher, so that our
  // connection is dumped, except in Established (CollisionDetectEstablishedState is off).
  {
    event: 23,
    name: 'OpenCollisionDump',
    raise: (b, s) => {
      b.on({ on: 'tcp-accepted' });
      b.open(s === 'out' ? 'in' : 'out');
    },
    cells: {
      Idle: 'Idle refuse',
      'Idle, waiting': 'Idle refuse',
      Connect: 'OpenConfirm adopt OPEN +hold +hold KEEPALIVE +keepalive',
      'Connect, OPEN held back':
        'OpenConfirm adopt +delay-open -delay-open OPEN +hold +hold KEEPALIVE +keepalive',
      Active: 'OpenConfirm adopt OPEN +hold +hold KEEPALIVE +keepalive',
      'Active, OPEN held back': 'Active -delay-open close adopt +delay-open',
      OpenSent: 'OpenConfirm adopt OPEN +hold +hold KEEPALIVE +keepalive',
      OpenConfirm:
        'OpenConfirm adopt OPEN +hold 6/7 -hold -keepalive close +hold KEEPALIVE +keepalive',
      Established: 'Established adopt OPEN +hold 6/7 -hold close',
    },
  },
  // A NOTIFICATION is never answered (§6.4).
  {
    event: 24,
    name: 'NotifMsgVerErr',
    raise: notification(2, 1),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active -delay-open close',
      OpenSent: 'Idle -hold close +idle-hold',
      OpenConfirm: 'Idle -hold -keepalive close +idle-hold',
      Established: 'Idle -hold -keepalive close +idle-hold',
    },
  },
  // As event 24; the RFC would answer one in OpenSent, against §6.4.
  {
    event: 25,
    name: 'NotifMsg',
    raise: notification(6, 5),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active -delay-open close',
      OpenSent: 'Idle -hold close +idle-hold',
      OpenConfirm: 'Idle -hold -keepalive close +idle-hold',
      Established: 'Idle -hold -keepalive close +idle-hold',
    },
  },
  // Before our OPEN nothing is said to a message out of turn.
  {
    event: 26,
    name: 'KeepAliveMsg',
    raise: (b, s) => b.message(s, KEEPALIVE),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active -delay-open close',
      OpenSent: 'Idle 5/1 -hold close +idle-hold',
      OpenConfirm: 'Established +hold established',
      Established: 'Established +hold',
    },
  },
  {
    event: 27,
    name: 'UpdateMsg',
    raise: (b, s) => b.message(s, UPDATE),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active -delay-open close',
      OpenSent: 'Idle 5/1 -hold close +idle-hold',
      OpenConfirm: 'Idle 5/2 -hold -keepalive close +idle-hold',
      Established: 'Established +hold deliver',
    },
  },
  // As event 27: out of turn it does not matter what is broken.
  {
    event: 28,
    name: 'UpdateMsgErr',
    raise: fault(3, 1),
    why: 'As event 19.',
    cells: {
      'Connect, OPEN held back': 'Idle -delay-open close +idle-hold',
      'Active, OPEN held back': 'Active -delay-open close',
      OpenSent: 'Idle 5/1 -hold close +idle-hold',
      OpenConfirm: 'Idle 5/2 -hold -keepalive close +idle-hold',
      Established: 'Idle 3/1 -hold -keepalive close +idle-hold',
    },
  },
];
