/**
 * A deployment's directory → Config, or every problem at once. Nothing half-read ever comes out: a
 * Config exists only when no file has a problem.
 */
import { resolve } from 'node:path';
import type { z } from 'zod';
import { err, ok, type Result } from '../base/result.ts';
import type { Config, Zone } from '../model/config.ts';
import { keyFilesOf } from './bgp-sessions.ts';
import { buildConfig } from './build.ts';
import { checkBgp } from './check-bgp.ts';
import { checkComposites } from './check-composites.ts';
import { checkPools } from './check-pools.ts';
import { checkReferences } from './check-references.ts';
import { checkValues } from './check-values.ts';
import { checkZones } from './check-zones.ts';
import { crowdOf } from './crowd.ts';
import type { Path } from './document.ts';
import {
  type DeploymentTexts,
  readDeployment,
  readText,
  resolvePath,
  type TextFile,
  whyUnreadable,
} from './files.ts';
import { type JsonSchema, jsonSchema } from './json-schema.ts';
import { SECRET_BYTES_MAX } from './limits.ts';
import { collectNames, type SourceFiles } from './names.ts';
import { parseFile, type YamlFile } from './parse.ts';
import { compareProblems, formatProblem, type Problem } from './problem.ts';
import { deploymentSchema } from './schema-deployment.ts';
import { servicesSchema } from './schema-services.ts';
import { siteSchema } from './schema-site.ts';
import { storeFiles } from './schema-store.ts';
import { agentOf, configFor } from './site-agents.ts';
import { ZoneCache } from './zone/cache.ts';
import { readZones } from './zones.ts';

export interface LoadOptions {
  /** The site whose machine this is: the token files of the others are not looked for. */
  readonly site?: string;
  /** The agent of that site; what comes out is the Config as it sees it. */
  readonly agent?: string;
  /**
   * False: look for no file that only the sites' machines may have (secrets, the mmdb), as
   * when a change is checked in CI. True by default.
   */
  readonly machineFiles?: boolean;
  /**
   * The directory that the files are meant for, to which paths in them are relative; by default the
   * one that they are in.
   */
  readonly home?: string;
  /** Zones read before: those that have not changed are taken from it. None by default. */
  readonly zones?: ZoneCache;
}

class Loader {
  readonly problems: Problem[] = [];
  readonly #unread: string[];
  readonly #dir: string;

  /** `dir`: what paths in the files are relative to. */
  constructor(dir: string, unread: readonly string[]) {
    this.#dir = dir;
    this.#unread = [...unread];
  }

