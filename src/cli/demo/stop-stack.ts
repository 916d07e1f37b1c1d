/**
 * What has been started, to be stopped in the reverse order. One part that fails to stop does not
 * keep the others from it.
 */
import type { Clock } from '../../base/clock.ts';

export class StopStack {
  readonly #clock: Clock;
  readonly #within_ms: number;
  readonly #parts: (() => Promise<void> | void)[] = [];

  /** All parts together may take `within_ms` to stop; then they are left as they are. */
  constructor(clock: Clock, within_ms: number) {
    this.#clock = clock;
    this.#within_ms = within_ms;
  }

  push(stop: () => Promise<void> | void): void {
    this.#parts.push(stop);
  }

  /** Gives the errors of the parts that failed to stop. Never rejects. */
  async stop(): Promise<readonly Error[]> {
    const errors: Error[] = [];
    const all = async (): Promise<void> => {
      for (let part = this.#parts.pop(); part; part = this.#parts.pop()) {
        try {
          await part();
        } catch (error) {
          errors.push(error as Error);
        }
      }
    };
    await new Promise<void>((resolve) => {
      const timer = this.#clock.timer(this.#within_ms, () => {
        errors.push(new Error(`not stopped within ${this.#within_ms} ms`));
        resolve();
      });
      void all().then(() => {
        timer.cancel();
        resolve();
      });
    });
    return errors;
  }
}
