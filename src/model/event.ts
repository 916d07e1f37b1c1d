/** One thing that happened at one site, for the screen, the log and the API's event stream. */
import type { Reason } from './plan.ts';

export type EventKind =
  | 'health'
  | 'answer'
  | 'route'
  | 'bgp'
  | 'spill'
  | 'drain'
  | 'override'
  | 'store'
  | 'config'
  | 'life';

export interface SiteEvent {
  readonly site: string;
  readonly kind: EventKind;
  /** On the site's monotonic clock, in milliseconds. */
  readonly at_ms: number;
  /** What it is about: an endpoint id, a service, a VIP, a neighbour, a peer site. */
  readonly subject: string;
  /** What happened, in words: "down", "withdrawn", "spilling 12.5 % to sin". */
  readonly text: string;
  readonly reason: Reason | null;
}

/** What happened, before it has a place and a time. */
export type Happening = Omit<SiteEvent, 'site' | 'at_ms'>;
