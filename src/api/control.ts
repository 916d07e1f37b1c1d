/** Orders that concern the daemon as a process; its composition root carries them out. */

/** What a reload has led to: the answer to POST /v1/reload, printed by `isobar reload`. */
export interface ReloadReport {
  /** What is in use now and was not before, a sentence each. */
  readonly changes: readonly string[];
  /**
   * What was taken over last before this reload, as a file that changes is taken over without being
   * asked; null: nothing since the start.
   */
  readonly earlier: { readonly ago_ms: number; readonly changes: readonly string[] } | null;
  /** Keys that differ from what the daemon was started with and that it takes only then. */
  readonly restart: readonly string[];
  /** Why something, or all of it, was not taken; those of the files as file:line:column. */
  readonly problems: readonly string[];
}

export interface Control {
  /** Reads all files again; resolves when what is good is in force. Never rejects. */
  reload(): Promise<ReloadReport>;
  /** Ends the daemon in order, as SIGTERM does, since another process has taken over. */
  leave(): void;
}
