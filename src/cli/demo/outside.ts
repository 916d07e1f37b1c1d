/**
 * The exercise's eyes: what a resolver, a router and a client see of the sites. Everything here
 * waits in the same way: look until it is so, or until a deadline has passed.
 */
import type { Clock } from '../../base/clock.ts';
import type { Listeners } from '../../base/listeners.ts';
import type { Config } from '../../model/config.ts';
import type { SiteEvent } from '../../model/event.ts';
import type { Levers } from './control.ts';
import type { DnsClient } from './dns-client.ts';
import type { LoadGenerator } from './load-generator.ts';
import type { DemoSite, RouteTable } from './ports.ts';
import { subnetOf } from './screen.ts';

/** The scene that the exercise plays on. */
export interface Scene {
  readonly config: Config;
  readonly clock: Clock;
  readonly sites: readonly DemoSite[];
  readonly levers: Levers;
  readonly dns: DnsClient;
  readonly generator: LoadGenerator;
  readonly router: RouteTable;
  /** Events of all sites. */
  readonly events: Listeners<SiteEvent>;
  /** Set when the user wants an end. */
  readonly stop: AbortSignal;
  /** Requests per second that a site serves, over its capacity. */
  load(site: string): number;
  /** Part of a site's own requests that its load balancers send elsewhere now. */
  share(site: string): number;
}

/** Who plays which part: the site that suffers is the home of the first region. */
export interface Cast {
  readonly scene: Scene;
  readonly victim: string;
  /** Index of the region whose own site is the victim. */
  readonly region: number;
  /** Adds a row to the table. */
  check(ok: boolean, expected: string, seen: string, ms?: number | null): void;
}

export interface Step {
  readonly title: string;
  play(cast: Cast): Promise<void>;
}

/** How often something is looked at that need not be timed to the millisecond. */
export const WAITING_MS = 20;
/** What needs no timer of the sites' own is so after this long, or counts as never so. */
export const SETTLED_WITHIN_MS = 5_000;

const API_TIMEOUT_MS = 2_000;

/** Ends the exercise at once, with a sentence. */
export class Stopped extends Error {}

export function pause(scene: Scene, ms: number): Promise<void> {
  if (scene.stop.aborted) return Promise.reject(new Stopped('stopped by the user'));
  return new Promise((resolve) => scene.clock.timer(ms, resolve));
}

/**
 * Calls `look` every `every_ms` until it gives something other than null. Null when `within_ms`
 * have passed without.
 */
export async function until<Seen>(
  scene: Scene,
  every_ms: number,
  within_ms: number,
  look: () => Promise<Seen | null> | Seen | null,
): Promise<Seen | null> {
  const deadline = scene.clock.now() + within_ms;
  for (;;) {
    const seen = await look();
    if (seen !== null) return seen;
    if (scene.clock.now() >= deadline) return null;
    await pause(scene, every_ms);
  }
}

/** The load balancers in an answer, by name; an address that is nobody's is given as it is. */
export async function answer(scene: Scene, server: DemoSite, region: number): Promise<string[]> {
  const name = scene.config.services[0]!.name;
  const subnet = subnetOf(scene.config, region)!;
  const { addresses } = await scene.dns.lookup(server.dns, name, subnet);
  return named(scene, addresses);
}

/** The load balancers that have the addresses, sorted. */
export function named(scene: Scene, addresses: readonly string[]): string[] {
  const names = addresses.map(
    (address) =>
      scene.config.endpoints.find((endpoint) => endpoint.address4 === address)?.load_balancer ??
      address,
  );
  return [...new Set(names)].sort();
}

/** What an operator's tool does: one call of a site's API. Rejects when the site refuses. */
export async function callApi<Body>(site: DemoSite, path: string, body?: object): Promise<Body> {
  const response = await fetch(`${site.api_url}${path}`, {
    signal: AbortSignal.timeout(API_TIMEOUT_MS),
    ...(body && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  if (!response.ok) throw new Error(`${path} of ${site.name} says ${response.status}`);
  return (await response.json()) as Body;
}

/** Load balancers of the service at `site`, by name. */
export function balancersAt(config: Config, site: string): string[] {
  const names = config.services[0]!.pool.map((member) => config.endpoints[member.endpoint]!)
    .filter((endpoint) => config.sites[endpoint.site]!.name === site)
    .map((endpoint) => endpoint.load_balancer);
  return [...new Set(names)].sort();
}

export const same = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** An answer, as the load balancers in it, and when it came, on the demo's clock. */
export interface AnswerAt {
  readonly at_ms: number;
  readonly balancers: readonly string[];
}

/**
 * When every site's DNS gives a region an answer that `wanted` accepts: the moment of the last one,
 * on the demo's clock, and the answer. Null when one does not within `within_ms`.
 */
export async function answersEverywhere(
  scene: Scene,
  region: number,
  wanted: (balancers: readonly string[]) => boolean,
  every_ms: number,
  within_ms: number,
): Promise<AnswerAt | null> {
  const seen = await Promise.all(
    scene.sites.map((server) =>
      until(scene, every_ms, within_ms, async () => {
        const balancers = await answer(scene, server, region);
        return wanted(balancers) ? { at_ms: scene.clock.now(), balancers } : null;
      }),
    ),
  );
  return seen.every((one) => one !== null) ? latest(seen) : null;
}

/** The last of several answers, of which there is at least one. */
export function latest(answers: readonly AnswerAt[]): AnswerAt {
  return answers.reduce((last, one) => (one.at_ms > last.at_ms ? one : last));
}

/** The next event that `wanted` accepts; null when none comes within `within_ms`. */
export function eventWhere(
  scene: Scene,
  within_ms: number,
  wanted: (event: SiteEvent) => boolean,
): Promise<SiteEvent | null> {
  return new Promise((resolve) => {
    const end = (event: SiteEvent | null): void => {
      stop();
      timer.cancel();
      resolve(event);
    };
    const timer = scene.clock.timer(within_ms, () => end(null));
    const stop = scene.events.add((event) => {
      if (wanted(event)) end(event);
    });
  });
}

/** Collects what a list of listeners emits from now on. */
export function record<Event>(from: Listeners<Event>): { all: Event[]; stop: () => void } {
  const all: Event[] = [];
  return { all, stop: from.add((event) => all.push(event)) };
}

/** Prefixes that `site` is configured to announce. */
export function prefixesOf(config: Config, site: string): string[] {
  const { announces } = config.sites.find(({ name }) => name === site)!;
  return config.vips.filter(({ name }) => announces.includes(name)).flatMap((vip) => vip.prefixes);
}
