/**
 * What those who look at an endpoint say of it: its home, and the observers among the other sites.
 * `Tally` counts them for the verdict, `votesOf` lists them for people; both by the same rules. Pure.
 *
 * Must hold: nobody counts who is silent, has not judged yet, or does not trust its own eyes; what was
 * heard last before a cut counts until somebody who is still heard has seen a change since. Counting
 * makes no objects: it is done for every endpoint at every decision.
 */
import type { Config, VerdictRule } from '../model/config.ts';
import type { Fault, Vote } from '../model/plan.ts';
import type { EndpointSight, ObservedSight } from '../model/report.ts';
import { observersOf } from './vantage.ts';
import { type Hearing, hear, seconds, type View, viewOf } from './view.ts';

/** Whether a site's word counts, or why not. */
type Standing = 'counts' | 'unjudged' | 'outdated' | 'unsettled' | 'unheard' | 'lost' | 'suspect';

/** Of these nobody says that they should have something to say, and have not. */
const HAS_NO_WORD: readonly Standing[] = ['unjudged', 'outdated', 'unsettled'];

/** What the votes on one endpoint come to. One object serves all endpoints of a decision in turn. */
export class Tally {
  /** The home and its observers, whether or not they say something. */
  assigned = 0;
  ups = 0;
  downs = 0;
  /** The home's word; null: it does not count. */
  home: boolean | null = null;
  /** Those who should say something and are silent, or cannot be believed. */
  mute = 0;
  /** How long the one who has said so for the longest has said so, in milliseconds. */
  upFor_ms = 0;
  downFor_ms = 0;
  readonly #view: View;
  /** Parallel to Config.sites. */
  readonly #hearings: readonly Hearing[];
  readonly #anyKept: boolean;

  constructor(view: View, hearings: readonly Hearing[]) {
    this.#view = view;
    this.#hearings = hearings;
    this.#anyKept = hearings.some(({ state }) => state === 'kept');
  }

  /** Counts anew, for the endpoint with this index. */
  count(endpoint: number): void {
    const { config } = this.#view;
    const { id, site: home } = config.endpoints[endpoint]!;
    const observers = observersOf(config, endpoint);
    const news_ms = this.#anyKept ? newsOf(this.#hearings, home, observers, id) : 0;
    this.assigned = 1 + observers.length;
    this.ups = this.downs = this.mute = this.upFor_ms = this.downFor_ms = 0;
    this.home = this.#add(this.#hearings[home]!, true, id, news_ms);
    for (const site of observers) this.#add(this.#hearings[site]!, false, id, news_ms);
  }

