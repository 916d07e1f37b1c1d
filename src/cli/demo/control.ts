/**
 * The demo's levers, for curl: break and repair load balancers or whole sites, set their clients'
 * load, cut a site off from the store; and the load meter's source. Listens on the loopback only.
 *
 * Must hold: a request that names nothing known changes nothing and is told the known names.
 */
import http from 'node:http';
import type { HostPort } from '../../net/ip.ts';
import { listen } from './load-balancer.ts';
import { RATIO_MAX } from './load-generator.ts';

export interface Levers {
  readonly sites: readonly string[];
  readonly load_balancers: readonly string[];
  /** `target` is a site or a load balancer. */
  break(target: string): Promise<void>;
  repair(target: string): Promise<void>;
  /** Sets the load of the site's own clients as a ratio of its capacity. */
  setLoad(site: string, ratio: number): void;
  cut(site: string): void;
  heal(site: string): void;
  /** Requests per second that the site's load balancers serve. */
  requestsPerSecond(site: string): number;
}

/** What `overload` and `calm` set when no ratio is given. */
export const OVERLOAD_RATIO = 1.4;
export const CALM_RATIO = 0.4;

export interface ControlAnswer {
  readonly status: number;
  /** Text is sent as it is, anything else as JSON. */
  readonly body: string | object;
}

interface Lever {
  readonly help: string;
  /** Also takes the name of a load balancer. */
  readonly endpoints: boolean;
  pull(levers: Levers, target: string, query: URLSearchParams): Promise<string> | string;
}

const LEVERS: Readonly<Record<string, Lever>> = {
  break: {
    help: 'the load balancer, or all of the site, refuses connections',
    endpoints: true,
    pull: async (levers, target) => {
      await levers.break(target);
      return `${target} is broken`;
    },
  },
  repair: {
    help: 'it listens again',
    endpoints: true,
    pull: async (levers, target) => {
      await levers.repair(target);
      return `${target} is repaired`;
    },
  },
  overload: {
    help: `its clients send ${OVERLOAD_RATIO} times its capacity (?ratio=1.2 for another)`,
    endpoints: false,
    pull: (levers, target, query) => setLoad(levers, target, query.get('ratio') ?? OVERLOAD_RATIO),
  },
  calm: {
    help: `its clients send ${CALM_RATIO} times its capacity again`,
    endpoints: false,
    pull: (levers, target) => setLoad(levers, target, CALM_RATIO),
  },
  cut: {
    help: 'the site no longer reaches the store',
    endpoints: false,
    pull: (levers, target) => {
      levers.cut(target);
      return `${target} is cut off from the store`;
    },
  },
  heal: {
    help: 'the site reaches the store again',
    endpoints: false,
    pull: (levers, target) => {
      levers.heal(target);
      return `${target} reaches the store again`;
    },
  },
};

function setLoad(levers: Levers, target: string, text: string | number): string {
  const ratio = Number(text);
  if (text === '' || !(ratio >= 0 && ratio <= RATIO_MAX)) {
    throw new RangeError(`ratio is "${text}"; write a number from 0 to ${RATIO_MAX}`);
  }
  levers.setLoad(target, ratio);
  return `the clients of ${target} send ${ratio} times its capacity`;
}

/** Answers one request; the HTTP server below only carries it. */
export async function control(levers: Levers, method: string, url: string): Promise<ControlAnswer> {
  const [pathname = '', query] = url.split('?', 2);
  if (pathname === '/') return { status: 200, body: help(levers) };
  const [verb = '', target = '', ...rest] = pathname.slice(1).split('/');
  const lever = Object.hasOwn(LEVERS, verb) ? LEVERS[verb] : undefined;
  if (rest.length > 0 || (verb !== 'load' && !lever)) {
    return { status: 404, body: `there is no ${pathname}\n\n${help(levers)}` };
  }
  const known = lever?.endpoints ? [...levers.sites, ...levers.load_balancers] : levers.sites;
  if (!known.includes(target)) {
    const text = `"${target}" is not known to ${verb}; known are ${known.join(', ')}\n`;
    return { status: 404, body: text };
  }
  const wanted = lever ? 'POST' : 'GET';
  if (method !== wanted) return { status: 405, body: `${pathname} wants a ${wanted}\n` };
  if (!lever) {
    return { status: 200, body: { requests_per_second: levers.requestsPerSecond(target) } };
  }
  try {
    return {
      status: 200,
      body: `${await lever.pull(levers, target, new URLSearchParams(query))}\n`,
    };
  } catch (error) {
    const status = error instanceof RangeError ? 400 : 500;
    return { status, body: `${(error as Error).message}\n` };
  }
}

function help(levers: Levers): string {
  const lines = Object.entries(LEVERS).map(([verb, lever]) => {
    const target = lever.endpoints ? 'SITE or LOAD-BALANCER' : 'SITE';
    return `POST /${`${verb}/${target}`.padEnd(30)} ${lever.help}`;
  });
  return [
    ...lines,
    `GET  /${'load/SITE'.padEnd(30)} requests per second that the site serves`,
    '',
    `sites: ${levers.sites.join(', ')}`,
    `load balancers: ${levers.load_balancers.join(', ')}`,
    '',
  ].join('\n');
}

/** Serves the levers on `at`; returns how to stop. */
export async function serveControl(levers: Levers, at: HostPort): Promise<() => void> {
  const server = http.createServer((request, response) => {
    void control(levers, request.method ?? '', request.url ?? '/').then(({ status, body }) => {
      const json = typeof body !== 'string';
      response
        .writeHead(status, { 'content-type': json ? 'application/json' : 'text/plain' })
        .end(json ? `${JSON.stringify(body)}\n` : body);
    });
  });
  await listen(server, at.address, at.port);
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
