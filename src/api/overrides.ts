/**
 * Overrides over HTTP: the list, a new one or a trial of it, and the end of some; and the drain of a
 * site, which is one of them. An order that would do nothing, or leave a service with nobody, is
 * refused with the reason, unless whoever gives it insists.
 */
import type { Context } from 'hono';
import type { Agent } from '../agent/agent.ts';
import type { OverrideOrder } from '../agent/override-desk.ts';
import { effectOf, type OverrideEffect, scopeMistake } from '../agent/override-effect.ts';
import { type OverrideStatus, overrideStatus } from '../agent/status.ts';
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import { suggest } from '../config/nearest.ts';
import { drainOf, viewOf } from '../decide/view.ts';
import type { DrainSight, Override, OverrideAction, OverrideScope } from '../model/override.ts';
import { idOf, siteScope } from '../model/override.ts';
import { OVERRIDES_MAX } from '../share/override-book.ts';
import type { App, Env } from './app.ts';
import { type Author, authorOf, orderOf, type Shape } from './order.ts';

/** An override ends after this long, or not by itself at all, in milliseconds. */
export const FOR_MAX_MS = 366 * 86_400_000;
const FOR_MIN_MS = 1_000;

/** The answer to GET /v1/overrides. */
export interface OverridesInUse {
  readonly overrides: readonly OverrideStatus[];
}

/** The answer to POST /v1/overrides. */
export interface OverrideAnswer {
  readonly id: string;
  /** False after a trial. */
  readonly applied: boolean;
  /** What was in force for the same scope, and is no more. */
  readonly replaced: Replaced | null;
  /** Null before the agent's first plan. */
  readonly effect: OverrideEffect | null;
  /** False: no store is reached, so the other sites do not know of it yet. */
  readonly connected: boolean;
}

/** The answer to DELETE /v1/overrides. */
export interface OverridesRemoved extends Pick<OverrideAnswer, 'connected'> {
  readonly removed: readonly string[];
}

export type Replaced = Pick<Override, 'action' | 'by' | 'reason'>;

/** The answer to POST /v1/drain and /v1/undrain. */
export interface DrainAnswer extends Pick<OverrideAnswer, 'connected'> {
  readonly site: string;
  readonly drain: DrainSight | null;
  /** What was in force for the site before. */
  readonly replaced: Replaced | null;
  /** Services that have nobody left by it. */
  readonly starved: readonly string[];
}

/** What a request to override asks for beside who asks and why. */
interface Wish {
  readonly order: OverrideOrder;
  readonly dryRun: boolean;
  /** Whoever asks knows that the scope fits nothing that is configured. */
  readonly force: boolean;
  /** … and that a service is left with nobody. */
  readonly yes: boolean;
}

export function overridesReading(app: App, agent: Agent): void {
  app.get('/v1/overrides', (c) => {
    const overrides = agent.overrides.list().map((one) => overrideStatus(agent.config, one));
    return c.json({ overrides } satisfies OverridesInUse);
  });
}

export function overridesChanging(app: App, agent: Agent, clock: Clock): void {
  app.post('/v1/overrides', async (c) => {
    const wish = wishOf(await c.req.text());
    if (!wish.ok) return c.json({ error: wish.error }, 400);
    return c.json(...give(agent, clock, wish.value));
  });
  app.delete('/v1/overrides', (c) => {
    const ids = [...new Set(c.req.queries('id'))];
    if (ids.length === 0) return c.json({ error: 'give ?id=, as GET /v1/overrides lists it' }, 400);
    const { by, reason } = authorOf(c.req.query());
    const listed = agent.overrides.list().filter(({ override }) => override.action !== null);
    const known = new Map(listed.map(({ override }) => [override.id, override.scope]));
    const missing = ids.find((id) => !known.has(id));
    if (missing !== undefined) {
      const error = `no override is in force for "${missing}"; ${suggest(missing, known.keys())}`;
      return c.json({ error }, 404);
    }
    for (const id of ids) {
      const scope = known.get(id)!;
      agent.overrides.order({ scope, action: null, by, reason, left_ms: null });
    }
    const { connected } = agent.overrides;
    return c.json({ removed: ids, connected } satisfies OverridesRemoved);
  });
  draining(app, agent, clock);
}

interface DrainWish extends Author {
  readonly site?: string;
  readonly for_ms?: number;
}

const UNDRAIN = { site: 'string' } as const satisfies Shape;
const DRAIN = { ...UNDRAIN, for_ms: 'number' } as const satisfies Shape;

