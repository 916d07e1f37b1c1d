/**
 * One neighbour of the speaker, configured or dynamic: its peer, what it sends us, and the events
 * that people are told.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import type { Prefix } from '../net/ip.ts';
import { AdjRibIn, type InCounts, type ReceivedRoute } from './adj-rib-in.ts';
import type { SessionState } from './fsm-model.ts';
import { lacksKey } from './neighbor-settings.ts';
import { Peer } from './peer.ts';
import type { PeerStatus } from './peer-record.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { Bfd, Dialler, Guard, MrtPort } from './ports.ts';
import type { RouteTable } from './route.ts';
import { VipWatch } from './vip-watch.ts';

export interface NeighborStatus extends PeerStatus {
  /** The range that a dynamic neighbour came from; null: it is configured. */
  readonly range: string | null;
  /** Prefixes that it has told us. */
  readonly received: InCounts;
  /** VIPs that it is told and does not send back; null: nobody looks. */
  readonly vips_missing: readonly string[] | null;
}

export interface NeighborEvent {
  readonly neighbor: string;
  readonly text: string;
  readonly state: SessionState;
}

export interface MemberPorts {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
  readonly dialler?: Dialler;
  readonly bfd?: Bfd | null;
  readonly guard?: Guard | null;
  readonly mrt?: MrtPort | null;
  /** Neither may throw. */
  readonly onEvent: (event: NeighborEvent) => void;
  /** The last session, or attempt to make one, is over. */
  readonly onEnd: (member: Member) => void;
}

export class Member {
  readonly range: string | null;
  readonly peer: Peer;
  readonly #rib: AdjRibIn;
  readonly #ports: MemberPorts;
  #watch: VipWatch | null = null;
  #vips: ReadonlyMap<string, Prefix> = new Map();
  #lastFailure = '';
  #started = false;

  constructor(settings: PeerSettings, range: string | null, ports: MemberPorts) {
    this.range = range;
    this.#ports = ports;
    this.#rib = new AdjRibIn(settings.receive, ports.prng.int(0x1_0000_0000));
    this.peer = new Peer(
      settings,
      { ...ports, rib_in: this.#rib },
      {
        established: ({ hold_ms, peer_as }) => {
          this.#lastFailure = '';
          this.#watch?.open();
          this.#say(`session with AS${peer_as} established, hold time ${hold_ms / 1000} s`);
        },
        down: (text) => {
          this.#watch?.close();
          this.#say(`session down: ${text}`, 'Idle');
          if (!this.peer.connected) ports.onEnd(this); // else it has dialled again
        },
        failed: (text) => {
          // A neighbour that stays away fails again and again in the same way: told once.
          if (text !== this.#lastFailure) this.#say(text);
          this.#lastFailure = text;
          ports.onEnd(this);
        },
        routes: () => this.#watch?.heard(),
      },
    );
    this.#watchOrNot();
  }

  get name(): string {
    return this.peer.settings.name;
  }

  /** What the offers of a plan are addressed to. */
  get offered(): string {
    return this.range ?? this.name;
  }

  status(): NeighborStatus {
    return {
      ...this.peer.status(),
      range: this.range,
      received: this.#rib.counts(),
      vips_missing: this.#watch?.missing ?? null,
    };
  }

  received(): ReceivedRoute[] {
    return this.#rib.shown();
  }

  /** Without a key that is configured it stays idle, and says so. */
  start(): void {
    const { settings } = this.peer;
    this.#started = !lacksKey(settings);
    if (this.#started) this.peer.start();
    else this.#say('not started: the file of its key was not read');
  }

  /** `vips`: all prefixes that the site may announce. */
  want(table: RouteTable, vips: ReadonlyMap<string, Prefix>): void {
    this.peer.want(table);
    this.#watch?.expect(table.routes.keys());
    if (vips === this.#vips) return;
    this.#vips = vips;
    if (this.#watch) this.#rib.watch(vips);
  }

  /** Settings that need no new session. */
  update(settings: PeerSettings, table: RouteTable): void {
    const more = this.#rib.policy(settings.receive);
    this.peer.update(settings);
    if (more) this.peer.askRefresh();
    if (!this.#started) this.start();
    this.#watchOrNot();
    this.#watch?.expect(table.routes.keys());
  }

  /** As `Peer.stop`. */
  stop(subcode: number, text: string): Promise<void> {
    this.#watch?.close();
    return this.peer.stop(subcode, text);
  }

  #watchOrNot(): void {
    const wanted = this.peer.settings.receive.watch_vips;
    if (wanted === (this.#watch !== null)) return;
    this.#watch?.close();
    this.#watch = null;
    this.#rib.watch(wanted ? this.#vips : new Map());
    if (!wanted) return;
    const sees = (prefix: string): boolean => this.#rib.sees(prefix);
    const changed = (prefix: string, seen: boolean): void =>
      this.#say(seen ? `sends ${prefix} back to us again` : `no longer sends ${prefix} back to us`);
    this.#watch = new VipWatch({ clock: this.#ports.clock, sees, changed });
    if (this.peer.state === 'Established') this.#watch.open();
  }

  #say(text: string, state: SessionState = this.peer.state): void {
    this.#ports.onEvent({ neighbor: this.name, text, state });
  }
}