  #parse<Schema extends z.ZodType>(
    text: TextFile,
    schema: Schema,
    json: JsonSchema,
  ): YamlFile<z.output<Schema>>[] {
    const { file, problems } = parseFile(text.file, text.text, schema, json);
    this.problems.push(...problems);
    if (file) return [file];
    this.#unread.push(text.file);
    return [];
  }

  parse(texts: DeploymentTexts): SourceFiles {
    const json = jsonSchema();
    const deployment = texts.deployment
      ? this.#parse(texts.deployment, deploymentSchema, json.deployment)[0]
      : null;
    return {
      deployment: deployment ?? null,
      sites: texts.sites.flatMap((text) => this.#parse(text, siteSchema, json.site)),
      services: texts.services.flatMap((text) => this.#parse(text, servicesSchema, json.zone)),
      unread: this.#unread,
    };
  }

  /** Files outside the deployment's directory that its files name. */
  async checkMachineFiles(files: SourceFiles, site: string | undefined): Promise<void> {
    const look = async (file: YamlFile<unknown>, path: Path, named: string | undefined) => {
      const why = named === undefined ? null : await whyUnreadable(resolvePath(this.#dir, named));
      if (why !== null) this.problems.push(file.source.problem(path, `"${named}": ${why}`));
    };
    const { deployment } = files;
    if (deployment?.value) {
      const { geo, store } = deployment.value;
      await look(deployment, ['geo', 'mmdb'], geo.mmdb);
      const named = store === 'memory' ? [] : storeFiles(store);
      for (const { path, name } of named) await look(deployment, ['store', ...path], name);
      for (const [name, check] of Object.entries(deployment.value.checks)) {
        if ('ca_file' in check) await look(deployment, ['checks', name, 'ca_file'], check.ca_file);
      }
      for (const [name, { secret_file }] of Object.entries(deployment.value.tsig_keys)) {
        await look(deployment, ['tsig_keys', name, 'secret_file'], secret_file);
      }
    }
    for (const file of files.sites) {
      if (site !== undefined && file.value?.site !== site) continue;
      await look(file, ['api', 'token_file'], file.value?.api.token_file);
      const { tls, cookies } = file.value?.dns ?? {};
      await look(file, ['dns', 'tls', 'certificate'], tls?.certificate);
      await look(file, ['dns', 'tls', 'key'], tls?.key);
      await look(file, ['dns', 'cookies', 'secret_file'], cookies?.secret_file);
      if (!file.value?.bgp) continue;
      for (const { path, name } of keyFilesOf(file.value.bgp)) await look(file, path, name);
    }
  }

  build(files: SourceFiles, zones: readonly Zone[]): Config | null {
    const values = <Value>(all: readonly YamlFile<Value>[]): Value[] =>
      all.flatMap(({ value }) => (value === null ? [] : [value]));
    const deployment = files.deployment?.value;
    if (!deployment || this.problems.length > 0) return null;
    const sites = values(files.sites);
    const services = values(files.services);
    const config = buildConfig({ dir: this.#dir, deployment, sites, services, zones });
    const message = crowdOf(config);
    if (message === null) return config;
    this.problems.push({ file: 'deployment.yaml', line: 1, column: 1, message });
    return null;
  }

  /** `config` as one agent sees it, if it is still there. */
  seen(config: Config, files: SourceFiles, { site, agent }: LoadOptions): Config | null {
    const own = config.sites.find(({ name }) => name === site);
    if (!own || agent === undefined) return config;
    const known = agentOf(own, agent);
    if (known.ok) return configFor(config, own.name, agent);
    const { source } = files.sites.find(({ value }) => value?.site === site)!;
    this.problems.push(source.problem(['agents'], known.error, 'key'));
    return null;
  }
}

/** What several agents of a site share is looked at for each of them. */
function distinct(problems: readonly Problem[]): Problem[] {
  const texts = problems.map(formatProblem);
  return problems.filter((_, i) => texts.indexOf(texts[i]!) === i);
}

/** Reads the deployment in `directory`. The error holds every problem, by file and line. */
export async function loadConfig(
  directory: string,
  options: LoadOptions = {},
): Promise<Result<Config, Problem[]>> {
  const dir = resolve(directory);
  const read = await readDeployment(dir);
  const loader = new Loader(resolve(options.home ?? dir), read.texts.unread);
  loader.problems.push(...read.problems);
  const files = loader.parse(read.texts);
  const names = collectNames(files);
  loader.problems.push(...checkReferences(files, names), ...checkValues(files));
  loader.problems.push(...checkComposites(files), ...checkPools(files), ...checkBgp(files, names));
  const cache = options.zones ?? new ZoneCache();
  const zones = await readZones(dir, read.texts.zones, names.of('service'), cache);
  loader.problems.push(...zones.problems, ...checkZones(files, read.texts.zones, zones));
  if (options.machineFiles !== false) await loader.checkMachineFiles(files, options.site);
  const whole = loader.build(files, zones.zones);
  const config = whole && loader.seen(whole, files, options);
  return config ? ok(config) : err(distinct(loader.problems.sort(compareProblems)));
}

/** The secret in a file: one line, without blanks around it. */
export async function readSecret(path: string): Promise<Result<string, string>> {
  const text = await readText(path, SECRET_BYTES_MAX);
  if (!text.ok) return text;
  const secret = text.value.trim();
  if (secret === '') return err('empty: write the secret into it');
  if (/\p{Cc}/u.test(secret)) return err('more than one line: write the secret alone into it');
  return ok(secret);
}

/** The secret in the file that `ApiListen.token_file` names. */
export async function readToken(path: string): Promise<Result<string, string>> {
  const token = await readSecret(path);
  // RFC 6750 §2.1: what a bearer token may consist of.
  if (!token.ok || /^[A-Za-z0-9._~+/-]+=*$/.test(token.value)) return token;
  return err('not a bearer token: use letters and digits');
}
