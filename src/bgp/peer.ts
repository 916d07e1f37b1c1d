/**
 * One peer: carries out what the FSM asks for on real sockets and timers, and feeds it what happens.
 * All BGP rules are in fsm*.ts and wire/, what a session does in session.ts; here is only the
 * plumbing. It never throws at its caller because of anything that the peer does.
 */
import type { Socket } from 'node:net';
import type { Timer } from '../base/clock.ts';
import { AdjRibOut, type RouteView } from './adj-rib-out.ts';
import { Connections } from './connections.ts';
import { TcpDialler } from './dial.ts';
import { step } from './fsm.ts';
import { cease, RETRY_FIRST_MS } from './fsm-draft.ts';
import {
  type Action,
  type FsmEvent,
  type FsmTimer,
  initialState,
  type Received,
  type SessionState,
  type Slot,
  sessionState,
} from './fsm-model.ts';
import type { Agreement } from './open-check.ts';
import { PeerBfd } from './peer-bfd.ts';
import { PeerDump } from './peer-dump.ts';
import type { PeerHooks, PeerPorts } from './peer-ports.ts';
import { PeerRecord, type PeerStatus } from './peer-record.ts';
import { needsReset, type PeerSettings } from './peer-settings.ts';
import { RestartHelper } from './restart-helper.ts';
import { NO_ROUTES, type RouteTable } from './route.ts';
import { Session } from './session.ts';
import { type CodecContext, DEFAULT_CONTEXT } from './wire/attributes.ts';
import { CEASE } from './wire/codes.ts';
import { decodeMessage, encodeMessage, type Message, sessionBytesMax } from './wire/message.ts';
import { endOfRib, type RouteChanges, routeChanges, type Update } from './wire/update.ts';

/** How long a stop waits for a slow peer to take the withdrawals. */
const DRAIN_MS = 1_000;
/** A hold timer that fires later than this waits once more, so long. */
const LATE_MS = 250;
const READ_MS = 50;
/** A peer with too many prefixes would do the same again at once (RFC 4486 §4). */
const PREFIX_HOLD_MS = 900_000;

export class Peer {
  #settings: PeerSettings;
  readonly #ports: PeerPorts;
  readonly #hooks: PeerHooks;
  readonly #record: PeerRecord;
  readonly #rib = new AdjRibOut();
  readonly #helper: RestartHelper | null;
  readonly #bfd: PeerBfd | null;
  readonly #dump: PeerDump | null;
  readonly #timers = new Map<FsmTimer, { readonly timer: Timer; readonly at_ms: number }>();
  readonly #connections: Connections;
  #state;
  #session: Session | null = null;
  #queue: FsmEvent[] = [];
  #running = false;
  /** Set by the first stop: what is wanted after it is not announced any more. */
  #stopped: Promise<void> | null = null;
  /** Called when nothing is pending any more. */
  #onEmpty: (() => void) | null = null;

  constructor(settings: PeerSettings, ports: PeerPorts, hooks: PeerHooks) {
    const { clock, dialler = new TcpDialler(), rib_in, bfd, mrt } = ports;
    this.#settings = settings;
    this.#ports = ports;
    this.#hooks = hooks;
    this.#state = initialState(settings);
    this.#record = new PeerRecord(clock.now());
    this.#connections = new Connections(clock, dialler, {
      connected: () => this.#run({ on: 'tcp-connected' }),
      dialFailed: (text) => {
        this.#fail(`cannot connect: ${text}`);
        this.#run({ on: 'tcp-failed' });
      },
      message: (slot, bytes, at_ms) => this.#received(slot, bytes, at_ms),
      sending: (slot, bytes) => {
        if (this.#session?.slot === slot) this.#session.sending();
        this.#dumped(slot, bytes, true, clock.now());
      },
      fault: (slot, fault) => this.#run({ on: 'fault', slot, fault }),
      drain: () => this.#pump(),
      waits: (slot, waiting) => {
        this.#run({ on: 'tcp-waits', slot, waiting });
        if (this.#session?.slot === slot) this.#session.sent();
      },
      closed: (slot, text) => this.#run({ on: 'tcp-closed', slot, text }),
    });
    this.#dump = mrt ? new PeerDump(mrt, settings) : null;
    this.#helper = rib_in ? new RestartHelper(clock, rib_in) : null;
    this.#bfd = bfd
      ? new PeerBfd(bfd, settings, (state, text) => this.#run({ on: 'bfd', state, text }))
      : null;
  }

  get settings(): PeerSettings {
    return this.#settings;
  }

  get state(): SessionState {
    return sessionState(this.#state);
  }

  /** False if there is no connection, nor one that is about to be taken over. */
  get connected(): boolean {
    return !this.#connections.none;
  }

  get agreement(): Agreement | null {
    return this.#session?.agreement ?? null;
  }

  status(): PeerStatus {
    const { sent, pending, unsendable } = this.#rib;
    return this.#record.status(this.#settings, {
      session: this.#session?.ends ?? null,
      timers: this.#timers,
      bfd: this.#bfd?.status() ?? null,
      stale_left_ms: this.#helper?.left_ms ?? null,
      routes: { sent, pending, unsendable },
      now_ms: this.#ports.clock.now(),
    });
  }

