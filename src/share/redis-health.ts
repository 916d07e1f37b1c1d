/** How a server of the store is, and the words of it in the log: of a row of failures the first. */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { StoreServer } from './store.ts';

const COMPLAINTS = {
  down: 'Redis server cannot be used',
  'read-only': 'Redis server can be read but not written',
} as const;

export class ServerHealth {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onChange: () => void;
  #now: StoreServer;

  /** `onChange` is called when the state has changed; it must not throw. */
  constructor(name: string, clock: Clock, log: Log, onChange: () => void) {
    this.#clock = clock;
    this.#log = log;
    this.#onChange = onChange;
    this.#now = { name, state: 'down', since: clock.now(), error: null };
  }

  get now(): StoreServer {
    return this.#now;
  }

  set(state: StoreServer['state'], error: string | null): void {
    const { name, state: before, error: told, since } = this.#now;
    const changed = state !== before;
    if (!changed && error === told) return;
    this.#now = { name, state, since: changed ? this.#clock.now() : since, error };
    if (state === 'up') this.#log.info({}, 'Redis server answers');
    else if (changed || told === null) this.#log.warn({ error }, COMPLAINTS[state]);
    if (changed) this.#onChange();
  }
}
