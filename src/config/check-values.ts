/** Values that are each possible but not together: orders of times and thresholds, addresses. */
import { penaltyMax } from '../decide/damping.ts';
import { formatHostPort } from '../net/ip.ts';
import { checkProbes } from './check-probes.ts';
import type { Path } from './document.ts';
import { holds, listensOf } from './listens.ts';
import type { SourceFiles } from './names.ts';
import { mentions, type YamlFile } from './parse.ts';
import type { Problem } from './problem.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import type { HealthEntry } from './schema-health.ts';
import { metersIn } from './schema-load.ts';
import type { DampingEntry } from './schema-routes.ts';
import type { ServicesFile } from './schema-services.ts';
import type { SiteFile } from './schema-site.ts';
import { type SiteSeen, seenByAgents } from './site-agents.ts';
import { formatDuration } from './values.ts';

type Report = (path: Path, message: string) => void;

function reporter(file: YamlFile<unknown>, problems: Problem[]): Report {
  return (path, message) => problems.push(file.source.problem(path, message));
}

type Spill = DeploymentFile['policy']['spill'];

/** Each row: the smaller, the larger, whether they may be equal, and why. */
const ORDER: readonly (readonly [keyof Spill, keyof Spill, boolean, string])[] = [
  ['quiet', 'quiet_end', false, 'or a site would offer and refuse room in turn'],
  ['quiet_end', 'fill', true, 'or a helper would stop before it has filled up'],
  ['fill', 'target', true, 'or helpers would be fuller than those they help'],
  ['target', 'overload', true, 'or a spilling site would stay overloaded'],
  ['relief', 'target', true, 'or a site that stops spilling would be above its target'],
  ['relief', 'overload', false, 'or a site would start and stop spilling in turn'],
];

function checkSpill(policy: DeploymentFile['policy'], report: Report, given: (p: Path) => boolean) {
  const { spill } = policy;
  const at = (key: string): Path => ['policy', 'spill', key];
  for (const [low, high, equal, why] of ORDER) {
    if (equal ? spill[low] <= spill[high] : spill[low] < spill[high]) continue;
    const sign = equal ? 'not above' : 'below';
    // The place is the one that the operator wrote; the other may be a default.
    const place = given(at(low)) ? at(low) : at(high);
    const message = `${low} (${spill[low]}) must be ${sign} ${high} (${spill[high]}), ${why}`;
    report(place, message);
  }
  const least = Math.max(spill.tick, policy.report_interval);
  if (spill.lease <= least) {
    const lease = formatDuration(spill.lease);
    const longer = `write more than ${formatDuration(least)}, the longest of tick and report_interval`;
    report(at('lease'), `a lease of ${lease} ends before it can be renewed: ${longer}`);
  }
}

/**
 * A penalty never grows beyond what decays to `reuse` within `suppress_max` (RFC 2439 §4.2): a `suppress`
 * at or above that is never reached.
 */
function checkDamping(damping: DampingEntry, whose: 'routes' | 'health', report: Report): void {
  if (damping === 'none') return;
  const { suppress, reuse, half_life, suppress_max } = damping;
  const at = (key: keyof typeof damping): Path => ['policy', whose, 'damping', key];
  if (reuse >= suppress) {
    report(at('reuse'), `reuse must be below suppress (${suppress}), or nothing is held back`);
    return;
  }
  if (penaltyMax({ reuse, half_life_ms: half_life, suppress_max_ms: suppress_max }) > suppress)
    return;
  const least_ms = half_life * Math.log2(suppress / reuse);
  const least = formatDuration(1000 * (Math.floor(least_ms / 1000) + 1));
  const message = `no penalty would ever reach suppress (${suppress}): write at least ${least}`;
  report(at('suppress_max'), `${message}, or a lower suppress`);
}

function checkHealth({ hold_down, hold_down_max, damping }: HealthEntry, report: Report): void {
  checkDamping(damping, 'health', report);
  if (hold_down_max === undefined || hold_down_max >= hold_down) return;
  const least = formatDuration(hold_down);
  report(
    ['policy', 'health', 'hold_down_max'],
    `the longest hold-down is shorter than the usual one: write at least ${least}`,
  );
}

