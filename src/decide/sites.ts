/**
 * One verdict a site, summed up from how it is heard and from its endpoints: what the screen shows,
 * and what tells the spill plan which sites take part at all.
 *
 * Must hold: load and demand are shown only while the report that carries them is current.
 */
import type { Site } from '../model/config.ts';
import type { EndpointVerdict, SiteVerdict } from '../model/plan.ts';
import { serves } from './endpoints.ts';
import type { Hearing, View } from './view.ts';
import { drainOf, seconds } from './view.ts';

/** Verdicts parallel to Config.sites. */
export function judgeSites(
  view: View,
  hearings: readonly Hearing[],
  endpoints: readonly EndpointVerdict[],
): SiteVerdict[] {
  const bySite = view.config.sites.map((): EndpointVerdict[] => []);
  for (const [i, { site }] of view.config.endpoints.entries()) bySite[site]!.push(endpoints[i]!);
  return view.config.sites.map((site, index) => {
    const own = bySite[index]!;
    const hearing = hearings[index]!;
    const load = hearing.state === 'heard' ? hearing.report.load : null;
    const verdict = judge(view, site, hearing, own);
    return {
      site: site.name,
      ...(site.name === view.world.self ? tellCut(view, verdict) : verdict),
      load: load && load.used / load.capacity,
      demand: load && load.demand / load.capacity,
    };
  });
}

/** So many endpoints are named with their reasons: a site that is dark must not fill the screen. */
const NAMED_MAX = 3;

type Judgement = Pick<SiteVerdict, 'state' | 'reason'>;

/** Our own verdict says when nobody else can be heard; worse news than that keep their code. */
function tellCut(view: View, { state, reason }: Judgement): Judgement {
  const { connected, cut_at } = view.world;
  if (connected) return { state, reason };
  const since = cut_at === null ? '' : ` for ${seconds(view.now - cut_at)}`;
  const code = reason.code === 'healthy' ? 'on-its-own' : reason.code;
  return { state, reason: { code, text: `on its own, no store reached${since}; ${reason.text}` } };
}

function judge(
  view: View,
  site: Site,
  hearing: Hearing,
  own: readonly EndpointVerdict[],
): Judgement {
  if (hearing.state === 'unheard') {
    return {
      state: 'unknown',
      reason: { code: 'site-unheard', text: `${site.name} has not been heard of yet` },
    };
  }
  if (hearing.state === 'lost') {
    const text = `silent for ${seconds(hearing.age_ms)}`;
    return { state: 'lost', reason: { code: 'site-lost', text } };
  }
  const drain = drainOf(view, site.name);
  if (drain !== null) {
    const since = seconds(drain.for_ms);
    const text = `drained by ${drain.by} for ${since}: ${drain.reason}`;
    return { state: 'draining', reason: { code: 'draining', text } };
  }
  const serving = own.filter(serves).length;
  if (serving < own.length) return ailing(own, serving);
  const text = `${serving} of ${own.length} endpoints serve`;
  if (hearing.state === 'kept') {
    const last = `${text}, as last heard ${seconds(hearing.age_ms)} ago`;
    return { state: 'healthy', reason: { code: 'on-its-own', text: last } };
  }
  return { state: 'healthy', reason: { code: 'healthy', text } };
}

function ailing(own: readonly EndpointVerdict[], serving: number): Judgement {
  const failing = own.filter((verdict) => !serves(verdict));
  const named = failing.slice(0, NAMED_MAX).map(({ id, reason }) => `${id} ${reason.text}`);
  if (failing.length > NAMED_MAX) named.push(`and ${failing.length - NAMED_MAX} more`);
  const text = `${serving} of ${own.length} endpoints serve: ${named.join('; ')}`;
  if (serving > 0) return { state: 'degraded', reason: { code: failing[0]!.reason.code, text } };
  const probed = failing.some(({ reason }) => reason.code !== 'not-probed-yet');
  return probed
    ? { state: 'down', reason: { code: 'no-healthy-endpoint', text } }
    : { state: 'unknown', reason: { code: 'not-probed-yet', text } };
}
