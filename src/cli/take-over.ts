/**
 * A restart of an agent that nobody notices: the new process starts beside the old one, and ends it by its API
 * once it answers DNS itself. The old one gives its API's port back last of all, when its routes are
 * withdrawn and its share of spilled flows is at rest; so the port is free only when all else is.
 */
import type { Status } from '../agent/status.ts';
import type { Farewell } from '../api/control.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Config, Site } from '../model/config.ts';
import type { OverrideSight } from '../model/override.ts';
import { agentName } from '../model/report.ts';
import { formatHostPort } from '../net/ip.ts';
import { askAt, NoAgent, type Target } from './api-client.ts';
import { CommandError } from './command-error.ts';

/** How long the old process may take to end; it ends itself by force before that. */
const LEAVE_MAX_MS = 10_000;
const RETRY_MS = 50;

/** A process that does the same agent's work. */
export interface Predecessor {
  /**
   * Asks it to end. Resolves to the overrides that it knew; it may have ended by itself since.
   * Rejects when it does not obey, or `signal` ends the asking.
   */
  leave(signal: AbortSignal): Promise<readonly OverrideSight[]>;
}

/**
 * Null if nobody listens at the API's address. Throws a CommandError if somebody else than an agent
 * of the same site and name does, who is then left in peace.
 */
export async function findPredecessor(
  { deployment }: Config,
  { name: site, api }: Site,
  agent: string,
  token: string | null,
  log: Log,
): Promise<Predecessor | null> {
  const target: Target = { url: `http://${formatHostPort(api.listen)}`, token };
  const status = await unlessGone(askAt<Partial<Status>>(target, '/v1/status'));
  if (!status) return null;
  const wanted = `${deployment}/${agentName({ site, agent })}`;
  const found = nameOf(status);
  if (found !== wanted) {
    throw new CommandError(`${target.url} is ${found}, not ${wanted}: it goes on`);
  }
  log.info({ pid: status.pid }, 'taking over from a running daemon');
  return {
    leave: async (signal) => {
      const body = { deployment, site, agent };
      const order = askAt<Farewell>(target, '/v1/leave', body, undefined, signal);
      return (await unlessGone(order))?.overrides ?? [];
    },
  };
}

/** One of an earlier version does not tell its agent: it was the only one of its site. */
function nameOf({ deployment, site, agent = site }: Partial<Status>): string {
  if (site === undefined || agent === undefined) return 'something else';
  return `${deployment}/${agentName({ site, agent })}`;
}

async function unlessGone<Answer>(answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NoAgent) return null;
    throw error;
  }
}

/**
 * Calls `listen` until the address is free, or its error is another one, or it took too long.
 * Resolves without it when `signal` ends the waiting.
 */
export async function whenFree(
  listen: () => Promise<void>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.now() + LEAVE_MAX_MS;
  while (!signal.aborted) {
    try {
      return await listen();
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE' || clock.now() >= deadline) throw error;
    }
    await new Promise<void>((resolve) => {
      clock.timer(RETRY_MS, resolve);
    });
  }
}
