/**
 * Who would be answered what, and why: the client's region by the geo map, then the steps of the
 * decision. The same for the API (with the running agent's world) and for `isobar explain` (with a
 * world in which every endpoint is healthy).
 */
import { err, ok, type Result } from '../base/result.ts';
import { type Explanation, explain } from '../decide/explain.ts';
import { type GeoMap, lookupRegion } from '../geo/map.ts';
import type { Config } from '../model/config.ts';
import type { Plan } from '../model/plan.ts';
import type { World } from '../model/world.ts';
import { parseAddress, parsePrefix, prefixContains } from '../net/ip.ts';

export interface Decision {
  readonly plan: Plan;
  readonly world: World;
}

export function explainFor(
  config: Config,
  geo: GeoMap,
  decision: Decision,
  name: string,
  client: string,
): Result<Explanation, string> {
  const wanted = name.toLowerCase().replace(/\.$/, '');
  const place = lookupRegion(geo, client);
  if (!place) return err(`"${client}" is not an IP address`);
  const { plan } = decision;
  const found = howFound(config, client);
  const explanation = explain({ config, plan, service: wanted, region: place.region, found });
  if (explanation) return ok(explanation);
  const known = config.services.map((service) => service.name).join(', ');
  return err(`${wanted} is not a health-aware name; there are: ${known || 'none'}`);
}

/** In words: what placed the client. The longest prefix of the configuration wins, then the mmdb. */
function howFound(config: Config, client: string): string {
  const address = parseAddress(client);
  let best = { prefix: '', length: -1 };
  for (const { prefix } of config.geo.prefixes) {
    const parsed = parsePrefix(prefix);
    if (!parsed || !address || parsed.length <= best.length) continue;
    if (prefixContains(parsed, address)) best = { prefix, length: parsed.length };
  }
  if (best.length >= 0) return `by its prefix ${best.prefix} in the configuration`;
  if (config.geo.mmdb) return 'by the mmdb, or the default region where that says nothing';
  return 'the default region: no prefix of the configuration holds it';
}
