/** The TCP probe: a connection is accepted within the timeout. Nothing is sent on it. */
import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { ProbeTarget } from '../model/check.ts';
import { socketErrorText } from './socket-error.ts';
import type { ProbeResult } from './verdict.ts';

export function probeTcp(
  { address, port, check }: ProbeTarget,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve({ ok: false, detail: 'stopped' });
    const socket = connect({ host: address, port });
    let settled = false;
    const finish = (ok: boolean, detail: string): void => {
      if (settled) return;
      settled = true;
      timer.cancel();
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve({ ok, detail });
    };
    const stop = (): void => finish(false, 'stopped');
    const timer = clock.timer(check.timeout_ms, () => {
      finish(false, `no connection within ${check.timeout_ms} ms`);
    });
    signal.addEventListener('abort', stop);
    socket.on('connect', () => finish(true, 'connected'));
    socket.on('error', (error) => finish(false, socketErrorText(error)));
  });
}
