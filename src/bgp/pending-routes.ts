/**
 * Routes that wait to be announced: those with equal attributes together, since they share UPDATEs,
 * and the attributes that have waited longest first. A prefix waits at most once.
 */
import type { Form } from './out-form.ts';
import type { LocalRoute } from './route.ts';

/** A route in the form that it has in one session. */
export interface OutRoute {
  readonly route: LocalRoute;
  readonly form: Form;
}

interface Bucket {
  readonly form: Form;
  readonly routes: Map<string, LocalRoute>;
}

export class PendingRoutes {
  readonly #buckets = new Map<string, Bucket>();
  /** The bucket of each prefix that waits. */
  readonly #places = new Map<string, Bucket>();

  get size(): number {
    return this.#places.size;
  }

  put({ route, form }: OutRoute): void {
    const before = this.#places.get(route.key);
    if (before?.form.id !== form.id) this.delete(route.key);
    let bucket = this.#buckets.get(form.id);
    if (!bucket) {
      bucket = { form, routes: new Map() };
      this.#buckets.set(form.id, bucket);
    }
    bucket.routes.set(route.key, route);
    this.#places.set(route.key, bucket);
  }

  delete(key: string): void {
    const bucket = this.#places.get(key);
    if (!bucket) return;
    this.#places.delete(key);
    bucket.routes.delete(key);
    if (bucket.routes.size === 0) this.#buckets.delete(bucket.form.id);
  }

  first(): Bucket | null {
    for (const bucket of this.#buckets.values()) return bucket;
    return null;
  }

  clear(): void {
    this.#buckets.clear();
    this.#places.clear();
  }
}
