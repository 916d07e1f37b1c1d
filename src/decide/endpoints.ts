/**
 * Which endpoints DNS may answer with, from their home sites' probes.
 *
 * Must hold: an endpoint is eligible only if its home was heard to say that it is up, is not
 * draining, and the hold-down after its last fall is over. Only its own health and its site count:
 * the guard of the last answer is in steering.ts, of the last announcement in routes.ts.
 */
import type { Endpoint } from '../model/config.ts';
import type { EndpointVerdict, Reason } from '../model/plan.ts';
import type { EndpointSight } from '../model/report.ts';
import type { Hearing, View } from './view.ts';
import { drainOf, seconds } from './view.ts';

/** Verdicts parallel to Config.endpoints; `hearings` is parallel to Config.sites. */
export function judgeEndpoints(view: View, hearings: readonly Hearing[]): EndpointVerdict[] {
  return view.config.endpoints.map((endpoint) => {
    const reason = judge(view, endpoint, hearings[endpoint.site]!);
    const eligible = reason.code === 'healthy' || reason.code === 'on-its-own';
    return { id: endpoint.id, eligible, reason, fault: null, for_ms: null, next_ms: null };
  });
}

/** True if its health is good: it may be draining, which takes answers but not traffic away. */
export function serves(verdict: EndpointVerdict): boolean {
  return verdict.eligible || verdict.reason.code === 'draining';
}

function judge(view: View, endpoint: Endpoint, hearing: Hearing): Reason {
  const home = view.config.sites[endpoint.site]!.name;
  if (hearing.state === 'unheard') {
    return home === view.world.self
      ? { code: 'not-probed-yet', text: 'no probe has ended yet' }
      : { code: 'site-unheard', text: `${home} has not been heard of yet` };
  }
  if (hearing.state === 'lost') {
    return { code: 'site-lost', text: `${home} has been silent for ${seconds(hearing.age_ms)}` };
  }
  const sight = hearing.report.endpoints[endpoint.id];
  if (sight === undefined) {
    return { code: 'not-probed-yet', text: `${home} has not finished probing it` };
  }
  // Health comes before the drain, so that 'draining' tells "would serve, if it were asked to".
  const ill = illness(view, sight, sight.for_ms + hearing.age_ms);
  if (ill !== null) return ill;
  const drain = drainOf(hearing);
  if (drain !== null) {
    return { code: 'draining', text: `${home} is drained by ${drain.by}: ${drain.reason}` };
  }
  if (hearing.state === 'kept') {
    const text = `up when ${home} was last heard, ${seconds(hearing.age_ms)} ago, before a cut`;
    return { code: 'on-its-own', text };
  }
  return { code: 'healthy', text: `up for ${seconds(sight.for_ms + hearing.age_ms)}` };
}

function illness(view: View, sight: EndpointSight, for_ms: number): Reason | null {
  if (!sight.up) {
    return { code: 'probe-failed', text: `down for ${seconds(for_ms)}: ${sight.detail}` };
  }
  // The first rise after a start is no return: only what has fallen must prove that it stays up.
  const left_ms = sight.downs > 0 ? view.config.policy.health.hold_down_ms - for_ms : 0;
  if (left_ms <= 0) return null;
  view.wake.after(left_ms);
  return { code: 'hold-down', text: `up again; used in ${seconds(left_ms)} if it stays so` };
}
