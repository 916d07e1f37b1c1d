/**
 * One peer: carries out what the FSM asks for on real sockets and timers, feeds it what happens,
 * and sends the peer what its Adj-RIB-Out has pending. All BGP rules are in fsm.ts and wire/; here
 * is only the plumbing. It never throws at its caller because of anything that the peer does.
 */
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { AdjRibOut } from './adj-rib-out.ts';
import { step } from './fsm.ts';
import {
  type Action,
  type FsmEvent,
  type FsmSettings,
  type FsmTimer,
  initialState,
  type Received,
  type SessionState,
  type Slot,
  sessionState,
} from './fsm-model.ts';
import { Link } from './link.ts';
import { outSession } from './next-hop.ts';
import type { Agreement } from './open-check.ts';
import { PeerRecord, type PeerStatus } from './peer-record.ts';
import { NO_ROUTES, type RouteTable } from './route.ts';
import { DEFAULT_CONTEXT } from './wire/attributes.ts';
import { decodeMessage, encodeMessage, type Message } from './wire/message.ts';
import { type RouteChanges, routeChanges, type Update } from './wire/update.ts';

export interface PeerSettings extends FsmSettings {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Source address to dial from; null: the system chooses. */
  readonly source: string | null;
  /** Next hops that we announce; null: our own address in the session, if it is of that family. */
  readonly next_hop: string | null;
  readonly next_hop6: string | null;
}

export interface PeerPorts {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

/** None of them may throw. */
export interface PeerHooks {
  established(agreement: Agreement): void;
  /** An Established session ended. */
  down(text: string, at_ms: number): void;
  /** A connection ended, or could not be made, before it was Established. */
  failed(text: string): void;
  /** Routes that the peer sent; `at_ms` is when their bytes were read. */
  routes(changes: RouteChanges, update: Update, at_ms: number): void;
}

/** How long a stop waits for a slow peer to take the withdrawals. */
const DRAIN_MS = 1_000;

export class Peer {
  readonly settings: PeerSettings;
  readonly #ports: PeerPorts;
  readonly #hooks: PeerHooks;
  readonly #record: PeerRecord;
  readonly #rib = new AdjRibOut();
  readonly #timers = new Map<FsmTimer, Timer>();
  readonly #links: Record<Slot, Link | null> = { out: null, in: null };
  /** Connections that were told good-bye and have not closed yet. */
  readonly #finishing = new Set<Promise<void>>();
  #dialling: Socket | null = null;
  /** The connection just accepted, until the FSM adopts or refuses it. */
  #accepted: Socket | null = null;
  #state;
  #session: { slot: Slot; link: Link; agreement: Agreement } | null = null;
  #queue: FsmEvent[] = [];
  #running = false;
  /** Set by the first stop: what is wanted after it is not announced any more. */
  #stopped: Promise<void> | null = null;
  /** Called when nothing is pending any more. */
  #onEmpty: (() => void) | null = null;

  constructor(settings: PeerSettings, ports: PeerPorts, hooks: PeerHooks) {
    this.settings = settings;
    this.#ports = ports;
    this.#hooks = hooks;
    this.#state = initialState(settings);
    this.#record = new PeerRecord(ports.clock.now());
  }

  get state(): SessionState {
    return sessionState(this.#state);
  }

  get agreement(): Agreement | null {
    return this.#session?.agreement ?? null;
  }

  status(): PeerStatus {
    const { sent, pending, unsendable } = this.#rib;
    const counts = { sent, pending, unsendable };
    return this.#record.status(this.settings, this.agreement, counts, this.#ports.clock.now());
  }

  start(): void {
    this.#run({ on: 'start' });
  }

  /**
   * Withdraws everything, says why with a Cease NOTIFICATION, and closes, for good. Resolves when
   * the peer has closed its side too, after two seconds at most.
   */
  stop(subcode: number, text: string): Promise<void> {
    this.#stopped ??= this.#stop(subcode, text);
    return this.#stopped;
  }

  /** Replaces the routes that the peer should have, and writes the difference at once. */
  want(routes: RouteTable): void {
    if (!this.#stopped) this.#want(routes);
  }

  #want(routes: RouteTable): void {
    this.#rib.want(routes);
    this.#pump();
  }

  async #stop(subcode: number, text: string): Promise<void> {
    this.#want(NO_ROUTES);
    if (this.#session && this.#rib.pending > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#ports.clock.timer(DRAIN_MS, resolve);
        this.#onEmpty = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    this.#run({ on: 'stop', subcode, text });
    await Promise.all(this.#finishing);
  }

  /** Takes over a connection that the peer has dialled. */
  accept(socket: Socket): void {
    this.#accepted = socket;
    this.#run({ on: 'tcp-accepted' });
  }

  /** Events that come while one is worked on wait their turn. */
  #run(event: FsmEvent): void {
    this.#queue.push(event);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const { clock, prng } = this.#ports;
      const { state, actions } = step(this.#state, next, clock.now(), prng.next());
      this.#state = state;
      for (const action of actions) this.#perform(action);
      this.#record.enter(this.state, clock.now());
    }
    this.#running = false;
  }

  #perform(action: Action): void {
    switch (action.do) {
      case 'dial':
        this.#dial();
        break;
      case 'stop-dial':
        this.#dialling?.destroy();
        this.#dialling = null;
        if (action.text !== null) this.#fail(`cannot connect: ${action.text}`);
        break;
      case 'adopt':
        if (this.#accepted) this.#attach('in', this.#accepted);
        this.#accepted = null;
        break;
      case 'refuse':
        this.#record.refused++;
        this.#accepted?.destroy();
        this.#accepted = null;
        break;
      case 'send':
        this.#send(action.slot, action.message);
        break;
      case 'close':
        this.#close(action);
        break;
      case 'start-timer':
        this.#startTimer(action.timer, action.ms);
        break;
      case 'stop-timer':
        this.#timers.get(action.timer)?.cancel();
        this.#timers.delete(action.timer);
        break;
      case 'established':
        this.#established(action.slot, action.agreement);
        break;
      case 'deliver':
        this.#deliver(action);
        break;
    }
  }

  #startTimer(timer: FsmTimer, ms: number): void {
    this.#timers.get(timer)?.cancel();
    const fire = (): void => {
      this.#timers.delete(timer);
      this.#run({ on: 'timer', timer });
    };
    this.#timers.set(timer, this.#ports.clock.timer(ms, fire));
  }

