/**
 * The speaker of each site: keys that do not go together, and names that lead to nothing. A mistake
 * is told once and where it is written, in a group if it is the group's.
 */
import { type Prefix, parseAddress, parsePrefix, prefixContains } from '../net/ip.ts';
import { neighborsOf, partsOf, placeOf, rangesOf, type Session } from './bgp-sessions.ts';
import { checkAnnounce } from './check-announce.ts';
import type { Path } from './document.ts';
import { PROBLEMS_MAX } from './limits.ts';
import { type Listen, listensOf } from './listens.ts';
import type { Names, SourceFiles } from './names.ts';
import { suggest } from './nearest.ts';
import { mentions, type YamlFile } from './parse.ts';
import type { Problem } from './problem.ts';
import { type BgpFile, type NeighborFile, type RangeFile, USUAL_VALUES } from './schema-bgp.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import type { SiteFile } from './schema-site.ts';
import { seenByAgents } from './site-agents.ts';
import { formatDuration } from './values.ts';

type AnySession = Session<NeighborFile | RangeFile>;

const isLinkLocal = (text: string): boolean => /^fe[89ab]/.test(text);

const is6 = (text: string): boolean => text.includes(':');

/** The problems of one site; each is told once, however many neighbours share its place. */
export class SiteReport {
  readonly file: YamlFile<SiteFile>;
  readonly problems: Problem[] = [];
  readonly #told = new Set<string>();

  constructor(file: YamlFile<SiteFile>) {
    this.file = file;
  }