  /** The votes on the endpoint with this index, in words: "fra up 12 s; iad down 3.0 s: timeout". */
  text(endpoint: number): string {
    return votesText(listVotes(this.#view.config, this.#hearings, endpoint));
  }

  /** What the votes come to by the rule; null: none of those that it asks for counts. */
  joined(rule: VerdictRule): boolean | null {
    const { ups, downs, home } = this;
    if (rule === 'home') return home;
    if (ups + downs === 0) return null;
    if (rule === 'any') return ups > 0;
    if (rule === 'all') return downs === 0;
    // Equal without the home's word: somebody reaches it, so it works.
    return ups === downs ? (home ?? true) : ups > downs;
  }

  /** True if most of all who are assigned say that it is down; who is silent does not say so. */
  get agreedDown(): boolean {
    return 2 * this.downs > this.assigned;
  }

  /** Null: all is well, or nobody can tell. */
  get fault(): Fault | null {
    if (this.downs > 0) return this.ups > 0 ? 'path' : 'endpoint';
    return this.ups > 0 && this.mute > 0 ? 'observer' : null;
  }

  #add(hearing: Hearing, isHome: boolean, id: string, news_ms: number): boolean | null {
    const sight = sightOf(hearing, isHome, id);
    const standing = standingOf(hearing, isHome, sight, news_ms);
    if (standing !== 'counts') {
      if (!HAS_NO_WORD.includes(standing)) this.mute++;
      return null;
    }
    const { up } = sight!;
    const for_ms = sight!.for_ms + ageOf(hearing);
    if (up) {
      this.ups++;
      this.upFor_ms = Math.max(this.upFor_ms, for_ms);
    } else {
      this.downs++;
      this.downFor_ms = Math.max(this.downFor_ms, for_ms);
    }
    return up;
  }
}

/** The same as a list, for whoever is not deciding. */
export function votesOf(
  { config, world, now }: Pick<View, 'config' | 'world' | 'now'>,
  endpoint: number,
): Vote[] {
  const view = viewOf(config, world, now);
  const hearings: Hearing[] = [];
  for (const site of [config.endpoints[endpoint]!.site, ...observersOf(config, endpoint)]) {
    hearings[site] = hear(view, config.sites[site]!);
  }
  return listVotes(config, hearings, endpoint);
}

/** The home first, then the observers, the first choice first; `hearings` has all of them, by site. */
function listVotes(config: Config, hearings: readonly Hearing[], endpoint: number): Vote[] {
  const { id, site: home } = config.endpoints[endpoint]!;
  const observers = observersOf(config, endpoint);
  const news_ms = newsOf(hearings, home, observers, id);
  return [home, ...observers].map((site): Vote => {
    const isHome = site === home;
    const hearing = hearings[site]!;
    const sight = sightOf(hearing, isHome, id);
    const standing = standingOf(hearing, isHome, sight, news_ms);
    const age_ms = hearing.state === 'unheard' ? null : hearing.age_ms;
    return {
      site: config.sites[site]!.name,
      role: isHome ? 'home' : 'observer',
      up: sight?.up ?? null,
      counts: standing === 'counts',
      age_ms,
      for_ms: sight === undefined ? null : sight.for_ms + ageOf(hearing),
      text: standing === 'counts' ? sight!.detail : whyNot(standing, hearing),
    };
  });
}

/** "fra up 12 s; iad down 3.0 s: timeout; sin not counted: silent for 7.0 s" */
function votesText(votes: readonly Vote[]): string {
  return votes.map((vote) => `${vote.site} ${voteText(vote)}`).join('; ');
}

function voteText({ up, counts, for_ms, text }: Vote): string {
  if (!counts) return `not counted: ${text}`;
  const since = seconds(for_ms!);
  return up ? `up ${since}` : `down ${since}: ${text}`;
}

function sightOf(
  hearing: Hearing,
  isHome: boolean,
  id: string,
): EndpointSight | ObservedSight | undefined {
  if (hearing.state === 'unheard') return undefined;
  return (isHome ? hearing.report.endpoints : hearing.report.observed)[id];
}

function standingOf(
  hearing: Hearing,
  isHome: boolean,
  sight: EndpointSight | ObservedSight | undefined,
  news_ms: number,
): Standing {
  if (hearing.state === 'unheard' || hearing.state === 'lost') return hearing.state;
  if (!isHome && hearing.report.suspect !== null) return 'suspect';
  if (sight === undefined) return 'unjudged';
  if (hearing.state === 'kept' && hearing.age_ms > news_ms) return 'outdated';
  return !isHome && !sight.up && beganInSilence(sight, hearing) ? 'unsettled' : 'counts';
}

/**
 * What kept us from hearing an observer may have kept it from seeing the endpoint. For a while after
 * the silence its eyes have time to clear; what it saw before the silence, or sees since, counts.
 */
function beganInSilence({ for_ms }: ObservedSight, hearing: Hearing): boolean {
  if (hearing.state === 'unheard' || hearing.silence_ms === null) return false;
  const ago_ms = for_ms + hearing.age_ms;
  return ago_ms < hearing.silence_ms.from && ago_ms > hearing.silence_ms.to;
}

/** How long ago somebody who is still heard has seen a change, in milliseconds; Infinity: nobody has. */
function newsOf(
  hearings: readonly Hearing[],
  home: number,
  observers: readonly number[],
  id: string,
): number {
  let news_ms = changedAgo(hearings[home]!, true, id);
  for (const site of observers) news_ms = Math.min(news_ms, changedAgo(hearings[site]!, false, id));
  return news_ms;
}

function changedAgo(hearing: Hearing, isHome: boolean, id: string): number {
  const sight = sightOf(hearing, isHome, id);
  const counts = hearing.state === 'heard' && standingOf(hearing, isHome, sight, 0) === 'counts';
  return counts ? sight!.for_ms + hearing.age_ms : Number.POSITIVE_INFINITY;
}

function ageOf(hearing: Hearing): number {
  return hearing.state === 'unheard' ? 0 : hearing.age_ms;
}

function whyNot(standing: Exclude<Standing, 'counts'>, hearing: Hearing): string {
  switch (standing) {
    case 'unheard':
      return 'not heard of yet';
    case 'lost':
      return `silent for ${seconds(ageOf(hearing))}`;
    case 'suspect':
      return `does not trust its own eyes: ${hearing.state === 'unheard' ? '' : hearing.report.suspect}`;
    case 'unjudged':
      return 'has not finished probing it';
    case 'unsettled':
      return 'saw that while it could not be heard';
    case 'outdated':
      return `last heard ${seconds(ageOf(hearing))} ago, before a cut, and there is newer word`;
  }
}
