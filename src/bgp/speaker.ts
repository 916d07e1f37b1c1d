/**
 * isobar's BGP speaker: keeps one session with each configured neighbour, takes those of the
 * configured ranges, and has each of them know exactly the routes that the plan offers it. `apply`
 * writes the difference to the sockets before it returns. Routes that neighbours send are counted,
 * shown, and never decide anything.
 */
import type { Socket } from 'node:net';
import type { BgpSite } from '../model/bgp.ts';
import type { RoutePlan } from '../model/plan.ts';
import type { HostPort } from '../net/ip.ts';
import type { ReceivedRoute } from './adj-rib-in.ts';
import { Doors } from './doors.ts';
import type { EvidenceSource } from './evidence.ts';
import { type Explanation, investigate } from './investigate.ts';
import { Member, type MemberPorts, type NeighborStatus } from './member.ts';
import { MrtFile } from './mrt-file.ts';
import {
  listenerKeys,
  neighborSettings,
  originOf,
  rangeOf,
  rangeSettings,
} from './neighbor-settings.ts';
import { worthLogging } from './peer-record.ts';
import { needsReset, type PeerSettings } from './peer-settings.ts';
import type { BgpKeys } from './ports.ts';
import { RouteBook } from './route-book.ts';
import { type ToldRoute, toldRoute } from './told-route.ts';
import { CEASE } from './wire/codes.ts';

export type { NeighborEvent, NeighborStatus } from './member.ts';

export interface SpeakerOptions extends Omit<MemberPorts, 'onEnd' | 'mrt'> {
  readonly bgp: BgpSite;
  /** Of the sessions and their BFD, by file; by default none. */
  readonly keys?: BgpKeys;
  /** What the host knows about the ways to neighbours; without it `why` has nothing to say. */
  readonly evidence?: EvidenceSource | null;
}

