/** The parts of a Config that one site's agent looks at. */
import type { Config, Site } from '../model/config.ts';

export function siteOf(config: Config, name: string): Site {
  const site = config.sites.find((candidate) => candidate.name === name);
  if (!site) throw new Error(`site ${name} is not in the configuration`);
  return site;
}

/** True if the data plane of spill is the same by both: then a reload leaves it alone. */
export function sameSpill(a: Config, b: Config): boolean {
  const parts = ({ sites, vips, policy }: Config): string =>
    JSON.stringify([
      sites.map((site) => [site.name, site.spill, site.announces]),
      vips,
      policy.spill,
    ]);
  return parts(a) === parts(b);
}
