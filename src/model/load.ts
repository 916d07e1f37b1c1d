/** How the load of a site is read: in the same unit as the site's `capacity`. */

export type LoadMeterConfig = LoadMeterTiming & LoadSource;

export interface LoadMeterTiming {
  readonly interval_ms: number;
  /** Time constant of the average over the readings; 0: each reading counts as it is. */
  readonly smoothing_ms: number;
}

export type LoadSource =
  | {
      readonly kind: 'json';
      readonly url: string;
      /** Dotted path of the number inside the document, e.g. "load.requests". */
      readonly field: string;
      readonly timeout_ms: number;
    }
  | {
      /** A file that holds one number; older than `stale_ms` counts as unknown. */
      readonly kind: 'file';
      readonly path: string;
      readonly stale_ms: number;
    };
