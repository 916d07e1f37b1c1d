/** What the commands about overrides print for people, and how they read a time. */
import {
  type DrainAnswer,
  FOR_MAX_MS,
  type OverrideAnswer,
  type OverridesInUse,
  type OverridesRemoved,
  type Replaced,
} from '../api/overrides.ts';
import { parseDuration } from '../config/values.ts';
import { CommandError } from './command-error.ts';
import { duration, table } from './table.ts';

/** So many endpoints are named in a line of the list. */
const NAMED_MAX = 4;

const DAY_MS = 86_400_000;

/** Milliseconds of "30m", "2h" or "3d". */
export function timeOf(text: string): number {
  const days = /^([0-9]{1,3})d$/.exec(text);
  const ms = days ? Number(days[1]) * DAY_MS : parseDuration(text);
  if (ms !== null && ms >= 1_000 && ms <= FOR_MAX_MS) return ms;
  throw new CommandError(`--for ${text}: write a time of 1s to 366d, such as 30m, 2h or 3d`, 2);
}

export function overridesText({ overrides }: OverridesInUse): string {
  if (overrides.length === 0) return 'nothing is overridden';
  const rows = overrides.map((one) => [
    one.id,
    one.action ?? 'removed',
    one.by,
    one.reason,
    duration(one.for_ms),
    one.action === null ? '-' : one.left_ms === null ? 'no end' : duration(one.left_ms),
    one.agent,
    named(one.endpoints),
  ]);
  const notes = overrides.flatMap(({ id, lost, shared }) => [
    ...lost.map((one) => `${id}: ${told(one)} was replaced by somebody who had not seen it`),
    ...(shared.length > 0 ? [`${id}: also used by ${shared.join(', ')}`] : []),
  ]);
  const head = ['ID', 'ACTION', 'BY', 'REASON', 'SINCE', 'LEFT', 'TAKEN AT', 'ENDPOINTS'];
  return [table(head, rows), ...(notes.length > 0 ? [notes.join('\n')] : [])].join('\n\n');
}

export function effectText({ id, applied, replaced, effect, connected }: OverrideAnswer): string {
  const state = applied ? 'is in force' : 'would be in force';
  if (effect === null) return `${id} ${state}; the agent has made no plan yet`;
  const { endpoints, shared, starved, changes } = effect;
  return [
    `${id} ${state}${connected ? ' at all sites' : ''}`,
    ...(applied ? untold(connected) : []),
    ...insteadOf(replaced),
    `endpoints: ${endpoints.join(' ') || 'none'}`,
    ...(shared.length > 0 ? [`these are used by ${shared.join(', ')}, too`] : []),
    ...starved.map(
      (service) => `${service} ${applied ? 'has' : 'would have'} no usable endpoint left`,
    ),
    ...(changes.length > 0 ? changes.map((line) => `  ${line}`) : ['  nothing changes at once']),
    ...(applied ? [] : ['nothing has been applied']),
  ].join('\n');
}

/** "the drain by ann (kernel)" */
function told({ action, by, reason }: Replaced): string {
  return `the ${action ?? 'removal'} by ${by} (${reason})`;
}

function insteadOf(replaced: Replaced | null): string[] {
  return replaced === null ? [] : [`in place of ${told(replaced)}`];
}

export function drainText({ site, drain, replaced, starved, connected }: DrainAnswer): string {
  const end =
    drain?.left_ms == null
      ? `\`isobar undrain --site ${site}\` ends it`
      : `it ends in ${duration(drain.left_ms)}`;
  return [
    `${site} is draining; \`isobar status\` shows how far it is; ${end}`,
    ...untold(connected),
    ...insteadOf(replaced),
    ...starved.map((service) => `${service} has no usable endpoint left`),
  ].join('\n');
}

export function undrainText({ site, replaced, connected }: DrainAnswer): string {
  const text = replaced === null ? 'was not drained' : 'is no longer drained';
  return [`${site} ${text}`, ...untold(connected)].join('\n');
}

export function removedText({ removed, connected }: OverridesRemoved): string {
  return [`removed: ${removed.join(', ')}`, ...untold(connected)].join('\n');
}

/** What an order for all sites must not keep quiet. */
function untold(connected: boolean): string[] {
  if (connected) return [];
  return ['ONLY HERE so far: this agent reaches no store; the others hear of it once it does'];
}

function named(endpoints: readonly string[]): string {
  if (endpoints.length === 0) return 'none';
  const more = endpoints.length - NAMED_MAX;
  return `${endpoints.slice(0, NAMED_MAX).join(' ')}${more > 0 ? ` and ${more} more` : ''}`;
}