function checkDeployment(file: YamlFile<DeploymentFile>, problems: Problem[]): void {
  const value = file.value;
  if (!value) return;
  const report = reporter(file, problems);
  checkProbes(file, value.checks, report);
  if (value.policy.report_stale < 2 * value.policy.report_interval) {
    const least = formatDuration(2 * value.policy.report_interval);
    report(
      ['policy', 'report_stale'],
      `one late report would lose the site: write at least ${least}, two report intervals`,
    );
  }
  checkDamping(value.policy.routes.damping, 'routes', report);
  checkHealth(value.policy.health, report);
  checkSpill(value.policy, report, (path) => file.source.has(path));
}

/** A wildcard address beside one that it holds: which of the two a client reaches would be luck. */
function checkListens(file: YamlFile<SiteFile>, { site, at }: SiteSeen, report: Report): void {
  const all = listensOf(site);
  for (const { path, listen } of all) {
    const wide = all.find((other) => holds(other.listen, listen));
    if (!wide) continue;
    const { line } = file.source.problem(at(wide.path), '');
    const where = `${formatHostPort(wide.listen)} in line ${line}`;
    report(at(path), `${where} takes this address, too: write another port, or remove one`);
  }
}

function checkSite(file: YamlFile<SiteFile>, problems: Problem[]): void {
  const value = file.value;
  if (!value) return;
  const report = reporter(file, problems);
  value.load_balancers.forEach((each, i) => {
    if (each.address !== undefined || each.address6 !== undefined) return;
    // An address that was written, but wrongly, is no longer in the tree: it has its own problem.
    const raw = (file.raw as { load_balancers?: Record<string, unknown>[] }).load_balancers;
    const written = raw?.find((other) => other?.name === each.name);
    if (written && ('address' in written || 'address6' in written)) return;
    const message = `the load balancer "${each.name}" has no address: add address or address6`;
    report(['load_balancers', i], message);
  });
  if (value.announce.length > 0 && !mentions(file, 'bgp')) {
    report(['announce'], 'the site announces VIPs but has no `bgp`: add it, or announce none');
  }
  for (const seen of seenByAgents(value)) checkListens(file, seen, report);
  const { load, spill } = value;
  if (spill?.driver === 'kernel' && spill.address.includes(':')) {
    report(['spill', 'address'], 'the kernel driver needs an IPv4 address: write one');
  }
  if (load && value.capacity === undefined && !mentions(file, 'capacity')) {
    report(['load'], 'a load means nothing without `capacity`: add it, in the same unit');
  }
  if (value.fence && !value.uplink && !mentions(file, 'uplink')) {
    report(['fence'], 'a site is fenced by its uplink: add `uplink`, or leave `fence` out');
  }
  for (const { meter, at } of load ? metersIn(load) : []) {
    if (!('timeout' in meter) || meter.timeout <= meter.interval) continue;
    const most = formatDuration(meter.interval);
    report(['load', ...at, 'timeout'], `the timeout is above the interval: write at most ${most}`);
  }
}

/** A tunnel sends to the port that it listens on itself. */
function checkTunnelPorts(sites: SourceFiles['sites'], problems: Problem[]): void {
  const ends = sites.flatMap((file) => {
    const spill = file.value?.spill;
    return spill?.driver === 'kernel' ? [{ file, port: spill.vxlan_port }] : [];
  });
  for (const { file, port } of ends) {
    if (port === ends[0]!.port) continue;
    const message = `${ends[0]!.file.file} has port ${ends[0]!.port}: write the same at all sites`;
    problems.push(file.source.problem(['spill', 'vxlan_port'], message));
  }
}

function checkServices(file: YamlFile<ServicesFile>, problems: Problem[]): void {
  const report = reporter(file, problems);
  file.value?.services.forEach((service, i) => {
    const at: Path = ['services', i];
    if (service.policy === 'failover' && !service.order) {
      report(at, '`failover` needs `order`: add the sites in order of preference');
    }
    if (service.policy !== 'failover' && service.order) {
      const message = `\`order\` is only for failover: write policy: failover, or remove it`;
      report([...at, 'order'], message);
    }
    if (service.pool === 'all' || service.policy === 'weighted') return;
    service.pool.forEach((member, j) => {
      if (member.weight === 1) return;
      const message = '`weight` is only for weighted: write policy: weighted, or remove it';
      report([...at, 'pool', j, 'weight'], message);
    });
  });
}

export function checkValues(files: SourceFiles): Problem[] {
  const problems: Problem[] = [];
  if (files.deployment) checkDeployment(files.deployment, problems);
  for (const file of files.sites) checkSite(file, problems);
  checkTunnelPorts(files.sites, problems);
  for (const file of files.services) checkServices(file, problems);
  return problems;
}
