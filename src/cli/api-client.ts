/** How a command reaches a running agent: the API's address from options or from the site's file. */
import { formatHostPort } from '../net/ip.ts';
import { CommandError } from './command-error.ts';
import { configOf, configSeen, siteOf, tokenOf } from './config-dir.ts';

export interface ReachOptions {
  readonly api?: string;
  readonly config: string;
  readonly site?: string;
  readonly agent?: string;
}

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT_MS = 5_000;

/** Nobody listens at the address, or no longer: the connection was refused or cut. */
export class NoAgent extends CommandError {}

const GONE: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET']);

/** The body of an answer that is not good; one with problems is the answer all the same. */
interface Refusal {
  readonly error?: string;
  readonly problems?: readonly string[];
}

export interface Target {
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
  const site = siteOf(configSeen(config, name, options.agent).config, name);
  return { url: `http://${formatHostPort(site.api.listen)}`, token: await tokenOf(site) };
}

/** Asks the agent; `body` makes it a POST. Throws a CommandError that says what went wrong. */
export async function askAgent<Answer>(
  options: ReachOptions,
  path: string,
  body?: object,
  timeout_ms?: number,
): Promise<Answer> {
  return askAt(await targetOf(options), path, body, timeout_ms);
}

/** The same at a known address; throws a NoAgent if nobody is there. */
export async function askAt<Answer>(
  { url, token }: Target,
  path: string,
  body?: object,
  timeout_ms = TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<Answer> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers };
  let response: Response;
  try {
    const signals = [AbortSignal.timeout(timeout_ms), ...(signal ? [signal] : [])];
    response = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.any(signals) });
  } catch (error) {
    const { name, message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    const slow = `it is silent for ${timeout_ms / 1_000} s; if it hangs, kill the process`;
    const why = name === 'TimeoutError' ? slow : (cause?.message ?? message);
    const text = `no agent answers at ${url}: ${why}`;
    if (!GONE.has(cause?.code ?? '')) throw new CommandError(text);
    throw new NoAgent(`${text}; start it with isobar run, or say by --api where it is`);
  }
  const answer = (await response.json().catch(() => null)) as Refusal | null;
  if (answer === null) {
    const got = response.ok ? 'its answer is not JSON' : `it answers HTTP ${response.status}`;
    throw new CommandError(`${url} is not an agent: ${got}`);
  }
  if (!response.ok && !answer.problems) {
    const why = answer.error ?? `HTTP ${response.status}`;
    const hint =
      response.status === 401 ? ' (the one it started with; with --api, in ISOBAR_TOKEN)' : '';
    throw new CommandError(`${url}: ${why}${hint}`);
  }
  return answer as Answer;
}
