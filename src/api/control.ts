/** Orders that concern the daemon as a process; its composition root carries them out. */
import type { ConfigFacts } from '../config/changes.ts';
import type { OverrideSight } from '../model/override.ts';

/** What a reload has led to: the answer to POST /v1/reload, printed by `isobar reload`. */
export interface ReloadReport {
  /** What is in use now and was not before, a sentence each. */
  readonly changes: readonly string[];
  /**
   * What was taken over last before this reload, as a file that changes is taken over without being
   * asked; null: nothing since the start.
   */
  readonly earlier: { readonly ago_ms: number; readonly changes: readonly string[] } | null;
  /** BGP sessions that have ended for it, and why, a line each. */
  readonly sessions: readonly string[];
  /** Keys that differ from what the daemon was started with and that it takes only then. */
  readonly restart: readonly string[];
  /** Why something, or all of it, was not taken; those of the files as file:line:column. */
  readonly problems: readonly string[];
}

/** The answer to GET /v1/config: what is in use, for comparison with what might be. */
export interface ConfigInUse {
  readonly site: string;
  /** Of the site; the configuration is as this agent sees it. */
  readonly agent: string;
  /** Absolute path of the directory that the configuration is read from. */
  readonly dir: string;
  readonly config: ConfigFacts;
}

/** The answer to POST /v1/leave: what the process that goes hands to the one that comes. */
export interface Farewell {
  readonly pid: number;
  readonly overrides: readonly OverrideSight[];
}

export interface Control {
  /** Absolute path of the directory that the configuration is read from. */
  readonly dir: string;
  /** Reads all files again; resolves when what is good is in force. Never rejects. */
  reload(): Promise<ReloadReport>;
  /** Ends the daemon in order, as SIGTERM does, since another process has taken over. */
  leave(): void;
}
