/** Tells what happens at this site: to the log, and to all who listen. */
import type { Clock } from '../base/clock.ts';
import { Listeners } from '../base/listeners.ts';
import type { Log } from '../base/log.ts';
import type { Happening, SiteEvent } from '../model/event.ts';
import { isLoud } from './events.ts';

export class Teller {
  readonly events: Listeners<SiteEvent>;
  readonly #site: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(site: string, clock: Clock, log: Log) {
    this.#site = site;
    this.#clock = clock;
    this.#log = log;
    this.events = new Listeners((error) => log.error({ error: String(error) }, 'listener failed'));
  }

  tell({ kind, subject, text, reason }: Happening): void {
    this.#log[isLoud({ reason }) ? 'warn' : 'info']({ kind, subject, reason }, text);
    const at_ms = this.#clock.now();
    this.events.emit({ site: this.#site, kind, at_ms, subject, text, reason });
  }
}
