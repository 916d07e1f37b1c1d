/**
 * Zones as they were read last. A zone is read anew only if one of its files has changed, or the names
 * that its image depends on; if that gives the same image again, the old one stays in use.
 */
import type { Zone } from '../../model/config.ts';
import { fileState, type ZoneReading, type ZoneRequest } from './read.ts';

interface Entry {
  /** The request, as one text. */
  readonly key: string;
  readonly reading: ZoneReading;
}

export class ZoneCache {
  /** By file; only of zones without a problem. */
  readonly #entries = new Map<string, Entry>();

  /** `known` are zones that are in use, but of files in a state that nobody remembers. */
  constructor(known: readonly Zone[] = []) {
    for (const zone of known) {
      const reading = { zone, problems: [], conflicts: [], states: [] };
      this.#entries.set(zone.file, { key: '', reading });
    }
  }

  /** What reading would give; null if it must be read to know. */
  find(request: ZoneRequest): ZoneReading | null {
    const entry = this.#entries.get(request.file);
    if (entry?.key !== JSON.stringify(request)) return null;
    const { states } = entry.reading;
    return states.every(({ path, state }) => fileState(path) === state) ? entry.reading : null;
  }

  /** Keeps a reading; returns it with the zone that is known already if that is the same. */
  keep(request: ZoneRequest, reading: ZoneReading): ZoneReading {
    if (!reading.zone) return reading;
    const known = this.#entries.get(request.file)?.reading.zone;
    const same = known?.digest === reading.zone.digest && known.origin === request.origin;
    const kept = same ? { ...reading, zone: known } : reading;
    this.#entries.set(request.file, { key: JSON.stringify(request), reading: kept });
    return kept;
  }

  /** Forgets all zones but those of these files. */
  retain(files: ReadonlySet<string>): void {
    for (const file of this.#entries.keys()) if (!files.has(file)) this.#entries.delete(file);
  }
}
