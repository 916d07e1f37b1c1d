/**
 * Which endpoints DNS may answer with, from their home sites' probes.
 *
 * Must hold: an endpoint is eligible only if its home was heard to say that it is up, and the
 * hold-down after its last fall is over, unless an operator orders otherwise. Only its own health counts:
 * the guard of the last answer is in steering.ts, of the last announcement in routes.ts.
 */
import type { Endpoint } from '../model/config.ts';
import type { EndpointVerdict, Reason, ReasonCode } from '../model/plan.ts';
import type { EndpointSight } from '../model/report.ts';
import { orderReason } from './overrides.ts';
import type { Hearing, View } from './view.ts';
import { seconds } from './view.ts';

/** Verdicts parallel to Config.endpoints; `hearings` is parallel to Config.sites. */
export function judgeEndpoints(view: View, hearings: readonly Hearing[]): EndpointVerdict[] {
  return view.config.endpoints.map((endpoint, index) => {
    const reason = judge(view, endpoint, index, hearings[endpoint.site]!);
    const eligible = ELIGIBLE.has(reason.code);
    return { id: endpoint.id, eligible, reason, fault: null, for_ms: null, next_ms: null };
  });
}

/** True if its health is good: it may be draining, which takes answers but not traffic away. */
export function serves(verdict: EndpointVerdict): boolean {
  return verdict.eligible || verdict.reason.code === 'draining';
}

const ELIGIBLE: ReadonlySet<ReasonCode> = new Set(['healthy', 'on-its-own', 'forced-up']);

/** What operators order stands outside of health: neither guards nor damping know of it. */
function judge(view: View, endpoint: Endpoint, index: number, hearing: Hearing): Reason {
  const orders = view.overrides.ordersOf(index);
  if (orders === null) return judgeHealth(view, endpoint, hearing);
  const { health, drain } = orders;
  const word =
    health === null ? judgeHealth(view, endpoint, hearing) : orderReason(health, view.now);
  // Health comes before the drain, so that 'draining' tells "would serve, if it were asked to".
  return drain !== null && ELIGIBLE.has(word.code) ? orderReason(drain, view.now) : word;
}

function judgeHealth(view: View, endpoint: Endpoint, hearing: Hearing): Reason {
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
  const ill = illness(view, sight, sight.for_ms + hearing.age_ms);
  if (ill !== null) return ill;
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
