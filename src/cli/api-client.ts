/** How a command reaches a running agent: the API's address from options or from the site's file. */
import { formatHostPort } from '../net/ip.ts';
import { CommandError } from './command-error.ts';
import { configOf, siteOf, tokenOf } from './config-dir.ts';

export interface ReachOptions {
  readonly api?: string;
  readonly config: string;
  readonly site?: string;
}

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT_MS = 5_000;

interface Target {
  readonly url: string;
  readonly token: string | null;
}

async function targetOf(options: ReachOptions): Promise<Target> {
  if (options.api) {
    if (!/^https?:\/\/./.test(options.api)) {
      throw new CommandError(`--api ${options.api}: write a URL, e.g. http://127.0.0.1:8301`, 2);
    }
    return { url: options.api.replace(/\/$/, ''), token: process.env.ISOBAR_TOKEN ?? null };
  }
  const config = await configOf(options.config, { machineFiles: false });
  const only = config.sites.length === 1 ? config.sites[0]!.name : undefined;
  const name = options.site ?? only;
  if (!name) {
    const known = config.sites.map((site) => site.name).join(', ');
    throw new CommandError(`say which site: --site with one of ${known}`, 2);
  }
  const site = siteOf(config, name);
  return { url: `http://${formatHostPort(site.api.listen)}`, token: await tokenOf(site) };
}

/** Asks the agent; `body` makes it a POST. Throws a CommandError that says what went wrong. */
export async function askAgent<Answer>(
  options: ReachOptions,
  path: string,
  body?: object,
): Promise<Answer> {
  const { url, token } = await targetOf(options);
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const cause = (error as { cause?: Error }).cause?.message ?? (error as Error).message;
    throw new CommandError(`no agent answers at ${url}: ${cause}`);
  }
  const answer = (await response.json().catch(() => null)) as { error?: string } | null;
  if (!response.ok) {
    throw new CommandError(`${url}: ${answer?.error ?? `HTTP ${response.status}`}`);
  }
  if (answer === null) throw new CommandError(`${url} is not an agent: its answer is not JSON`);
  return answer as Answer;
}