  #dial(): void {
    const { address: host, port, source } = this.settings;
    this.#record.dials++;
    const socket = connect({ host, port, ...(source === null ? {} : { localAddress: source }) });
    this.#dialling = socket;
    const failed = (error: Error): void => {
      if (this.#dialling !== socket) return;
      this.#dialling = null;
      this.#fail(`cannot connect: ${error.message}`);
      this.#run({ on: 'tcp-failed' });
    };
    socket.once('error', failed);
    socket.once('connect', () => {
      if (this.#dialling !== socket) return;
      this.#dialling = null;
      socket.off('error', failed);
      this.#attach('out', socket);
      this.#run({ on: 'tcp-connected' });
    });
  }

  #attach(slot: Slot, socket: Socket): void {
    this.#links[slot] = new Link(socket, this.#ports.clock, {
      message: (bytes, at_ms) => this.#received(slot, bytes, at_ms),
      fault: (fault) => this.#run({ on: 'fault', slot, fault }),
      drain: () => this.#pump(),
      closed: (text) => this.#run({ on: 'tcp-closed', slot, text }),
    });
  }

  #received(slot: Slot, bytes: Uint8Array, at_ms: number): void {
    const context = this.#state[slot]?.agreement?.context ?? DEFAULT_CONTEXT;
    const decoded = decodeMessage(bytes, context);
    if (decoded.fault) {
      const worth = this.#record.faulty();
      if (worth) this.#ports.log.warn({ peer: this.settings.name }, decoded.fault.text);
    }
    if (!decoded.message) {
      this.#run({ on: 'fault', slot, fault: decoded.fault });
      return;
    }
    this.#record.received(decoded.message, this.#ports.clock.now());
    this.#run({ on: 'message', slot, message: decoded.message, fault: decoded.fault, at_ms });
  }

  #deliver({ message, fault, at_ms }: Received): void {
    if (message.type === 'route-refresh') {
      const { afi, safi } = message.refresh;
      if (safi === 1 && (afi === 1 || afi === 2)) this.#rib.refresh(afi === 1 ? 4 : 6);
      this.#pump();
    } else if (message.type === 'update') {
      const changes = routeChanges(message.update, fault);
      this.#record.routes(changes, message.update);
      this.#hooks.routes(changes, message.update, at_ms);
    }
  }

  #send(slot: Slot, message: Message): void {
    const link = this.#links[slot];
    if (!link) return;
    // A peer that reads slowly has enough of ours to read: no need for a sign of life.
    if (message.type === 'keepalive' && link.full) return;
    const bytes = encodeMessage(message, DEFAULT_CONTEXT);
    if (!bytes) return;
    link.send(bytes);
    this.#record.sent(message, this.#ports.clock.now());
  }

  #close({ slot, was, text }: Extract<Action, { do: 'close' }>): void {
    const link = this.#links[slot];
    this.#links[slot] = null;
    if (!link) return;
    const finished = link.finish().then(() => {
      this.#finishing.delete(finished);
    });
    this.#finishing.add(finished);
    if (was === 'established') {
      this.#down(text);
    } else if (!this.#links.out && !this.#links.in) {
      this.#fail(text); // while another connection goes on, this was a collision
    }
  }

  #down(text: string): void {
    const { clock, log } = this.#ports;
    this.#session = null;
    this.#rib.close();
    this.#record.failed(text);
    this.#pump();
    log.warn({ peer: this.settings.name }, `session down: ${text}`);
    this.#hooks.down(text, clock.now());
  }

  #fail(text: string): void {
    this.#record.failed(text);
    this.#ports.log.debug({ peer: this.settings.name }, text);
    this.#hooks.failed(text);
  }

  #established(slot: Slot, agreement: Agreement): void {
    const link = this.#links[slot];
    if (!link) return;
    this.#session = { slot, link, agreement };
    this.#record.sessions++;
    const { peer_as, hold_ms } = agreement;
    const fields = { peer: this.settings.name, peer_as, hold_ms };
    this.#ports.log.info(fields, 'session established');
    const { localAddress: local, remoteAddress: remote } = link.socket;
    const parts = { settings: { ...this.settings, role: null }, agreement, local, remote };
    this.#rib.open(outSession(parts, networkInterfaces()));
    this.#pump();
    if (this.#rib.unsendable > 0) {
      const count = this.#rib.unsendable;
      this.#ports.log.warn({ ...fields, count }, 'routes that this session cannot carry');
    }
    this.#hooks.established(agreement);
  }

  /** Writes UPDATEs while the socket takes them; `drain` calls again. */
  #pump(): void {
    const session = this.#session;
    while (session && !session.link.full) {
      const bytes = this.#rib.next();
      if (!bytes) break;
      session.link.send(bytes);
      this.#record.sentUpdate();
    }
    if (this.#rib.pending > 0) return;
    this.#onEmpty?.();
    this.#onEmpty = null;
  }
}
