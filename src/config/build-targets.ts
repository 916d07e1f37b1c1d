/**
 * What is probed, and the healths that are put together from it, from files that have no problems.
 * One check of one address is one target, whoever asks for it.
 */
import type { Check, HealthExpression, ProbeTarget } from '../model/check.ts';
import { buildCheck, portOf } from './build-check.ts';
import type { DeploymentFile } from './schema-deployment.ts';

export type Family = 'ipv4' | 'ipv6';
type Checks = DeploymentFile['checks'];

/** Something that can be asked at its addresses. */
export interface Place {
  /** What the ids of its targets begin with. */
  readonly id: string;
  /** Empty for what belongs to no load balancer. */
  readonly load_balancer: string;
  /** Index into Config.sites. */
  readonly site: number;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Ports in place of those of the checks, by name of the check. */
  readonly ports: Readonly<Record<string, number>>;
}

export function familiesOf(place: Pick<Place, Family>): Family[] {
  return (['ipv4', 'ipv6'] as const).filter((family) => place[family] !== null);
}

export class TargetTable {
  readonly targets: ProbeTarget[] = [];
  readonly #index = new Map<string, number>();
  readonly #entries: Checks;
  readonly #dir: string;
  /** By name; one value for all targets. */
  readonly #checks = new Map<string, Check>();

  /** `dir`: the deployment's directory, absolute. */
  constructor(checks: Checks, dir: string) {
    this.#entries = checks;
    this.#dir = dir;
  }

  /** The named check at `place`; `asked`: the address that is asked about, where the check has no other. */
  health(name: string, place: Place, asked: Family): HealthExpression {
    const parts = this.#families(name, place, asked).map((family) => this.#at(name, place, family));
    return parts.length === 1 ? parts[0]! : { kind: 'all', of: parts };
  }

  #families(name: string, place: Place, asked: Family): Family[] {
    const { family } = this.#entries[name]!;
    switch (family) {
      case 'each':
        return [asked];
      case 'both':
        return familiesOf(place);
      case 'first':
        return familiesOf(place).slice(0, 1);
      default:
        // An address of an uplink is asked as it is; load balancers have been checked to have it.
        return [place[family] === null ? asked : family];
    }
  }

  #at(name: string, place: Place, family: Family): HealthExpression {
    const entry = this.#entries[name]!;
    if (!('of' in entry)) return { kind: 'target', target: this.#target(name, place, family) };
    const of = entry.of.map((part) => this.health(part, place, family));
    return entry.kind === 'at-least'
      ? { kind: 'at-least', count: entry.count, of }
      : { kind: entry.kind, of };
  }

  #target(name: string, place: Place, family: Family): number {
    const id = `${place.id}/${name}/${family}`;
    const known = this.#index.get(id);
    if (known !== undefined) return known;
    const check = this.#check(name);
    const { load_balancer, site } = place;
    const address = place[family]!;
    const port = place.ports[name] ?? this.#port(name);
    this.targets.push({ id, load_balancer, site, address, port, check });
    this.#index.set(id, this.targets.length - 1);
    return this.targets.length - 1;
  }

  #check(name: string): Check {
    const entry = this.#entries[name]!;
    const known = this.#checks.get(name);
    if (known || 'of' in entry) return known!;
    const check = buildCheck(name, entry, this.#dir);
    this.#checks.set(name, check);
    return check;
  }

  #port(name: string): number {
    const entry = this.#entries[name]!;
    return 'of' in entry ? 0 : portOf(entry);
  }
}
