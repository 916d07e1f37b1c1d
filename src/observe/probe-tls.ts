/** The TLS probe: the handshake succeeds, and the certificate is as the check wants it. */
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, TlsCheck } from '../model/check.ts';
import { attempt } from './attempt.ts';
import { type Destination, dialTls } from './dial.ts';
import { socketErrorText } from './socket-error.ts';
import { certificateEnd, whyCertificateEnds } from './tls-terms.ts';
import type { ProbeResult } from './verdict.ts';

export function probeTls(
  target: Destination,
  check: CheckTiming & TlsCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return attempt(check.timeout_ms, clock, signal, (finish) => {
    const socket = dialTls(target, check, check, null);
    let connected = false;
    socket.on('connect', () => {
      connected = true;
    });
    socket.on('secureConnect', () => {
      const wrong = whyCertificateEnds(check, certificateEnd(socket), clock.wall());
      const version = socket.getProtocol() ?? 'TLS';
      // Our last words of the handshake leave before the connection ends, or the server logs an error.
      socket.end(() => finish(wrong === null, wrong ?? `handshake done (${version})`));
    });
    socket.on('error', (error) => finish(false, socketErrorText(error)));
    socket.on('close', () => finish(false, 'connection closed without a handshake'));
    return {
      close: () => socket.destroy(),
      waitsFor: () => (connected ? 'TLS handshake' : 'connection'),
    };
  });
}
