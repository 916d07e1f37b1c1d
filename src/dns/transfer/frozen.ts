/**
 * Health-aware names as plain records: what a secondary can know of them. Frozen in are the answers
 * that a client in the default region would get now: all addresses of the current answer set, with
 * `weighted` every member that may be picked, since an rrset cannot carry weights.
 *
 * Must hold: all addresses come from the state of health at the construction, and each is found only
 * when it is asked for: a zone may have thousands of such names.
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

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#answers = new Answers({ ...snapshot, health: photograph(snapshot.health) }, 1);
  }

  /** Records of the health-aware names of a zone, by its index in Config.zones. */
  *records(zone: number): Generator<PlainRecord, void> {
    const { services, zones } = this.#snapshot;
    for (const service of zones.zones[zone]!.services) {
      if (service < 0) continue;
      const { name, ttl_s } = services[service]!;
      const owner = wireName(name);
      for (const rdata of this.#addresses(service, 4)) yield { owner, type: TYPE.A, ttl_s, rdata };
      for (const rdata of this.#addresses(service, 6)) {
        yield { owner, type: TYPE.AAAA, ttl_s, rdata };
      }
    }
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

/** A copy of a HealthTable's memory that nobody writes to, of one state. */
function photograph(buffer: SharedArrayBuffer): SharedArrayBuffer {
  const health = new HealthTable(buffer);
  for (;;) {
    const version = health.settled();
    const copy = buffer.slice(0);
    if (health.version() === version) return copy;
  }
}