export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #doors: Doors;
  readonly #book = new RouteBook();
  readonly #mrt: MrtFile;
  /** By name; those of ranges are RANGE/ADDRESS. */
  readonly #members = new Map<string, Member>();
  /** Neighbours whose old session is coming to its end, by name: they are not made anew before. */
  readonly #ending = new Map<string, Promise<void>>();
  #bgp: BgpSite;
  #keys: BgpKeys;
  #plans: readonly RoutePlan[] = [];
  /** What cannot be announced of them, in sentences. */
  #problems: readonly string[] = [];
  #unknown = 0;
  /** Sessions are made only while it is `running`; it does not come back from `stopped`. */
  #phase: 'new' | 'running' | 'stopped' = 'new';
  /** Incoming connections so far whose address several waiting neighbours share. */
  #shared = 0;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#bgp = options.bgp;
    this.#keys = options.keys ?? new Map();
    this.#mrt = new MrtFile(options);
    this.#mrt.use(options.bgp.mrt);
    this.#doors = new Doors({
      accept: (socket, from) => this.#accept(socket, from),
      transport: (from) => this.#expected(from),
      refused: (from, text) => options.log.warn({ from }, `BGP connection refused: ${text}`),
      problem: (text) => options.log.error({}, text),
    });
  }

  /** Where neighbours reach us, with the real ports; empty when we only dial. */
  get listening(): HostPort[] {
    return this.#doors.addresses;
  }

  /** Connections from addresses that are no neighbour's, or one too many of a range; closed. */
  get unknown_connections(): number {
    return this.#unknown;
  }

  /** What sessions are made with. */
  get keys(): BgpKeys {
    return this.#keys;
  }

  /** Listens and starts every session. Rejects if a listening address cannot be bound. */
  async start(): Promise<void> {
    this.#doors.setKeys(listenerKeys(this.#bgp, this.#keys));
    await this.#doors.listen(this.#bgp.listen);
    if (this.#phase === 'new') this.#phase = 'running';
    this.#addMissing();
  }

  /**
   * Has every neighbour know exactly these routes: written to the sockets before it returns. What
   * cannot be announced is left out, and logged when that begins.
   */
  apply(plans: readonly RoutePlan[]): void {
    this.#plans = plans;
    const problems = this.#book.take(plans);
    for (const problem of problems) {
      if (!this.#problems.includes(problem)) this.#options.log.error({}, problem);
    }
    this.#problems = problems;
    for (const member of this.#members.values()) this.#want(member);
  }

  /** Every neighbour, those of ranges as long as they are connected. */
  neighbors(): NeighborStatus[] {
    return [...this.#members.values()].map((member) => member.status());
  }

  /** The VIPs each of whose prefixes at least one neighbour has from us. */
  heard(): Set<string> {
    const peers = [...this.#members.values()].map(({ peer }) => peer);
    const isHeard = (prefix: string): boolean => {
      const key = this.#book.keyOf(prefix);
      return peers.some((peer) => peer.has(key));
    };
    return new Set(
      this.#plans.filter(({ prefixes }) => prefixes.every(isHeard)).map(({ vip }) => vip),
    );
  }

  /** What each neighbour is told of each VIP now, and why; of one neighbour if it is named. */
  routes(neighbor?: string): ToldRoute[] {
    const told: ToldRoute[] = [];
    for (const { name, offered, peer } of this.#members.values()) {
      if (neighbor !== undefined && neighbor !== name && neighbor !== offered) continue;
      for (const { vip, prefixes, offers } of this.#plans) {
        const offer = offers.find((one) => one.neighbor === offered);
        if (!offer) continue;
        for (const text of prefixes) {
          const prefix = this.#book.keyOf(text);
          const of = { neighbor: name, vip, prefix, reason: offer.reason };
          told.push(toldRoute(of, peer.look(prefix)));
        }
      }
    }
    return told;
  }

  /** The routes of a neighbour that its policy keeps; null: there is no such neighbour. */
  received(neighbor: string): ReceivedRoute[] | null {
    return this.#members.get(neighbor)?.received() ?? null;
  }

  /** Why a session is not up, as far as it and this host can tell; null: no such neighbour. */
  async why(neighbor: string): Promise<Explanation | null> {
    const member = this.#members.get(neighbor);
    const { evidence } = this.#options;
    if (!member || !evidence) return null;
    const listening = this.#bgp.listen.length > 0;
    return investigate(evidence, member.peer.settings, member.status(), listening);
  }

  /** Ends a session with an operator's words (RFC 9003) and makes a new one; false: no such neighbour. */
  reset(neighbor: string, text: string): boolean {
    const member = this.#members.get(neighbor);
    member?.peer.reset(text);
    return member !== undefined;
  }

  /**
   * Takes a new configuration. Only the sessions that `sessionResets` names end; what else has
   * changed is applied to them as they are. Rejects, and changes nothing, if a new listening address
   * cannot be bound.
   */
  async reload(bgp: BgpSite): Promise<void> {
    await this.#doors.listen(bgp.listen);
    this.#bgp = bgp;
    this.#mrt.use(bgp.mrt);
    await this.#follow();
  }

  /** Sessions are made with these keys from now on; one whose key has changed is made anew. */
  async useKeys(keys: BgpKeys): Promise<void> {
    this.#keys = keys;
    await this.#follow();
  }

  /**
   * Withdraws every route, then ends every session with an administrative shutdown that carries
   * `text` (RFC 9003), and waits until the peers have read it, for two seconds at most.
   */
  async stop(text = ''): Promise<void> {
    this.#phase = 'stopped';
    this.#doors.close();
    const stopped = [...this.#members.values()].map((one) =>
      one.stop(CEASE.ADMINISTRATIVE_SHUTDOWN, text),
    );
    await Promise.all([...stopped, ...this.#ending.values()]);
    await this.#mrt.close();
  }

  /** Brings every session to what configuration and keys say. */
  async #follow(): Promise<void> {
    if (this.#phase === 'stopped') return;
    this.#doors.setKeys(listenerKeys(this.#bgp, this.#keys));
    const settings = neighborSettings(this.#bgp, this.#keys);
    const ended: Promise<void>[] = [];
    for (const member of this.#members.values()) {
      const wanted =
        member.range === null ? settings.get(member.name) : this.#dynamic(member.peer.settings);
      if (!wanted) ended.push(this.#end(member, CEASE.DECONFIGURED));
      else if (needsReset(member.peer.settings, wanted).length > 0)
        ended.push(this.#end(member, CEASE.CONFIGURATION_CHANGE));
      else member.update(wanted, this.#book.table(member.offered));
    }
    this.#addMissing();
    await Promise.all(ended);
  }

  async #end(member: Member, subcode: number): Promise<void> {
    const { name } = member;
    this.#members.delete(name);
    this.#options.evidence?.forget(name);
    const ended = member.stop(subcode, '');
    this.#ending.set(name, ended);
    await ended;
    if (this.#ending.get(name) === ended) this.#ending.delete(name);
    this.#addMissing();
  }

  /** By the newest configuration, should another have come meanwhile. */
  #addMissing(): void {
    if (this.#phase !== 'running') return;
    for (const [name, settings] of neighborSettings(this.#bgp, this.#keys)) {
      if (!this.#members.has(name) && !this.#ending.has(name)) this.#add(settings, null);
    }
  }

  #add(settings: PeerSettings, range: string | null): Member {
    const { evidence, onEvent } = this.#options;
    const member = new Member(settings, range, {
      ...this.#options,
      mrt: this.#mrt,
      onEvent: (event) => {
        // What was counted before it came up was no obstacle, or is none any more.
        if (event.state === 'Established') void evidence?.mark(event.neighbor);
        onEvent(event);
      },
      onEnd: (ended) => this.#forget(ended),
    });
    void evidence?.mark(settings.name);
    this.#members.set(settings.name, member);
    this.#want(member);
    member.start();
    return member;
  }

  /** A dynamic neighbour is one as long as it is connected. */
  #forget(member: Member): void {
    if (member.range === null || this.#members.get(member.name) !== member) return;
    this.#members.delete(member.name);
    this.#options.evidence?.forget(member.name);
    void member.stop(CEASE.REJECTED, '');
  }

  #want(member: Member): void {
    member.want(this.#book.table(member.offered), this.#book.prefixes);
  }

  /** The settings of a dynamic neighbour by the configuration of now. */
  #dynamic(settings: PeerSettings): PeerSettings | undefined {
    const from = originOf(settings);
    const range = rangeOf(this.#bgp, from);
    const now = range && rangeSettings(this.#bgp, range, from, this.#keys);
    return now?.name === settings.name ? now : undefined;
  }

  /** What a connection from there must have; null: nobody is expected. */
  #expected(from: string): PeerSettings | null {
    const member = [...this.#members.values()].find((one) => originOf(one.peer.settings) === from);
    if (member) return member.peer.settings;
    const range = rangeOf(this.#bgp, from);
    return range && rangeSettings(this.#bgp, range, from, this.#keys);
  }

  /** Gives a connection to the neighbour that has, or may have, that address. */
  #accept(socket: Socket, from: string): void {
    const member = this.#configured(socket, from) ?? this.#ofRange(from);
    if (member) {
      member.peer.accept(socket);
      return;
    }
    this.#unknown++;
    if (worthLogging(this.#unknown)) {
      const fields = { from, count: this.#unknown };
      this.#options.log.warn(fields, 'BGP connection from an address that is no neighbour');
    }
    socket.destroy();
  }

  /**
   * Of several neighbours at one address those come first that we would reach from the address which
   * was dialled; then it is each one's turn: which of them has dialled shows only in its OPEN, and a
   * wrong guess is refused and dialled again.
   */
  #configured(socket: Socket, from: string): Member | undefined {
    const candidates = [...this.#members.values()].filter(
      ({ peer }) => originOf(peer.settings) === from,
    );
    const sourced = candidates.filter(({ peer }) => peer.settings.source === socket.localAddress);
    const nearest = sourced.length > 0 ? sourced : candidates;
    const waiting = nearest.filter(
      ({ peer: { state } }) => state === 'Active' || state === 'Connect',
    );
    const passive = waiting.filter(({ peer }) => peer.settings.passive);
    const likely = passive.length > 0 ? passive : waiting;
    if (likely.length > 1) this.#shared++;
    return likely.length > 0 ? likely[this.#shared % likely.length] : nearest[0];
  }

  /** A new dynamic neighbour, if there is a range with room for it. */
  #ofRange(from: string): Member | null {
    const range = rangeOf(this.#bgp, from);
    if (!range || this.#phase !== 'running') return null;
    const others = [...this.#members.values()].filter((one) => one.range === range.name);
    if (others.length >= range.sessions_max) return null;
    return this.#add(rangeSettings(this.#bgp, range, from, this.#keys), range.name);
  }
}
