/**
 * What all probes over the network have in common: an attempt settles once, at its timeout at the
 * latest or at once when it is stopped; it never rejects, and what it has opened is then closed.
 */
import type { Clock } from '../base/clock.ts';
import { socketErrorText } from './socket-error.ts';
import type { ProbeResult } from './verdict.ts';

/** Ends the attempt; only the first call counts. */
export type Finish = (ok: boolean, detail: string) => void;

export interface Opened {
  /** Closes everything; called once. */
  readonly close: () => void;
  /** What has not come yet, as in "no connection". */
  readonly waitsFor: () => string;
}

/** `begin` opens what is needed and calls `finish` when it knows; throwing is finishing badly. */
export function attempt(
  timeout_ms: number,
  clock: Clock,
  signal: AbortSignal,
  begin: (finish: Finish) => Opened,
): Promise<ProbeResult> {
  return settleWithin(timeout_ms, clock, signal, failedResult, (finish) =>
    begin((ok, detail) => finish({ ok, detail })),
  );
}

const failedResult = (detail: string): ProbeResult => ({ ok: false, detail });

/** The same for any kind of outcome; `failed` makes one of what went wrong. */
export function settleWithin<Outcome>(
  timeout_ms: number,
  clock: Clock,
  signal: AbortSignal,
  failed: (detail: string) => Outcome,
  begin: (finish: (outcome: Outcome) => void) => Opened,
): Promise<Outcome> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(failed('stopped'));
    let settled = false;
    let opened: Opened | null = null;
    const finish = (outcome: Outcome): void => {
      if (settled) return;
      settled = true;
      timer.cancel();
      signal.removeEventListener('abort', stop);
      opened?.close();
      resolve(outcome);
    };
    const stop = (): void => finish(failed('stopped'));
    const timer = clock.timer(timeout_ms, () => {
      finish(failed(`no ${opened?.waitsFor() ?? 'result'} within ${timeout_ms} ms`));
    });
    signal.addEventListener('abort', stop);
    try {
      opened = begin(finish);
    } catch (error) {
      finish(failed(socketErrorText(error as Error)));
      return;
    }
    if (settled) opened.close();
  });
}
