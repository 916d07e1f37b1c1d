/** Small parts for the demo's tests: load balancers on free ports and a plain HTTP client. */
import http from 'node:http';
import { type Clock, SystemClock } from '../../../src/base/clock.ts';
import { ForwardingDriver } from '../../../src/cli/demo/forwarding.ts';
import { LoadBalancer } from '../../../src/cli/demo/load-balancer.ts';

export interface Got {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** One GET on a connection of its own; rejects when the connection fails. */
export function get(port: number, path: string, headers: Record<string, string> = {}) {
  return new Promise<Got>((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, headers, agent: false });
    request.on('error', reject);
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body }),
      );
    });
  });
}

export interface Pair {
  readonly home: LoadBalancer;
  readonly peer: LoadBalancer;
  readonly home_driver: ForwardingDriver;
  readonly peer_driver: ForwardingDriver;
  stop(): Promise<void>;
}

/** A load balancer of site "fra" that may spill to one of site "sin", both listening. */
export async function pair(clock: Clock = new SystemClock()): Promise<Pair> {
  const make = (site: string, forwarding: ForwardingDriver): LoadBalancer =>
    new LoadBalancer({
      name: `${site}-lb1`,
      site,
      address: '127.0.0.1',
      port: 0,
      capacity: 1_000,
      forwarding,
      clock,
    });
  const peer_driver = new ForwardingDriver({ site: 'sin', peers: new Map([['fra', []]]), clock });
  const peer = make('sin', peer_driver);
  await peer.repair();
  const peers = new Map([['sin', [{ address: '127.0.0.1', port: peer.port }]]]);
  const home_driver = new ForwardingDriver({ site: 'fra', peers, clock });
  const home = make('fra', home_driver);
  await home.repair();
  return {
    home,
    peer,
    home_driver,
    peer_driver,
    stop: async () => {
      await Promise.all([home.break(), peer.break(), home_driver.close(), peer_driver.close()]);
    },
  };
}
