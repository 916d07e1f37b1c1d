/**
 * The store port: where agents leave their Reports for each other, and the overrides of operators.
 * Implementations: memory (one process) and Redis. All of them run test/contract/store.ts. A store never
 * decides anything and never makes its caller wait.
 */
import type { OverrideSight } from '../model/override.ts';
import type { Report } from '../model/report.ts';

export interface Store {
  /**
   * Makes `report` the newest of its writer, for every subscriber of every agent. Returns at once and
   * never throws: while the store cannot be reached only the newest report is kept for later.
   */
  publish(report: Report): void;
  /**
   * Calls `listener` with every newer report that arrives, from any site, its own included; at
   * first with those already known. Older and repeated reports are never delivered. Reports are
   * validated before they are delivered: a malformed one is counted and dropped.
   */
  subscribe(listener: (report: Report) => void): () => void;
  /**
   * Makes the override the latest of its register, for every subscriber of every agent, unless a later
   * one is known. Returns at once and never throws; while the store cannot be reached it is kept for
   * later.
   */
  putOverride(sight: OverrideSight): void;
  /**
   * Calls `listener` with every later override that arrives, removed ones and its own included; at
   * first with those already known.
   */
  subscribeOverrides(listener: (sight: OverrideSight) => void): () => void;
  /** False while no part of the store can be both read and written. */
  readonly connected: boolean;
  /** The servers that make up the store; empty where there are none. */
  servers(): readonly StoreServer[];
  /** Called with the new value of `connected` whenever it changes. */
  onConnection(listener: (connected: boolean) => void): () => void;
  /** Ends connections and timers within a second; nothing is delivered afterwards. */
  close(): Promise<void>;
}

/** One of the servers that a store is made of. */
export interface StoreServer {
  readonly name: string;
  /** `read-only`: it can be read, so others can be heard through it, but it takes nothing from us. */
  readonly state: 'up' | 'read-only' | 'down';
  /** When `state` began, on the clock that the store was given, in milliseconds. */
  readonly since: number;
  /** Why it is not up, in words; null: it is, or was not tried yet. */
  readonly error: string | null;
}
