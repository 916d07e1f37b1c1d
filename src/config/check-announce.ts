/**
 * What each neighbour is told: the VIPs and services that are named exist, and every VIP that the
 * site announces has a next hop in each session that carries it.
 */
import { neighborsOf, partsOf, rangesOf, type Session } from './bgp-sessions.ts';
import type { SiteReport } from './check-bgp.ts';
import { conditionServices } from './condition.ts';
import type { Path } from './document.ts';
import type { Names } from './names.ts';
import { suggest } from './nearest.ts';
import { mentions } from './parse.ts';
import { type BgpFile, type NeighborFile, type RangeFile, USUAL_VALUES } from './schema-bgp.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import type { SiteFile } from './schema-site.ts';

type VipFile = DeploymentFile['vips'][number];

class AnnounceChecker {
  readonly #report: SiteReport;
  readonly #site: SiteFile;
  readonly #names: Names;

  constructor(report: SiteReport, site: SiteFile, names: Names) {
    this.#report = report;
    this.#site = site;
    this.#names = names;
  }

  /** `path` leads to the `announce` of a neighbour, group or range. */
  check(announce: NonNullable<NeighborFile['announce']>, path: Path): void {
    announce.vips?.forEach((vip, i) => {
      this.#vip(vip, [...path, 'vips', i]);
    });
    this.#condition([...path, 'when']);
    for (const vip of Object.keys(announce.by_vip ?? {})) {
      this.#vip(vip, [...path, 'by_vip', vip]);
      this.#condition([...path, 'by_vip', vip, 'when']);
    }
  }

  #vip(name: string, path: Path): void {
    const announced = this.#site.announce;
    // One that is misspelt there, too, has a problem of its own.
    if (announced.includes(name) || this.#rawAnnounce().includes(name)) return;
    const advice = 'add it to `announce` of the site, or mend it here';
    const what = `the site does not announce a VIP "${name}"`;
    this.#report.add(path, `${what}: ${advice} (${suggest(name, announced)})`);
  }

  #rawAnnounce(): readonly unknown[] {
    const { announce } = this.#report.file.raw as { announce?: unknown };
    return Array.isArray(announce) ? announce : [];
  }

  #condition(path: Path): void {
    for (const service of conditionServices(this.#report.file.source.valueAt(path))) {
      if (this.#names.mayExist('service', service.name)) continue;
      const advice = suggest(service.name, this.#names.of('service'));
      const message = `no service is named "${service.name}": ${advice}`;
      this.#report.add([...path, ...service.path], message);
    }
  }
}

/** LOCAL_PREF stays within an AS (RFC 4271 §5.1.5): towards another it would mean nothing. */
function checkLocalPref(
  report: SiteReport,
  session: Session<NeighborFile | RangeFile>,
  bgp: BgpFile,
): void {
  const { as, announce } = session.keys;
  if (!announce || as === undefined || as === bgp.as) return;
  const message = `only neighbours in our own AS ${bgp.as} get it, this one is in ${as}: remove it`;
  if (announce.local_pref !== undefined) report.at(session, ['announce', 'local_pref'], message);
  for (const part of ['by_fitness', 'by_vip'] as const) {
    for (const [name, rule] of Object.entries(announce[part] ?? {})) {
      if (rule?.local_pref === undefined) continue;
      report.at(session, ['announce', part, name, 'local_pref'], message);
    }
  }
}

type Family = 'ipv4' | 'ipv6';

const familyOf = (text: string): Family => (text.includes(':') ? 'ipv6' : 'ipv4');

/** False if routes of the family cannot have a next hop in the session. */
function hasNextHop(
  family: Family,
  vip: string,
  { own, keys }: Session<NeighborFile | RangeFile>,
  bgp: BgpFile,
): boolean {
  const { announce, extended_next_hop } = keys;
  const special = announce?.by_vip?.[vip];
  const session = familyOf('prefix' in own ? own.prefix : own.address);
  const of = (key: 'next_hop' | 'next_hop6'): boolean =>
    (special?.[key] ?? announce?.[key] ?? bgp[key]) !== undefined;
  const six = of('next_hop6') || session === 'ipv6';
  if (family === 'ipv6') return six;
  return of('next_hop') || session === 'ipv4' || (extended_next_hop === true && six);
}

/** Each VIP can be told to whom it is to be told, and each of its families to somebody. */
function checkNextHops(
  report: SiteReport,
  site: SiteFile,
  bgp: BgpFile,
  vips: readonly VipFile[],
): void {
  const sessions = [...neighborsOf(bgp), ...rangesOf(bgp)];
  site.announce.forEach((name, i) => {
    const prefixes = vips.find((vip) => vip.name === name)?.prefixes ?? [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      const prefix = prefixes.find((each) => familyOf(each) === family);
      if (prefix === undefined || sessions.length === 0) continue;
      const version = family === 'ipv4' ? 'IPv4' : 'IPv6';
      const carrying = sessions.filter(({ keys }) =>
        (keys.families ?? USUAL_VALUES.session.families).includes(family),
      );
      if (carrying.length === 0) {
        const advice = `add ${family} to \`families\` of one`;
        const message = `no neighbour takes ${version} routes such as ${prefix} of "${name}": ${advice}`;
        report.add(['announce', i], message);
      }
      const key = family === 'ipv4' ? 'next_hop' : 'next_hop6';
      if (mentions(report.file, 'bgp', key)) continue;
      const without = carrying.find((session) => {
        const told = session.keys.announce?.vips?.includes(name) ?? true;
        return told && !hasNextHop(family, name, session, bgp);
      });
      if (!without) continue;
      const advice = `add \`${key}\` to bgp, or take ${family} out of its \`families\``;
      const what = `${prefix} of "${name}" has no ${version} next hop for "${without.own.name}"`;
      report.add(['announce', i], `${what}: ${advice}`);
    }
  });
}

export function checkAnnounce(
  report: SiteReport,
  site: SiteFile,
  bgp: BgpFile,
  vips: readonly VipFile[],
  names: Names,
): void {
  const checker = new AnnounceChecker(report, site, names);
  for (const { keys, path } of partsOf(bgp)) {
    if (keys.announce) checker.check(keys.announce, [...path, 'announce']);
  }
  for (const session of [...neighborsOf(bgp), ...rangesOf(bgp)]) {
    checkLocalPref(report, session, bgp);
  }
  checkNextHops(report, site, bgp, vips);
}
