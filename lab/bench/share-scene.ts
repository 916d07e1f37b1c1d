/** The deployment of `bench -- share`: many sites, whose load balancers are one process of the bench. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blankReport, type Report } from '../../src/model/report.ts';

export interface ShareScene {
  readonly sites: number;
  /** Load balancers of each site, each with one check. */
  readonly endpoints: number;
  readonly redis: readonly string[];
  /** Where the load balancers listen, on all addresses of this machine. */
  readonly checkPort: number;
  readonly checkInterval: string;
}

export const DEPLOYMENT = 'bench-share';
const ZONE = 'share.test';
/** Of the first site's daemon; each further one has the next. */
const DNS_PORT = 19_300;
const API_PORT = 19_400;

export const siteName = (i: number): string => `s${String(i).padStart(2, '0')}`;
export const balancerAddress = (site: number, i: number): string => `127.20.${site}.${i + 1}`;
const balancerName = (site: number, i: number): string => `${siteName(site)}-lb${i}`;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function writeShareScene(scene: ShareScene, dir: string): void {
  for (const folder of ['sites', 'zones']) mkdirSync(join(dir, folder));
  const put = (file: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, file), `${lines.join('\n')}\n`);
  const http = `kind: http, port: ${scene.checkPort}, interval: ${scene.checkInterval}`;
  put('deployment.yaml', [
    `deployment: ${DEPLOYMENT}`,
    `store: {redis: [${scene.redis.map((url) => `"${url}"`).join(', ')}]}`,
    `checks: {up: {${http}, timeout: 1s, rise: 1, fall: 1}}`,
    'policy: {health: {hold_down: 100ms, hold_down_max: 100ms, damping: none}}',
  ]);
  for (const site of numbers(scene.sites)) {
    put(`sites/${siteName(site)}.yaml`, [
      `site: ${siteName(site)}`,
      `dns: {listen: ["127.0.0.1:${DNS_PORT + site}"]}`,
      `api: {listen: "127.0.0.1:${API_PORT + site}"}`,
      'load_balancers:',
      ...numbers(scene.endpoints).map((i) => {
        return `  - {name: ${balancerName(site, i)}, address: ${balancerAddress(site, i)}}`;
      }),
    ]);
  }
  put(`zones/${ZONE}.zone`, [
    `$ORIGIN ${ZONE}.`,
    '@ 60 SOA ns host 1 60 60 60 60',
    '@ 60 NS ns',
    'ns 60 A 127.0.0.1',
  ]);
  put(`zones/${ZONE}.yaml`, [
    `zone: ${ZONE}`,
    'services:',
    '  - {name: www, check: up, pool: all, ttl: 5s}',
  ]);
}

/** What a site of the scene would report where all is well. */
export function quietReport(scene: ShareScene, site: number, sequence: number): Report {
  const since = 1_000 * sequence;
  const ids = numbers(scene.endpoints).map((i) => `${balancerName(site, i)}/up`);
  const each = <Value>(value: Value): Record<string, Value> =>
    Object.fromEntries(ids.map((id) => [id, value]));
  return {
    ...blankReport(siteName(site)),
    incarnation: 1,
    sequence,
    endpoints: each({ up: true, for_ms: since, downs: 0, detail: 'HTTP 200' }),
    rulings: each({ up: true, for_ms: since, downs: 0, penalty: 0, suppressed: false }),
  };
}
