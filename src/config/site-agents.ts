/**
 * The agents of a site: each sees the site's file with what differs at it in place, so that nobody
 * behind this needs to know how many there are. Pure.
 */
import { err, ok, type Result } from '../base/result.ts';
import type { Config, Site } from '../model/config.ts';
import type { Path } from './document.ts';
import type { AgentFile } from './schema-agents.ts';
import type { SiteFile } from './schema-site.ts';

/** A site's file as one of its agents sees it. */
export interface SiteSeen {
  readonly agent: string;
  /** With all neighbours of the site, … */
  readonly site: SiteFile;
  /** … of which it speaks only to these; null: to all. */
  readonly neighbors: readonly string[] | null;
  /** The place in the file of what this agent sees at `path`. */
  readonly at: (path: Path) => Path;
}

/** One for each agent, by name; the only one of most sites is called as the site is. */
export function seenByAgents(site: SiteFile): SiteSeen[] {
  const { agents } = site;
  if (!agents) return [{ agent: site.site, site, neighbors: null, at: (path) => path }];
  const names = Object.keys(agents).sort();
  return names.map((agent) => {
    const own = agents[agent]!;
    return {
      agent,
      site: seenBy(site, own),
      neighbors: own.bgp?.neighbors ?? null,
      at: (path) => placeOf(own, agent, path),
    };
  });
}

function seenBy(site: SiteFile, own: AgentFile): SiteFile {
  const { dns, api, bgp } = own;
  const tls = site.dns.tls && {
    ...site.dns.tls,
    listen: dns?.tls_listen ?? site.dns.tls.listen,
    https_listen: dns?.https_listen ?? site.dns.tls.https_listen,
  };
  const identity = dns?.identity ?? site.dns.identity;
  return {
    ...site,
    dns: {
      ...site.dns,
      listen: dns?.listen ?? site.dns.listen,
      ...(tls && { tls }),
      ...(identity !== undefined && { identity }),
    },
    api: { ...site.api, ...api },
    ...(site.bgp && { bgp: bgpSeenBy(site.bgp, bgp) }),
    ...(own.state_dir !== undefined && { state_dir: own.state_dir }),
  };
}

function bgpSeenBy(
  bgp: NonNullable<SiteFile['bgp']>,
  own: AgentFile['bgp'],
): NonNullable<SiteFile['bgp']> {
  if (!own) return bgp;
  const { source, source6, neighbors: _, router_id = bgp.router_id, ...keys } = own;
  return {
    ...bgp,
    ...keys,
    router_id,
    neighbors: bgp.neighbors.map((neighbor) => {
      const from = neighbor.address.includes(':') ? source6 : source;
      return from === undefined ? neighbor : { ...neighbor, source: from };
    }),
  };
}

function placeOf(own: AgentFile, agent: string, path: Path): Path {
  const [part, key, inner] = path;
  const tls = key === 'tls';
  const name = tls ? (inner === 'listen' ? 'tls_listen' : inner) : key;
  const given = own[part as 'dns' | 'api' | 'bgp'] as Record<PropertyKey, unknown> | undefined;
  if (given?.[name!] === undefined) return path;
  return ['agents', agent, part!, name!, ...path.slice(tls ? 3 : 2)];
}

/** The Config as the agent sees it: its own site's entry is its own place. */
export function configFor(config: Config, site: string, agent: string): Config {
  const sites = config.sites.map((one): Site => {
    const place = one.name === site ? one.places[agent] : undefined;
    return place ? { ...one, ...place } : one;
  });
  return { ...config, sites };
}

/** The agent of the site that is meant; with null the only one. The error says what to write. */
export function agentOf({ name, agents }: Site, wanted: string | null): Result<string, string> {
  const known = agents.join(', ');
  if (wanted !== null) {
    if (agents.includes(wanted)) return ok(wanted);
    return err(`site ${name} has no agent "${wanted}": write one of ${known}`);
  }
  if (agents.length === 1) return ok(agents[0]!);
  return err(`site ${name} has several agents: say which by --agent, one of ${known}`);
}