  /** Begins; for a peer that waits in Idle, without waiting longer. */
  start(): void {
    if (this.#stopped) return;
    const { bfd, name } = this.#settings;
    if (bfd && !this.#bfd) {
      const text = 'there is no BFD here';
      this.#ports.log.error({ peer: name }, text);
      this.#run({ on: 'bfd', state: 'admin-down', text });
    }
    this.#bfd?.open();
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

  /**
   * Ends the session with the operator's words (RFC 9003) and makes a new one; while the peer waits
   * in Idle it waits no longer.
   */
  reset(text: string): void {
    const { running, phase } = this.#state;
    if (running && phase === 'idle') {
      this.#run({ on: 'start' });
      return;
    }
    const wrong = cease(CEASE.ADMINISTRATIVE_RESET, text);
    this.#run({ on: 'end', wrong, wait_ms: RETRY_FIRST_MS });
  }

  /**
   * Other settings for the session as it is. Throws a RangeError if one of them needs a new session:
   * see `needsReset`.
   */
  update(settings: PeerSettings): void {
    const names = needsReset(this.#settings, settings);
    if (names.length > 0) throw new RangeError(`${settings.name}: new session for ${names.join()}`);
    if (this.#stopped) return;
    this.#settings = settings;
    this.#run({ on: 'settings', settings });
    this.#bfd?.update(settings);
    this.#session?.update(settings);
    this.#checkLimit();
  }

  /** Asks the peer for all of its routes again, where it can be asked (RFC 2918). */
  askRefresh(): void {
    this.#session?.ask();
  }

  /** True if the peer has been sent a route to this prefix, by its canonical text. */
  has(key: string): boolean {
    return this.#rib.has(key);
  }

  /** How it stands with one of our routes, by the canonical text of its prefix. */
  look(key: string): RouteView {
    return this.#rib.look(key);
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
    this.#helper?.clear();
    await this.#connections.finished();
    // Not before the peer has read why: to one that hears of BFD first this is a failure (RFC 5882
    // §4.2), after which it may make us wait.
    this.#bfd?.close();
  }

  /** Takes over a connection that the peer has dialled. */
  accept(socket: Socket): void {
    this.#connections.offer(socket);
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
      const before = this.#record.enter(this.state, clock.now());
      if (before !== this.state) this.#dump?.state(this.#socket, before, this.state);
    }
    this.#running = false;
  }

  #perform(action: Action): void {
    switch (action.do) {
      case 'dial':
        this.#record.dials++;
        this.#connections.dial(this.#settings);
        break;
      case 'stop-dial':
        this.#connections.stopDial();
        if (action.text !== null) this.#fail(`cannot connect: ${action.text}`);
        break;
      case 'adopt':
        this.#connections.adopt();
        break;
      case 'refuse':
        this.#record.refused++;
        this.#connections.refuse();
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
        this.#timers.get(action.timer)?.timer.cancel();
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

  #startTimer(name: FsmTimer, ms: number): void {
    this.#timers.get(name)?.timer.cancel();
    const { clock } = this.#ports;
    const at_ms = clock.now() + ms;
    const fire = (): void => {
      // A late timer says that this process stood still, not that the peer did: what has come
      // meanwhile is read first.
      if (name.startsWith('hold') && clock.now() - at_ms > LATE_MS) {
        this.#startTimer(name, READ_MS);
        return;
      }
      this.#timers.delete(name);
      this.#run({ on: 'timer', timer: name });
    };
    this.#timers.set(name, { timer: clock.timer(ms, fire), at_ms });
  }

  /** The session's socket; before there is one, that of the connection which we dialled, if any. */
  get #socket(): Socket | null {
    const slot = this.#session?.slot ?? (this.#connections.link('out') ? 'out' : 'in');
    return this.#connections.link(slot)?.socket ?? null;
  }

  #dumped(slot: Slot, bytes: Uint8Array, sent: boolean, at_ms: number): void {
    const link = this.#connections.link(slot);
    if (!this.#dump || !link) return;
    const context = this.#context(slot);
    const peer_as = this.#agreed(slot)?.peer_as ?? null;
    this.#dump.message(link.socket, peer_as, { bytes, sent, context }, at_ms);
  }

  /** The last word of a session is sent when the FSM has given its slot up already. */
  #agreed(slot: Slot): Agreement | null {
    const session = this.#session?.slot === slot ? this.#session : null;
    return this.#state[slot]?.agreement ?? session?.agreement ?? null;
  }

  #context(slot: Slot): CodecContext {
    return this.#agreed(slot)?.context ?? DEFAULT_CONTEXT;
  }

