/**
 * Health-aware names as plain records: what a secondary can know of them. Frozen in are the answers
 * that a client in the default region would get now: all addresses of the current answer set, with
 * `weighted` every member that may be picked, since an rrset cannot carry weights.
 *
 * Must hold: the addresses of one call all come from one state of health.
 */
import { Answers } from '../answers.ts';
import { HealthTable } from '../health-table.ts';
import type { Snapshot } from '../snapshot.ts';
import { TYPE } from '../wire/codes.ts';
import { wireName } from '../wire/name.ts';
import type { PlainRecord } from './source.ts';

export class Frozen {
  readonly #snapshot: Snapshot;
  readonly #answers: Answers;
  readonly #health: HealthTable;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#answers = new Answers(snapshot, 1);
    this.#health = new HealthTable(snapshot.health);
  }

  /** Records of the health-aware names of a zone, by its index in Config.zones. */
  records(zone: number): PlainRecord[] {
    for (;;) {
      const version = this.#health.settled();
      const records = this.#collect(zone);
      if (this.#health.version() === version) return records;
    }
  }

  #collect(zone: number): PlainRecord[] {
    const { services, zones } = this.#snapshot;
    const records: PlainRecord[] = [];
    for (const service of zones.zones[zone]!.services) {
      if (service < 0) continue;
      const { name, ttl_s } = services[service]!;
      const owner = wireName(name);
      for (const rdata of this.#addresses(service, 4)) {
        records.push({ owner, type: TYPE.A, ttl_s, rdata });
      }
      for (const rdata of this.#addresses(service, 6)) {
        records.push({ owner, type: TYPE.AAAA, ttl_s, rdata });
      }
    }
    return records;
  }

  /** Each once (RFC 2181 §5), in an order that does not depend on the state of the rotation. */
  #addresses(service: number, family: 4 | 6): Uint8Array[] {
    const { region } = this.#snapshot.transfers;
    const { addresses, count } = this.#answers.find(service, family, region);
    const size = family === 4 ? 4 : 16;
    const all = Array.from({ length: count }, (_, i) =>
      addresses.subarray(i * size, (i + 1) * size),
    );
    all.sort((a, b) => Buffer.compare(a, b));
    return all.filter((one, i) => i === 0 || Buffer.compare(one, all[i - 1]!) !== 0);
  }
}
