/** What the UDP pool tells its worker threads. */
import type { HostPort } from '../net/ip.ts';

/** How packets are moved: batched system calls, or Node's own sockets. */
export type UdpEngine = 'batch' | 'dgram';

export interface UdpPlace {
  readonly listen: HostPort;
  readonly engine: UdpEngine;
}
