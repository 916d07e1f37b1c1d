/** Reads what `ip -j` and `ss` print about the way to a neighbour. Pure; odd output is no evidence. */
import type { LinkEvidence, RouteEvidence, SocketEvidence } from './evidence.ts';

function firstRow(text: string): Readonly<Record<string, unknown>> | null {
  try {
    // Some versions of ip print rows that do not match as empty objects.
    const rows: unknown = JSON.parse(text);
    return Array.isArray(rows) ? (rows.find((row) => Object.keys(row).length > 0) ?? null) : null;
  } catch {
    return null;
  }
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** `ip -j route get`. */
export function routeFrom(text: string): RouteEvidence | null {
  const row = firstRow(text);
  const device = textOf(row?.dev);
  if (!row || device === null) return null;
  if (row.type === 'local') return { kind: 'own' };
  // A gateway of the other family is in `via`.
  const via = textOf((row.via as { host?: unknown } | undefined)?.host);
  return { kind: 'route', device, gateway: textOf(row.gateway) ?? via };
}

/** What the kernel answers instead of a route, and which route means that (ip-route(8)). */
const REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/Network is unreachable/, 'there is no route'],
  [/No route to host/, 'an "unreachable" route'],
  [/Invalid argument/, 'a "blackhole" route, or a source that is not of this machine'],
  [/Permission denied/, 'a "prohibit" route'],
];

/** Null if `ip` could not be asked. */
export function refusedRoute(error: Error): RouteEvidence | null {
  const said = REFUSALS.find(([pattern]) => pattern.test(error.message));
  return said ? { kind: 'none', text: said[1] } : null;
}

/** `ip -j link show dev`. */
export function linkFrom(device: string, text: string): LinkEvidence | null {
  const flags = firstRow(text)?.flags;
  if (!Array.isArray(flags)) return null;
  if (!flags.includes('UP')) return { device, state: 'down' };
  return { device, state: flags.includes('LOWER_UP') ? 'up' : 'no-carrier' };
}

/** `ip -j neigh show`: "REACHABLE", "FAILED" …; null: the kernel has not asked yet. */
export function neighborFrom(text: string): string | null {
  const states = firstRow(text)?.state;
  return Array.isArray(states) ? textOf(states[0]) : null;
}

/**
 * `ss -tnoHO`: one line a socket, with the timer that runs: "timer:(on,200ms,3)", where the last is
 * how often it has run out.
 */
export function socketsFrom(text: string): SocketEvidence[] {
  return text.split('\n').flatMap((line) => {
    const [state, , unacknowledged, , peer] = line.split(/\s+/);
    const port = Number(/:(\d+)$/.exec(peer ?? '')?.[1]);
    if (!state || !Number.isInteger(port)) return [];
    const retransmits = Number(/timer:\(on,[^,]*,(\d+)\)/.exec(line)?.[1] ?? 0);
    return [{ state, port, unacknowledged: Number(unacknowledged), retransmits }];
  });
}