  add(path: Path, message: string): void {
    const id = JSON.stringify([path, message]);
    if (this.#told.has(id) || this.problems.length >= PROBLEMS_MAX) return;
    this.#told.add(id);
    this.problems.push(this.file.source.problem(path, message));
  }

  /** At the place where the session, or its group, has the key. */
  at(session: AnySession, key: Path, message: string): void {
    this.add(placeOf(this.file, session, ...key), message);
  }
}

/** What the file has at the session of that name, before anything wrong was taken out. */
function rawOf(file: YamlFile<SiteFile>, list: 'neighbors' | 'ranges', name: string): object {
  const bgp = (file.raw as { bgp?: Record<string, unknown> }).bgp;
  const all = bgp?.[list];
  const found = Array.isArray(all) ? all.find((each) => each?.name === name) : undefined;
  return found ?? {};
}

/** A neighbour has its AS number from its group, or itself. */
function checkAs(report: SiteReport, { own, keys, path }: Session<NeighborFile>): void {
  const { file } = report;
  if (keys.as !== undefined || 'as' in rawOf(file, 'neighbors', own.name)) return;
  const inGroup = own.group !== undefined && mentions(file, 'bgp', 'groups', own.group, 'as');
  const noGroup = own.group !== undefined && !mentions(file, 'bgp', 'groups', own.group);
  if (inGroup || noGroup) return;
  report.add(path, '"as" is missing: add it here or to the group (AS number of the neighbour)');
}

function checkGroup(report: SiteReport, { own, path }: AnySession): void {
  const { group } = own;
  if (group === undefined || mentions(report.file, 'bgp', 'groups', group)) return;
  const raw = (report.file.raw as { bgp?: { groups?: object } }).bgp?.groups;
  const message = `no group is named "${group}": ${suggest(group, Object.keys(raw ?? {}))}`;
  report.add([...path, 'group'], message);
}

/** Where and how it is reached: `address` is of the neighbour, or of the range. */
function checkReach(report: SiteReport, session: AnySession, address: string): void {
  const { keys, path } = session;
  const where = 'prefix' in session.own ? 'prefix' : 'address';
  if (isLinkLocal(address) && keys.interface === undefined) {
    const message = 'a link-local address is one of each link: add `interface`, which one it is';
    report.add([...path, where], message);
  }
  if (keys.source !== undefined && where === 'address' && is6(keys.source) !== is6(address)) {
    const family = is6(address) ? 'IPv6' : 'IPv4';
    const message = `the neighbour is ${family}, the source is not: write one that is`;
    report.at(session, ['source'], message);
  }
  if (keys.multihop !== undefined && keys.ttl_security !== undefined) {
    const message =
      '`ttl_security` sends with TTL 255, so `multihop` says nothing: remove one of the two';
    report.at(session, ['ttl_security'], message);
  }
}

/** A slip of the hand that would never come up: the neighbour's address is one of ours. */
function checkNotOurselves(
  report: SiteReport,
  { own, keys, path }: Session<NeighborFile>,
  listens: readonly Listen[],
): void {
  const { port = USUAL_VALUES.session.port } = keys;
  const self = listens.some(({ listen }) => listen.address === own.address && listen.port === port);
  if (!self) return;
  const message = `we listen on ${own.address} ourselves: write the address of the neighbour`;
  report.add([...path, 'address'], message);
}

function checkTimers(report: SiteReport, session: AnySession): void {
  const { keys } = session;
  const { hold_time = USUAL_VALUES.session.hold_time, send_hold } = keys;
  if (hold_time === 0 && !keys.bfd) {
    const message =
      'without keepalives nobody notices that the other is gone: write 3s or more, or add `bfd`';
    report.at(session, ['hold_time'], message);
  }
  // RFC 9687 §4.4: not shorter than the hold time.
  if (send_hold !== undefined && send_hold !== 0 && send_hold < hold_time) {
    const least = formatDuration(hold_time);
    report.at(session, ['send_hold'], `shorter than the hold time: write at least ${least}`);
  }
}

function checkCapabilities(report: SiteReport, session: AnySession, bgp: BgpFile): void {
  const { keys } = session;
  const { families = USUAL_VALUES.session.families } = keys;
  if (keys.role !== undefined && keys.as === bgp.as) {
    const message =
      'roles are between different ASes (RFC 9234), this neighbour is in ours: remove it';
    report.at(session, ['role'], message);
  }
  if (keys.role_strict && keys.role === undefined && !mentionsKey(report, session, 'role')) {
    report.at(session, ['role_strict'], '`role_strict` needs a role of our own: add `role`');
  }
  if (keys.extended_next_hop && !families.includes('ipv4')) {
    const message = 'this is for IPv4 routes, which it is not told: add ipv4 to `families`';
    report.at(session, ['extended_next_hop'], message);
  }
  if (new Set(families).size < families.length) {
    report.at(session, ['families'], 'a family is given twice: write each once');
  }
}

/** True if the key was written, though wrongly. */
function mentionsKey({ file }: SiteReport, { own }: AnySession, key: string): boolean {
  const list = 'prefix' in own ? 'ranges' : 'neighbors';
  if (key in rawOf(file, list, own.name)) return true;
  return own.group !== undefined && mentions(file, 'bgp', 'groups', own.group, key);
}

function checkBfdTimes(report: SiteReport, bgp: BgpFile): void {
  for (const { keys, path } of partsOf(bgp)) {
    const { interval, transmit, receive } = keys.bfd ?? {};
    if (interval === undefined || transmit === undefined || receive === undefined) continue;
    const message = '`transmit` and `receive` leave nothing for `interval`: remove it';
    report.add([...path, 'bfd', 'interval'], message);
  }
}

/** Of nested ranges the longest has an address; of two equal ones, neither. */
function checkRanges(report: SiteReport, bgp: BgpFile): void {
  const ranges = rangesOf(bgp);
  ranges.forEach(({ own, keys, path }, i) => {
    const twin = ranges
      .slice(0, i)
      .find((other) => other.own.prefix === own.prefix && other.keys.interface === keys.interface);
    if (!twin) return;
    const message = `the range "${twin.own.name}" has the prefix ${own.prefix}, too: write another`;
    report.add([...path, 'prefix'], message);
  });
}

function prefixOf({ own }: AnySession): Prefix | null {
  if ('prefix' in own) return parsePrefix(own.prefix);
  const address = parseAddress(own.address);
  return address && { address, length: address.length * 8 };
}

/** A listening socket wants the key of a prefix from all who are in it, on whichever interface. */
function checkKeys(report: SiteReport, bgp: BgpFile): void {
  const all = [...rangesOf(bgp), ...neighborsOf(bgp)];
  for (const session of all) {
    const prefix = prefixOf(session);
    if (!prefix || mentionsKey(report, session, 'md5_key_file')) continue;
    const keyed = all.find((other) => {
      const outer = other.keys.md5_key_file === undefined ? null : prefixOf(other);
      return outer && outer.length <= prefix.length && prefixContains(outer, prefix.address);
    });
    if (!keyed) continue;
    const message =
      `all who connect from there must have the MD5 key of "${keyed.own.name}": ` +
      'add `md5_key_file`, or write another';
    report.add([...session.path, 'prefix' in session.own ? 'prefix' : 'address'], message);
  }
}

function checkListening(report: SiteReport, bgp: BgpFile): void {
  const { file } = report;
  const none = Array.isArray(bgp.listen)
    ? bgp.listen.length === 0
    : !mentions(file, 'bgp', 'listen');
  if (none) {
    const advice = 'add `listen` to bgp';
    for (const session of neighborsOf(bgp)) {
      if (!session.keys.passive) continue;
      const message = `a passive neighbour needs an address to connect to: ${advice}, or dial it`;
      report.at(session, ['passive'], message);
    }
    for (const { path } of rangesOf(bgp)) {
      report.add(path, `neighbours of a range connect to us: ${advice}`);
    }
  }
  const written = mentions(file, 'bgp', 'neighbors', '0') || mentions(file, 'bgp', 'ranges', '0');
  if (!written) report.add(['bgp'], 'nobody to tell the routes: add `neighbors` or `ranges`');
}

function checkDeadMan(report: SiteReport, bgp: BgpFile, policy: DeploymentFile['policy']): void {
  const least = 2 * policy.report_interval;
  if (bgp.dead_man === 0 || bgp.dead_man >= least) return;
  const advice = `write at least ${formatDuration(least)}, two report intervals, or 0s`;
  report.add(['bgp', 'dead_man'], `a decision that is a little late would withdraw all: ${advice}`);
}

function checkSite(
  file: YamlFile<SiteFile>,
  deployment: DeploymentFile | null,
  names: Names,
): Problem[] {
  const site = file.value;
  const bgp = site?.bgp;
  if (!site || !bgp) return [];
  const report = new SiteReport(file);
  const seen = seenByAgents(site).map((one) => one.site);
  const listens = seen.flatMap(listensOf).filter((one) => one.path[0] === 'bgp');
  for (const session of neighborsOf(bgp)) {
    checkAs(report, session);
    checkReach(report, session, session.own.address);
    checkNotOurselves(report, session, listens);
  }
  for (const session of rangesOf(bgp)) checkReach(report, session, session.own.prefix);
  for (const session of [...neighborsOf(bgp), ...rangesOf(bgp)]) {
    checkGroup(report, session);
    checkTimers(report, session);
    checkCapabilities(report, session, bgp);
  }
  checkBfdTimes(report, bgp);
  checkRanges(report, bgp);
  checkKeys(report, bgp);
  if (deployment) checkDeadMan(report, bgp, deployment.policy);
  for (const one of seen) {
    checkListening(report, one.bgp!);
    checkAnnounce(report, one, one.bgp!, deployment?.vips ?? [], names);
  }
  return report.problems;
}

export function checkBgp(files: SourceFiles, names: Names): Problem[] {
  const deployment = files.deployment?.value ?? null;
  return files.sites.flatMap((file) => checkSite(file, deployment, names));
}
