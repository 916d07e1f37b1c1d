/** The scene of a measurement as a deployment of isobar. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeMmdb } from '../../test/support/mmdb.ts';
import { ORIGIN, type Scene, SITES, STEERED_NAMES, siteAddress } from './dns-scene.ts';

/** Each site's clients are those of one country in the database. */
const COUNTRIES = ['DE', 'US', 'SG', 'BR'] as const;

/** Ports beside the one that answers: the API of each site, and what the checks connect to. */
export const API_PORT = 18_300;
export const CHECK_PORT = 18_400;
/** Sites other than the measured one answer DNS elsewhere; they are asked nothing. */
const IDLE_DNS_PORT = 18_500;
export const REDIS_PORT = 18_600;

export function isobarFiles(scene: Scene, dir: string): void {
  for (const folder of ['sites', 'zones']) mkdirSync(join(dir, folder));
  const put = (file: string, lines: readonly string[]): void =>
    writeFileSync(join(dir, file), `${lines.join('\n')}\n`);
  copyFileSync(scene.zoneFile, join(dir, 'zones', `${ORIGIN}.zone`));
  const steered = scene.map.length > 0;
  const sites = steered ? SITES : SITES.slice(0, 1);
  sites.forEach((site, i) => {
    const listen = i === 0 ? scene.port : IDLE_DNS_PORT + i;
    put(`sites/${site}.yaml`, [
      `site: ${site}`,
      `dns: {listen: ["127.0.0.1:${listen}"], workers: ${i === 0 ? scene.workers : 1}}`,
      `api: {listen: "127.0.0.1:${API_PORT + i}"}`,
      ...(steered ? [`load_balancers: [{name: lb-${site}, address: ${siteAddress(i)}}]`] : []),
    ]);
  });
  if (!steered) {
    put('deployment.yaml', ['deployment: bench']);
    return;
  }
  const order = (i: number): string =>
    sites.map((_, k) => sites[(i + k) % sites.length]).join(', ');
  put('deployment.yaml', [
    'deployment: bench',
    `store: {redis: ["redis://127.0.0.1:${REDIS_PORT}"]}`,
    'regions:',
    ...sites.map((_, i) => `  r${i}: {sites: [${order(i)}], countries: [${COUNTRIES[i]}]}`),
    'geo: {mmdb: map.mmdb}',
    `checks: {up: {kind: tcp, port: ${CHECK_PORT}, interval: 10s, timeout: 2s}}`,
  ]);
  put(`zones/${ORIGIN}.yaml`, [
    `zone: ${ORIGIN}`,
    'services:',
    ...Array.from(
      { length: STEERED_NAMES },
      (_, i) => `  - {name: g${i}, check: up, pool: all, ttl: 60s, answers_max: 1}`,
    ),
  ]);
  // Shorter prefixes first: the longer ones lie inside them.
  const bits = (prefix: string): number => Number(prefix.slice(prefix.indexOf('/') + 1));
  const networks = [...scene.map]
    .sort((a, b) => bits(a.prefix) - bits(b.prefix))
    .map(({ prefix, site }) => ({ prefix, country: COUNTRIES[site]! }));
  writeFileSync(join(dir, 'map.mmdb'), writeMmdb({ ipVersion: 4, recordSize: 28, networks }));
}
