/**
 * Lets the served serials rise when the answers of health-aware names change, and tells secondaries
 * of every new serial: at the start, after a reload, after such a change. One for the daemon, in the
 * main thread.
 *
 * Must hold: whoever copied a zone at a serial has what is served at that serial, or sees a higher
 * one soon. A reader takes the serial first and the answers then; a change, once seen, lets the
 * serial rise even if it was undone meanwhile.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Config } from '../../model/config.ts';
import { HealthTable } from '../health-table.ts';
import { SerialWriter } from '../serials.ts';
import type { Snapshot } from '../snapshot.ts';
import { makeTransfers, type Transfers } from './access.ts';
import { Frozen } from './frozen.ts';
import type { Notice, Notifier } from './notifier.ts';
import { zoneSource } from './server.ts';
import { Keyring, type TsigSecret } from './signing.ts';
import { type PlainRecord, serialOf, withSerial } from './source.ts';

/** Changes are gathered for so long: a serial rises, and secondaries copy, once in it at most. */
const GATHER_MS = 1_000;

interface Current {
  readonly snapshot: Snapshot;
  readonly serials: SerialWriter;
  readonly health: HealthTable;
}

export class Announcer {
  readonly #clock: Clock;
  readonly #notifier: Notifier;
  #current: Current | null = null;
  #next: SerialWriter | null = null;
  /** Who is told before the threads answer from it asks too soon, and sees the old serial. */
  #answering = false;
  #healthVersion = 0;
  /** The answers last seen, by the origin of each live zone (serials.ts). */
  #seen: ReadonlyMap<string, string> = new Map();
  /** Origins whose answers have changed since their serial last rose. */
  readonly #changed = new Set<string>();
  #gathering: Timer | null = null;
  #closed = false;

  constructor(clock: Clock, notifier: Notifier) {
    this.#clock = clock;
    this.#notifier = notifier;
  }

  /**
   * What transfers depend on, for the next snapshot: serials for `config`, to be adopted by `use`.
   */
  transfers(config: Config, keys: readonly TsigSecret[]): Transfers {
    this.#next = new SerialWriter(config, this.#clock.wall());
    return makeTransfers(config, keys, this.#next.shared);
  }

  /**
   * At the start, and with each new snapshot, before a thread answers from it: no change may go
   * unseen. `announce` follows.
   */
  use(snapshot: Snapshot): void {
    const before = this.#current?.serials;
    let serials = before;
    // A snapshot that differs in its keys alone has the serials of before.
    if (this.#next && this.#next.shared === snapshot.transfers.serials) {
      serials = this.#next;
      if (before) serials.carry(before);
    }
    this.#next = null;
    if (!serials) throw new Error('the first snapshot has no serials');
    const health = new HealthTable(snapshot.health);
    this.#current = { snapshot, serials, health };
    this.#answering = false;
    this.#look(this.#current);
  }

  /** Once all threads answer from what `use` took: tells secondaries what they do not know yet. */
  announce(): void {
    this.#answering = true;
    this.#announce();
  }

  /** After each Plan that was applied to the health table. */
  healthMoved(): void {
    const current = this.#current;
    if (current && current.health.version() !== this.#healthVersion) this.#look(current);
  }

  /** From here on nobody is told anything, whatever is used or moves. */
  close(): void {
    this.#closed = true;
    this.#gathering?.cancel();
    this.#notifier.close();
  }

  /** Compares the answers of all live zones with those last seen. */
  #look({ snapshot, serials, health }: Current): void {
    this.#healthVersion = health.version();
    const frozen = new Frozen(snapshot);
    const seen = new Map<string, string>();
    snapshot.transfers.zones.forEach(({ origin }, zone) => {
      if (serials.offset(zone) === 0) return;
      const answers = textOf(frozen.records(zone));
      const before = this.#seen.get(origin);
      if (before !== undefined && before !== answers) this.#changed.add(origin);
      seen.set(origin, answers);
    });
    this.#seen = seen;
    if (this.#changed.size === 0 || this.#gathering || this.#closed) return;
    this.#gathering = this.#clock.timer(GATHER_MS, () => this.#rise());
  }

  #rise(): void {
    this.#gathering = null;
    const current = this.#current!;
    current.snapshot.transfers.zones.forEach(({ origin }, zone) => {
      const live = current.serials.offset(zone) !== 0;
      if (live && this.#changed.has(origin)) current.serials.rise(zone, this.#clock.wall());
    });
    this.#changed.clear();
    if (this.#answering) this.#announce();
  }

  #announce(): void {
    if (this.#closed) return;
    const { snapshot, serials } = this.#current!;
    const notices: Notice[] = [];
    snapshot.transfers.zones.forEach(({ origin, transfer }, zone) => {
      if (!transfer || transfer.notify.length === 0) return;
      const { soa: inFile } = zoneSource(snapshot, zone);
      const serial = serials.served(zone, serialOf(inFile));
      const soa = withSerial(inFile, serial);
      for (const { address, key } of transfer.notify) {
        notices.push({ zone: origin, address, key, soa, serial });
      }
    });
    this.#notifier.use(notices, new Keyring(snapshot.transfers.keys));
  }
}

/** Two lists of records have the same text only if they are the same records. */
function textOf(records: Iterable<PlainRecord>): string {
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
  let text = '';
  for (const { owner, type, ttl_s, rdata } of records) {
    text += `${hex(owner)} ${type} ${ttl_s} ${hex(rdata)}\n`;
  }
  return text;
}