/** The site is this one, if the order names none. */
function draining(app: App, agent: Agent, clock: Clock): void {
  const drain = async (c: Context<Env>, action: 'drain' | null): Promise<Response> => {
    const given = orderOf(await c.req.text(), action === null ? UNDRAIN : DRAIN);
    if (!given.ok) return c.json({ error: given.error }, 400);
    const { by, reason, site = agent.site, for_ms }: DrainWish = given.value;
    const left_ms = leftOf(for_ms);
    if (!left_ms.ok) return c.json({ error: left_ms.error }, 400);
    const scope = siteScope(site);
    const mistake = scopeMistake(agent.config, scope);
    if (mistake !== null) return c.json({ error: mistake }, 404);
    const replaced = replacedBy(agent, scope);
    if (action === null && replaced !== null && replaced.action !== 'drain') {
      const what = `${site} is not drained, but forced ${replaced.action} by ${replaced.by}`;
      return c.json({ error: `${what}: remove the override "${idOf(scope)}" to end that` }, 409);
    }
    const order = { scope, action, by, reason, left_ms: left_ms.value };
    const starved = effectNow(agent, clock, order)?.starved ?? [];
    if (agent.overrides.order(order) === null) return c.json({ error: FULL }, 507);
    const now = drainNow(agent, clock, site);
    const { connected } = agent.overrides;
    return c.json({ site, drain: now, replaced, starved, connected } satisfies DrainAnswer);
  };
  app.post('/v1/drain', (c) => drain(c, 'drain'));
  app.post('/v1/undrain', (c) => drain(c, null));
}

const FULL = `there are ${OVERRIDES_MAX} overrides already; remove some`;

type Given = [
  OverrideAnswer | { error: string; starved?: readonly string[] },
  200 | 404 | 409 | 507,
];

function give(agent: Agent, clock: Clock, { order, dryRun, force, yes }: Wish): Given {
  const mistake = force ? null : scopeMistake(agent.config, order.scope);
  if (mistake !== null) {
    return [{ error: `${mistake}; "force" (--force) orders it nevertheless` }, 404];
  }
  const effect = effectNow(agent, clock, order);
  const id = idOf(order.scope);
  const replaced = replacedBy(agent, order.scope);
  const { connected } = agent.overrides;
  if (dryRun) return [{ id, applied: false, replaced, effect, connected }, 200];
  const starved = effect?.starved ?? [];
  if (starved.length > 0 && !yes) {
    const names = starved.join(', ');
    const error = `${names} would have no usable endpoint left; "yes" (--yes) orders it nevertheless`;
    return [{ error, starved }, 409];
  }
  if (agent.overrides.order(order) === null) return [{ error: FULL }, 507];
  return [{ id, applied: true, replaced, effect, connected }, 200];
}

function replacedBy(agent: Agent, scope: OverrideScope): Replaced | null {
  const id = idOf(scope);
  const found = agent.overrides.list().find(({ override }) => override.id === id);
  if (!found || found.override.action === null) return null;
  const { action, by, reason } = found.override;
  return { action, by, reason };
}

function effectNow(agent: Agent, clock: Clock, order: OverrideOrder): OverrideEffect | null {
  const { decision, config } = agent;
  if (decision === null) return null;
  const now = clock.now();
  const { override, for_ms, left_ms } = agent.overrides.draft(order);
  const until = left_ms === null ? null : now + left_ms;
  return effectOf(config, decision.world, now, { override, since: now - for_ms, until });
}

function drainNow({ config, decision }: Agent, clock: Clock, site: string): DrainSight | null {
  return decision && drainOf(viewOf(config, decision.world, clock.now()), site);
}

const ACTIONS: readonly string[] = ['drain', 'up', 'down'] satisfies OverrideAction[];

const WISH = {
  action: 'string',
  site: 'string',
  service: 'string',
  endpoint: 'string',
  label: 'string',
  for_ms: 'number',
  dry_run: 'boolean',
  force: 'boolean',
  yes: 'boolean',
} as const satisfies Shape;

/** What a name in a scope may be. Ids are made of them and shown in lines, so they have no spaces. */
const NAME = /^[^\s\p{C}]{1,255}$/u;

function wishOf(text: string): Result<Wish, string> {
  const given = orderOf(text, WISH);
  if (!given.ok) return given;
  const { action = '', site = null, endpoint = null, label = null, by, reason } = given.value;
  const { for_ms, dry_run = false, force = false, yes = false } = given.value;
  if (!ACTIONS.includes(action)) return err(`give "action": one of ${ACTIONS.join(', ')}`);
  const service = given.value.service?.toLowerCase().replace(/\.$/, '') ?? null;
  const scope: OverrideScope = { site, service, endpoint, label };
  const names = Object.values(scope).filter((name) => name !== null);
  if (names.length === 0) {
    return err('say what it is for: "site", "service", "endpoint" or "label"');
  }
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined) {
    return err(`${JSON.stringify(wrong)} is no name: 255 characters at most, and no spaces`);
  }
  const left_ms = leftOf(for_ms);
  if (!left_ms.ok) return left_ms;
  if (action === 'up' && left_ms.value === null) {
    return err('what is forced up hides its failures: say for how long, by "for_ms"');
  }
  const order = { scope, action: action as OverrideAction, by, reason, left_ms: left_ms.value };
  return ok({ order, dryRun: dry_run, force, yes });
}

function leftOf(for_ms: number | null = null): Result<number | null, string> {
  if (for_ms === null || (for_ms >= FOR_MIN_MS && for_ms <= FOR_MAX_MS)) return ok(for_ms);
  return err(
    `"for_ms" is milliseconds, from ${FOR_MIN_MS} to ${FOR_MAX_MS}; leave it out for no end`,
  );
}
