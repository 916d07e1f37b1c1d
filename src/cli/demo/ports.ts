/**
 * What the demo needs from the rest of isobar, as small as it can be: a way to start one site's
 * agent, and a BGP router's view of what the sites announce. The demo and its exercise look at the
 * sites through these and through DNS, BGP and HTTP, never into an agent.
 */
import type { Clock } from '../../base/clock.ts';
import type { Listeners } from '../../base/listeners.ts';
import type { Config } from '../../model/config.ts';
import type { SiteEvent } from '../../model/event.ts';
import type { HostPort } from '../../net/ip.ts';
import type { Store } from '../../share/store.ts';
import type { SteeringDriver, TunnelDriver } from '../../spill/port.ts';

/** One running site. */
export interface DemoSite {
  readonly name: string;
  /** What it tells of itself; `at_ms` of each event is on the clock that it was given. */
  readonly events: Listeners<SiteEvent>;
  /** Where its API listens, as "http://127.0.0.1:8301". */
  readonly api_url: string;
  readonly dns: HostPort;
  /** Withdraws, finishes queries, ends; settles within 4 s. */
  stop(): Promise<void>;
}

/** What the demo puts in the place of the outside world when it starts a site. */
export interface SiteSeams {
  readonly clock: Clock;
  readonly store: Store;
  readonly tunnel: TunnelDriver;
  readonly steering: SteeringDriver;
}

/** Settles when the site's first round of probes is over and its DNS server answers. */
export type StartSite = (config: Config, site: string, seams: SiteSeams) => Promise<DemoSite>;

/** One announcement or withdrawal, as the router received it. */
export interface RouteChange {
  /** When the UPDATE arrived, on the demo's clock. */
  readonly at_ms: number;
  readonly site: string;
  readonly prefix: string;
  readonly announced: boolean;
}

/** The table of the router that the sites announce to. */
export interface RouteTable {
  readonly changes: Listeners<RouteChange>;
  /** The sites that announce `prefix` now, sorted. */
  announcers(prefix: string): readonly string[];
}
