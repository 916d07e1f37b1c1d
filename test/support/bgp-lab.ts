/**
 * Our speaker and a router of somebody else, each in a namespace, for tests that read as scenarios. The
 * router is started once for a suite and the speaker when it is wanted; both are ended with it.
 */
import assert from 'node:assert/strict';
import type { DaemonSettings, Router, SeenRoute } from '../../lab/bgp/daemon.ts';
import { layScene, OURS, OURS6, routerSettings, type Scene, THEIRS } from '../../lab/bgp/scene.ts';
import { SpeakerProcess } from '../../lab/bgp/speaker.ts';
import { NetLab } from '../../lab/netns.ts';
import { until } from '../../lab/wait.ts';
import type { NeighborStatus } from '../../src/bgp/speaker.ts';
import type { BgpSite, Neighbor } from '../../src/model/bgp.ts';
import type { RoutePlan } from '../../src/model/plan.ts';
import { bgpSite, neighbor } from './bgp.ts';

/** A session must be up within this time: GoBGP and OpenBGPD wait some seconds before they dial. */
const SESSION_MS = 25_000;
/** Anything that a router is told must show in its table within this time. */
const SEEN_MS = 10_000;

export type SettingChanges = Parameters<typeof routerSettings>[2];

export class BgpLab {
  readonly #lab: NetLab;
  readonly #make: (settings: DaemonSettings) => Router;
  #scene: Scene | null = null;
  #router: Router | null = null;
  #speaker: SpeakerProcess | null = null;
  #routers = 0;

  /** `tag` is at most 6 characters, and this suite's own. */
  constructor(tag: string, make: (settings: DaemonSettings) => Router) {
    this.#lab = new NetLab(tag);
    this.#make = make;
  }

  get scene(): Scene {
    assert.ok(this.#scene, 'the lab is open');
    return this.#scene;
  }

  get router(): Router {
    assert.ok(this.#router, 'the router runs');
    return this.#router;
  }

  get speaker(): SpeakerProcess {
    assert.ok(this.#speaker, 'the speaker runs');
    return this.#speaker;
  }

  /** Replaces the router, if one runs, by one with these settings. */
  async startRouter(changes: SettingChanges = {}): Promise<Router> {
    this.#scene ??= await layScene(this.#lab);
    await this.#router?.kill();
    const settings = routerSettings(this.#scene, `router${this.#routers++}`, changes);
    this.#router = this.#make(settings);
    await this.#router.start();
    return this.#router;
  }

  /** Replaces the speaker, if one runs: its session just breaks off. */
  async startSpeaker(bgp: BgpSite, routes: readonly RoutePlan[] = []): Promise<SpeakerProcess> {
    await this.#speaker?.kill();
    this.#speaker = new SpeakerProcess(this.scene.speaker);
    await this.#speaker.start(bgp, routes);
    return this.#speaker;
  }

  /** Our side of the session. */
  async status(): Promise<NeighborStatus> {
    const [status] = await this.speaker.neighbors();
    assert.ok(status, 'the speaker has a neighbour');
    return status;
  }

  /** Both sides say that the session is up. */
  async up(): Promise<void> {
    await this.wait(
      'the session to be up',
      async () => (await this.status()).state === 'Established' && this.router.established(),
      SESSION_MS,
    );
  }

  /** Waits until the router's routes, ordered by prefix, are such that `right` holds. */
  async seen(what: string, right: (routes: readonly SeenRoute[]) => boolean): Promise<SeenRoute[]> {
    let last: SeenRoute[] = [];
    const look = async (): Promise<boolean> => {
      last = [...(await this.router.routes())];
      last.sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
      return right(last);
    };
    try {
      await this.wait(what, look, SEEN_MS);
    } catch (error) {
      throw new Error(`${(error as Error).message}; routes: ${JSON.stringify(last)}`);
    }
    return last;
  }

  /** As `until`, with both sides' logs in the error. */
  async wait(
    what: string,
    condition: () => boolean | Promise<boolean>,
    limit_ms = SEEN_MS,
  ): Promise<void> {
    try {
      await until(what, limit_ms, condition, 10);
    } catch (error) {
      const logs = [this.#speaker?.log(), this.#router?.log()].map((log) => log?.slice(-1500));
      throw new Error(`${(error as Error).message}\nours: ${logs[0]}\ntheirs: ${logs[1]}`);
    }
  }

  async close(): Promise<void> {
    await this.#speaker?.kill();
    await this.#router?.kill();
    await this.#lab.close();
  }
}

/** One neighbour, the router of the scene, that we dial. */
export function siteOf(changes: Partial<Neighbor> = {}, site: Partial<BgpSite> = {}): BgpSite {
  const them = neighbor({ address: THEIRS, port: 179 }, { source: OURS, ttl: 1, ...changes });
  return bgpSite([them], { next_hop: OURS, next_hop6: OURS6, ...site });
}

/** The same, but it must dial us. */
export const waitingSite = (
  changes: Partial<Neighbor> = {},
  site: Partial<BgpSite> = {},
): BgpSite =>
  siteOf({ passive: true, ...changes }, { listen: [{ address: OURS, port: 179 }], ...site });
