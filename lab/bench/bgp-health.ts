/**
 * A load balancer whose health is set by messages: 200 or, at first, 503. The first answer after a
 * change is told to the parent, with the time just before it was written. Run with a port.
 */
import { createServer } from 'node:http';
import process from 'node:process';
import { monotonic_ms } from '../wait.ts';

export interface HealthChange {
  readonly healthy: boolean;
}

export interface HealthTold {
  /** Null: it listens. */
  readonly at_ms: number | null;
}

let healthy = false;
let changed = false;
const tell = (message: HealthTold): void => void process.send?.(message);

const server = createServer((_, response) => {
  response.statusCode = healthy ? 200 : 503;
  const at_ms = monotonic_ms();
  response.end();
  if (changed) tell({ at_ms });
  changed = false;
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), '127.0.0.1', () => tell({ at_ms: null }));

process.on('message', (change: HealthChange) => {
  healthy = change.healthy;
  changed = true;
});
