/** How a command reaches a running agent: the API's address from options or from the site's file. */
import type { Config } from '../model/config.ts';
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

/** There is no answer to be had from the address. */
export class NoAnswer extends CommandError {}

/** Nobody listens at the address, or no longer: the connection was refused or cut. */
export class NoAgent extends NoAnswer {}

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

/** How to reach any agent of the deployment. */
export interface SomeOptions {
  readonly api?: string;
  readonly config: string;
  /** Only this site's, or this one: "SITE/AGENT". */
  readonly at?: string;
}

/** What an order is about: the agents of its site are asked first. */
export interface About {
  readonly site?: string;
  /** LOADBALANCER, or LOADBALANCER/CHECK. */
  readonly endpoint?: string;
}

export interface Question {
  readonly path: string;
  /** GET without it. */
  readonly method?: 'POST' | 'DELETE';
  readonly body?: object;
}

async function targetOf(options: ReachOptions): Promise<Target> {
  if (options.api) return targetAt(options.api);
  const config = await configOf(options.config, { machineFiles: false });
  return targetIn(config, options.site ?? onlySiteOf(config), options.agent);
}

function targetAt(api: string): Target {
  if (!/^https?:\/\/./.test(api)) {
    throw new CommandError(`--api ${api}: write a URL, e.g. http://127.0.0.1:8301`, 2);
  }
  return { url: api.replace(/\/$/, ''), token: process.env.ISOBAR_TOKEN ?? null };
}

async function targetIn(config: Config, name: string, agent?: string): Promise<Target> {
  const site = siteOf(configSeen(config, name, agent).config, name);
  return { url: `http://${formatHostPort(site.api.listen)}`, token: await tokenOf(site) };
}

/** Name of the only site of the configuration in `dir`; throws if there are several. */
export async function onlySite(dir: string): Promise<string> {
  return onlySiteOf(await configOf(dir, { machineFiles: false }));
}

function onlySiteOf({ sites }: Config): string {
  if (sites.length === 1) return sites[0]!.name;
  const known = sites.map((site) => site.name).join(', ');
  throw new CommandError(`say which site: --site with one of ${known}`, 2);
}

/**
 * Asks the agents of the deployment one after the other, those of the site that it is about before the
 * others, until one answers: what all sites know can be asked of any.
 */
export async function askSome<Answer>(
  options: SomeOptions,
  about: About,
  question: Question,
): Promise<Answer> {
  if (options.api) return putAt<Answer>(targetAt(options.api), question);
  const config = await configOf(options.config, { machineFiles: false });
  const [one, ...others] = agentsToAsk(config, options.at, homeOf(config, about));
  try {
    return await putAt<Answer>(await targetIn(config, one!.site, one!.agent), question);
  } catch (error) {
    if (!(error instanceof NoAnswer) || others.length === 0) throw error;
    for (const { site, agent } of others) {
      // Whose token is not here cannot be asked.
      const target = await targetIn(config, site, agent).catch(() => null);
      const answer = target && (await unlessSilent(putAt<Answer>(target, question)));
      if (answer !== null) return answer;
    }
    throw new NoAnswer(`${error.message}; nor does any other agent answer`);
  }
}

interface AgentAt {
  readonly site: string;
  readonly agent?: string;
}

/** `at` is "SITE" or "SITE/AGENT". */
function agentsToAsk(config: Config, at: string | undefined, first: string | undefined): AgentAt[] {
  if (at !== undefined) {
    const [site = '', agent] = at.split('/');
    if (agent !== undefined) return [{ site, agent }];
    return siteOf(config, site).agents.map((name) => ({ site, agent: name }));
  }
  return config.sites
    .toSorted((a, b) => Number(b.name === first) - Number(a.name === first))
    .flatMap(({ name: site, agents }) => agents.map((agent) => ({ site, agent })));
}

function homeOf({ sites, endpoints }: Config, { site, endpoint }: About): string | undefined {
  if (site !== undefined || endpoint === undefined) return site;
  const [name] = endpoint.split('/');
  const found = endpoints.find(({ load_balancer }) => load_balancer === name);
  return found && sites[found.site]!.name;
}

async function unlessSilent<Answer>(answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof NoAnswer) return null;
    throw error;
  }
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

export interface Asked<Answer> {
  /** At least one. */
  readonly answers: readonly Answer[];
  /** Why there is none of the others, a sentence for each. */
  readonly silent: readonly string[];
}

/**
 * The same of each agent of the site, or of the one that the options name: what each remembers for
 * itself. Throws if none of them answers.
 */
export async function askEach<Answer>(
  options: ReachOptions,
  path: string,
  body: object,
): Promise<Asked<Answer>> {
  const { api, agent, config: dir } = options;
  if (api !== undefined || agent !== undefined) {
    return { answers: [await askAgent<Answer>(options, path, body)], silent: [] };
  }
  const config = await configOf(dir, { machineFiles: false });
  const site = siteOf(config, options.site ?? onlySiteOf(config));
  const asked = await Promise.allSettled(
    site.agents.map(async (name) => {
      return askAt<Answer>(await targetIn(config, site.name, name), path, body);
    }),
  );
  const answers = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const errors = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  const failed = errors.find((error) => answers.length === 0 || !(error instanceof NoAnswer));
  if (failed) throw failed;
  return { answers, silent: errors.map(({ message }) => message) };
}

/** The same at a known address; throws a NoAgent if nobody is there. */
export function askAt<Answer>(
  target: Target,
  path: string,
  body?: object,
  timeout_ms = TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<Answer> {
  return putAt(target, body ? { path, method: 'POST', body } : { path }, timeout_ms, signal);
}

async function putAt<Answer>(
  { url, token }: Target,
  { path, method, body }: Question,
  timeout_ms = TIMEOUT_MS,
  signal?: AbortSignal,
): Promise<Answer> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const init = { headers, ...(method && { method }), ...(body && { body: JSON.stringify(body) }) };
  let response: Response;
  try {
    const signals = [AbortSignal.timeout(timeout_ms), ...(signal ? [signal] : [])];
    response = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.any(signals) });
  } catch (error) {
    const { name, message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    const slow = `it is silent for ${timeout_ms / 1_000} s; if it hangs, kill the process`;
    const why = name === 'TimeoutError' ? slow : (cause?.message ?? message);
    const text = `no agent answers at ${url}: ${why}`;
    if (!GONE.has(cause?.code ?? '')) throw new NoAnswer(text);
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
