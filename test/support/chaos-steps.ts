/** What is done to Redis servers, and what is told of it: between a test and `store-chaos.ts`. */

/**
 * `reset`: killed and started again, empty; `kill`: killed, and started a while later; `hang`: stopped
 * for longer than a site may be silent; `stall`: for 2 s; `cut`: packets are dropped both ways.
 */
export const FAILURES = ['kill', 'hang', 'reset', 'flush', 'full', 'stall', 'cut'] as const;
export type Failure = (typeof FAILURES)[number];

export interface ChaosStep {
  readonly failure: Failure;
  /** Indices of the servers. */
  readonly servers: readonly number[];
}

export interface ChaosResult {
  readonly sent: number;
  readonly lost: number;
  readonly wrong: readonly string[];
  /** What the router was told: nothing, if no route flapped. */
  readonly routes: readonly string[];
  /** Sites that said that they were on their own, at any time. */
  readonly alone: readonly string[];
  /** From the last heal until every site had heard every other anew, in milliseconds. */
  readonly whole_ms: number;
  /** What was still missing, if that took too long. */
  readonly missing: string;
}
