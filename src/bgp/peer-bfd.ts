/**
 * BFD beside one peer: a session with the peer's lifetime, which survives every change of the BGP
 * session, and changes of its own timers too.
 */
import type { PeerSettings } from './peer-settings.ts';
import type { Bfd, BfdSession, BfdState, BfdStatus } from './ports.ts';

/** What a change means for BGP: its state, and why. Null: there is no BFD any more. */
export type BfdChanged = (state: BfdState | null, text: string) => void;

/**
 * True if the packets go another way, so that another session is needed. With the address, source or
 * interface the whole peer is another.
 */
const another = (a: PeerSettings, b: PeerSettings): boolean => a.bfd?.multihop !== b.bfd?.multihop;

export class PeerBfd {
  readonly #bfd: Bfd;
  readonly #changed: BfdChanged;
  #settings: PeerSettings;
  #opened = false;
  #session: BfdSession | null = null;

  constructor(bfd: Bfd, settings: PeerSettings, changed: BfdChanged) {
    this.#bfd = bfd;
    this.#settings = settings;
    this.#changed = changed;
  }

  status(): BfdStatus | null {
    return this.#session?.status() ?? null;
  }

  open(): void {
    this.#opened = true;
    const { address, source, interface: link, bfd: settings, bfd_key: key } = this.#settings;
    if (!settings || this.#session) return;
    const target = { address, source, interface: link, settings, key };
    const session: BfdSession = this.#bfd.open(target, (state, text) => {
      if (this.#session === session) this.#changed(state, text);
    });
    this.#session = session;
  }

  update(settings: PeerSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    if (!this.#opened) return;
    if (this.#session && settings.bfd && !another(before, settings)) {
      this.#session.update(settings.bfd, settings.bfd_key);
      return;
    }
    const ended = this.#session !== null;
    this.close();
    if (ended) this.#changed(null, 'other settings');
    this.open();
  }

  close(): void {
    const session = this.#session;
    this.#session = null;
    session?.close();
  }
}
