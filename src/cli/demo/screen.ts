/**
 * What `npm start` prints: one short screen of things to try, and then one line per event. Fits 100
 * columns and 40 lines. Colour only where `colour` says that the reader is a terminal.
 */
import { styleText } from 'node:util';
import type { Config } from '../../model/config.ts';
import type { EventKind, SiteEvent } from '../../model/event.ts';
import { formatHostPort, type HostPort } from '../../net/ip.ts';
import type { RouteChange, RouteTable } from './ports.ts';

/** True if `stream` is a terminal and the user has not set NO_COLOR (https://no-color.org). */
export function wantsColour(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !env.NO_COLOR;
}

/** The first IPv4 prefix that the configuration counts to a region; null if it has none. */
export function subnetOf(config: Config, region: number): string | null {
  const found = config.geo.prefixes.find(
    (entry) => entry.region === region && !entry.prefix.includes(':'),
  );
  return found?.prefix ?? null;
}

export interface ScreenParts {
  readonly config: Config;
  readonly control: HostPort;
  readonly collector: HostPort;
  readonly router: RouteTable;
  readonly ready_ms: number;
}

export function screen({ config, control, collector, router, ready_ms }: ScreenParts): string[] {
  const home = config.sites[config.regions[0]!.order[0]!]!;
  const name = config.services[0]!.name;
  const victim = config.endpoints.find(
    (endpoint) => config.sites[endpoint.site] === home,
  )!.load_balancer;
  const lever = (path: string): string => `  curl -X POST ${formatHostPort(control)}/${path}`;
  return [
    `isobar: ${config.sites.length} sites in one process, ready after ${ready_ms.toFixed(0)} ms`,
    '',
    'site   DNS (UDP, TCP)     API and metrics           load balancers',
    ...config.sites.map((site) =>
      [
        site.name.padEnd(6),
        formatHostPort(site.dns.listen[0]!).padEnd(18),
        `http://${formatHostPort(site.api.listen)}`.padEnd(25),
        balancersOf(config, site.name).join(' '),
      ].join(' '),
    ),
    '',
    `BGP collector at ${formatHostPort(collector)}, its table:`,
    ...config.vips
      .flatMap((vip) => vip.prefixes)
      .map((prefix) => `  ${prefix.padEnd(24)} from ${router.announcers(prefix).join(', ')}`),
    '',
    'Ask (each client is sent to its own site):',
    `  ${dig(home.dns.listen[0]!, name)}`,
    ...config.regions.map((region, index) => {
      const subnet = `${dig(home.dns.listen[0]!, name)} +subnet=${subnetOf(config, index)}`;
      return `  ${subnet.padEnd(74)} # ${region.name}`;
    }),
    `  ${dig(home.dns.listen[0]!, name)} +tcp`,
    '',
    'Break things, and watch the lines below:',
    `${lever(`break/${victim}`).padEnd(58)} # one load balancer (repair/${victim})`,
    `${lever(`break/${home.name}`).padEnd(58)} # the whole site (repair/${home.name})`,
    `${`  npx isobar drain --site ${home.name}`.padEnd(58)} # an operator's drain (undrain)`,
    `${`  npx isobar override down --endpoint ${victim} --for 1m`.padEnd(58)} # out of use, whatever its health`,
    `${lever(`overload/${home.name}`).padEnd(58)} # 1.4 times its capacity (calm/${home.name})`,
    `${lever(`cut/${home.name}`).padEnd(58)} # off from the store (heal/${home.name})`,
    `  curl ${formatHostPort(control)}/`.padEnd(58).concat(' # all of these'),
    '',
    'Why:',
    `  npx isobar explain ${name} --client ${clientOf(config, 0)} --site ${home.name} --live`,
    `  npx isobar status --site ${home.name}`,
    `${`  npx isobar status --site ${home.name} ${victim}`.padEnd(58)} # who says what of it`,
    '  npx isobar overrides',
    '',
    'Ctrl-C stops everything. What happens:',
  ];
}

function balancersOf(config: Config, site: string): string[] {
  const own = config.endpoints.filter((endpoint) => config.sites[endpoint.site]!.name === site);
  return [...new Set(own.map((endpoint) => endpoint.load_balancer))];
}

function dig(server: HostPort, name: string): string {
  return `dig @${server.address} -p ${server.port} ${name} +short`;
}

/** The first client address in a region's subnet. */
function clientOf(config: Config, region: number): string {
  return (subnetOf(config, region) ?? '192.0.2.0/24').replace(/[0-9]+\/[0-9]+$/, '7');
}

const COLOURS: Partial<Record<EventKind, Parameters<typeof styleText>[0]>> = {
  health: 'yellow',
  answer: 'cyan',
  route: 'magenta',
  bgp: 'magenta',
  spill: 'blue',
  drain: 'yellow',
  override: 'yellow',
  store: 'red',
};

/** One line per event: seconds since `start_ms`, site, kind, subject, what happened and why. */
export function eventLine(event: SiteEvent, start_ms: number, colour: boolean): string {
  const because = event.reason ? ` (${event.reason.text})` : '';
  return line(event.at_ms - start_ms, event.site, event.kind, event.subject, colour, [
    event.text,
    because,
  ]);
}

/** The same for what the collector received, with what its table holds afterwards. */
export function routeLine(
  change: RouteChange,
  announcers: readonly string[],
  start_ms: number,
  colour: boolean,
): string {
  const text = change.announced ? 'announced to' : 'withdrawn from';
  const table = ` (now from ${announcers.join(', ') || 'nobody'})`;
  const words = [`${text} the collector`, table] as const;
  return line(change.at_ms - start_ms, change.site, 'bgp', change.prefix, colour, words);
}

function line(
  after_ms: number,
  site: string,
  kind: EventKind,
  subject: string,
  colour: boolean,
  [text, because]: readonly [string, string],
): string {
  const paint = colour ? COLOURS[kind] : undefined;
  const padded = kind.padEnd(8);
  return [
    `${(after_ms / 1_000).toFixed(3)} s`.padStart(11),
    site.padEnd(4),
    paint ? styleText(paint, padded) : padded,
    subject.padEnd(20),
    `${text}${colour && because ? styleText('dim', because) : because}`,
  ].join('  ');
}