  #received(slot: Slot, bytes: Uint8Array, at_ms: number): void {
    this.#dumped(slot, bytes, false, at_ms);
    const { message, fault } = decodeMessage(bytes, this.#context(slot));
    if (fault) {
      const worth = this.#record.faulty(fault, bytes, at_ms);
      if (worth) this.#ports.log.warn({ peer: this.#settings.name }, fault.text);
    }
    if (!message) {
      this.#run({ on: 'fault', slot, fault });
      return;
    }
    this.#record.received(message, at_ms);
    this.#run({ on: 'message', slot, message, fault, at_ms });
    const agreed = this.#state[slot]?.agreement;
    if (message.type === 'open' && agreed) {
      this.#connections.link(slot)?.allow(sessionBytesMax(agreed.context));
    }
  }

  #deliver({ message, fault, at_ms }: Received): void {
    if (message.type === 'route-refresh') {
      this.#session?.refresh(message.refresh);
    } else if (message.type === 'update') {
      const changes = routeChanges(message.update, fault);
      this.#record.routes(changes, message.update);
      this.#keep(changes, message.update);
      this.#hooks.routes(changes, message.update, at_ms);
    }
  }

  #keep(changes: RouteChanges, update: Update): void {
    const { rib_in } = this.#ports;
    if (!rib_in) return;
    rib_in.routes(changes, update);
    const completed = endOfRib(update);
    if (completed !== null) this.#helper?.complete(completed);
    this.#checkLimit();
  }

  #checkLimit(): void {
    if (!this.#session || !this.#ports.rib_in?.overLimit) return;
    const wait_ms = Math.max(PREFIX_HOLD_MS, this.#settings.idle_hold_max_ms);
    this.#run({ on: 'end', wrong: cease(CEASE.PREFIX_MAX), wait_ms });
  }

  #send(slot: Slot, message: Message): void {
    const link = this.#connections.link(slot);
    if (!link) return;
    // A peer that reads slowly has enough of ours to read: no need for a sign of life.
    if (message.type === 'keepalive' && link.full) return;
    const bytes = encodeMessage(message, this.#context(slot));
    if (!bytes) return;
    link.send(bytes);
    if (this.#session?.slot === slot) this.#session.sent();
    this.#record.sent(message, this.#ports.clock.now());
  }

  #close({ slot, was, ending, text }: Extract<Action, { do: 'close' }>): void {
    const link = this.#connections.link(slot);
    if (!link) return;
    const session = this.#session;
    // Before the socket is closed: the guard must not write to it any more.
    if (was === 'established') session?.close();
    this.#connections.close(slot);
    if (was === 'established' && session) {
      this.#session = null;
      this.#helper?.ended(session.agreement, ending);
      this.#down(text);
    } else if (this.#connections.none) {
      this.#fail(text); // while another connection goes on, this was a collision
    }
  }

  #down(text: string): void {
    const { clock, log } = this.#ports;
    this.#record.failed(text);
    this.#pump();
    log.warn({ peer: this.#settings.name }, `session down: ${text}`);
    this.#hooks.down(text, clock.now());
  }

  #fail(text: string): void {
    this.#record.failed(text);
    this.#ports.log.debug({ peer: this.#settings.name }, text);
    this.#hooks.failed(text);
  }

  #established(slot: Slot, agreement: Agreement): void {
    const link = this.#connections.link(slot);
    if (!link) return;
    const { log, guard = null, rib_in } = this.#ports;
    const { peer_as, hold_ms } = agreement;
    const { local_as, router_id, role } = this.#settings;
    this.#record.sessions++;
    const fields = { peer: this.#settings.name, peer_as, hold_ms };
    log.info(fields, 'session established');
    rib_in?.open({ local_as, router_id, peer_as, role });
    this.#helper?.established(agreement);
    this.#session = new Session(
      {
        slot,
        link,
        agreement,
        rib: this.#rib,
        helper: this.#helper,
        record: this.#record,
        guard,
        log,
        send: (message) => this.#send(slot, message),
      },
      this.#settings,
    );
    this.#pump();
    const count = this.#rib.unsendable;
    if (count > 0) log.warn({ ...fields, count }, 'routes that this session cannot carry');
    this.#hooks.established(agreement);
  }

  /** Writes what is pending; `drain` calls again. */
  #pump(): void {
    this.#session?.pump();
    if (this.#rib.pending > 0) return;
    this.#onEmpty?.();
    this.#onEmpty = null;
  }
}
