/**
 * A router's kernel table as a stream: when each route came and went, as `ip monitor` stamps it on
 * receiving the kernel's message, on the monotonic clock. IPv4 host routes only.
 */
import type { ChildProcess } from 'node:child_process';
import type { Namespace } from '../netns.ts';
import { monotonic_ms, onLine, until } from '../wait.ts';

/** From a command to its effect, at most. */
const EFFECT_MS = 30_000;

/** "[2026-01-01T00:00:00.000000] Deleted 198.18.0.1 via …"; the address of a host route has no length. */
const LINE = /^\[([^\]]+)\] ?(Deleted )?(?:unicast )?([0-9.]+) /;

export class RouteWatch {
  readonly #child: ChildProcess;
  /** When something last happened to a route, by its address. */
  readonly #last = new Map<string, number>();
  readonly #offset_ms = wallOffset_ms();
  #wanted: { readonly there: boolean; missing: Set<string> } | null = null;

  constructor(space: Namespace) {
    this.#child = space.spawn('ip', '-ts', 'monitor', 'route');
    onLine(this.#child, (line) => this.#take(line));
  }

  /** Waits until it really listens: `poke` adds and removes a route of its own. */
  async ready(poke: () => Promise<void>): Promise<void> {
    await until('the route monitor', EFFECT_MS, async () => {
      await poke();
      return this.#last.size > 0;
    });
  }

  /**
   * The time at which the last of `addresses` came (or went) after `command` was given; `command` gives
   * the time at which it was.
   */
  async after(
    command: () => Promise<number>,
    addresses: readonly string[],
    there: boolean,
  ): Promise<number> {
    for (const address of addresses) this.#last.delete(address);
    this.#wanted = { there, missing: new Set(addresses) };
    const wanted = this.#wanted;
    const began_ms = await command();
    await until('the kernel’s table', EFFECT_MS, () => wanted.missing.size === 0, 1);
    this.#wanted = null;
    return Math.max(...addresses.map((one) => this.#last.get(one)!)) - began_ms;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #take(line: string): void {
    const [, stamp, deleted, address] = LINE.exec(line) ?? [];
    if (stamp === undefined || address === undefined) return;
    const there = deleted === undefined;
    this.#last.set(address, wall_ms(stamp) - this.#offset_ms);
    if (this.#wanted?.there === there) this.#wanted.missing.delete(address);
  }
}

/** A stamp of `ip -ts`, local time with microseconds, as milliseconds of the wall clock. */
export function wall_ms(stamp: string): number {
  const [whole, fraction] = stamp.split('.') as [string, string];
  return new Date(whole).getTime() + Number(`0.${fraction}`) * 1000;
}

/** Wall clock less monotonic clock, to some microseconds: read as the millisecond changes. */
export function wallOffset_ms(): number {
  const before = Date.now();
  let now = before;
  while (now === before) now = Date.now();
  return now - monotonic_ms();
}
