/** The agent's state in the Prometheus text exposition format 0.0.4. */
import type { Status } from '../agent/status.ts';

type Labels = Readonly<Record<string, string>>;

type Add = (value: number, labels?: Labels) => void;

class Exposition {
  readonly #lines: string[] = [];

  gauge(name: string, help: string): Add {
    return this.#family(name, 'gauge', help);
  }

  counter(name: string, help: string): Add {
    return this.#family(name, 'counter', help);
  }

  text(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  /** Samples must be added before the next family begins. */
  #family(name: string, type: string, help: string): Add {
    this.#lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    return (value, labels = {}) => {
      const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
      this.#lines.push(`${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`);
    };
  }
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

const flag = (value: boolean): number => (value ? 1 : 0);

export function metricsText(status: Status): string {
  const out = new Exposition();
  agentMetrics(out, status);
  meterMetrics(out, status);
  siteMetrics(out, status);
  endpointMetrics(out, status);
  serviceMetrics(out, status);
  routeMetrics(out, status);
  bgpMetrics(out, status);
  spillMetrics(out, status);
  dnsMetrics(out, status);
  return out.text();
}

function agentMetrics(out: Exposition, status: Status): void {
  const { deployment, site, version } = status;
  out.gauge('isobar_info', 'Always 1; names the agent.')(1, { deployment, site, version });
  const uptime = out.gauge('isobar_uptime_seconds', 'Seconds since the agent started.');
  uptime(status.uptime_ms / 1000);
  const connected = out.gauge('isobar_store_connected', '0 while this site is on its own.');
  connected(flag(status.connected));
  const readable = out.gauge('isobar_store_server_readable', '1 while a store server can be read.');
  const writable = out.gauge('isobar_store_server_writable', '1 while it takes what we write.');
  for (const { name: server, state } of status.store) {
    readable(flag(state !== 'down'), { server });
    writable(flag(state === 'up'), { server });
  }
  const draining = out.gauge('isobar_draining', '1 while an operator drains this site.');
  draining(flag(status.drain !== null));
  const overrides = out.gauge('isobar_overrides', 'What operators have ordered, at all sites.');
  for (const action of ['drain', 'up', 'down']) {
    overrides(status.overrides.filter((one) => one.action === action).length, { action });
  }
}

/** Without a value there is no ratio, least of all zero. */
function meterMetrics(out: Exposition, { load_meters: meters }: Status): void {
  const all = meters.map((meter, i) => [meter, { meter: `${i + 1}`, kind: meter.kind }] as const);
  const known = out.gauge('isobar_load_meter_known', '1 while the load meter gives a value.');
  for (const [{ value }, labels] of all) known(flag(value !== null), labels);
  const ratio = out.gauge('isobar_load_meter_ratio', 'What the load meter says, by its capacity.');
  for (const [{ value, capacity }, labels] of all) {
    if (value !== null) ratio(value / capacity, labels);
  }
  const age = out.gauge('isobar_load_meter_age_seconds', 'Since the last reading with a value.');
  for (const [{ age_ms: ms }, labels] of all) if (ms !== null) age(ms / 1000, labels);
}

function siteMetrics(out: Exposition, { sites }: Status): void {
  const state = out.gauge('isobar_site_state', 'Always 1; the label holds the state.');
  for (const { site, state: name } of sites) state(1, { site, state: name });
  const uplink = out.gauge('isobar_site_uplink', '1 while its uplink works; absent: not known.');
  for (const { site, uplink: up } of sites) if (up !== null) uplink(flag(up), { site });
  const load = out.gauge('isobar_site_load_ratio', 'Load by capacity; absent: unknown.');
  for (const { site, load: ratio } of sites) if (ratio !== null) load(ratio, { site });
  const demand = out.gauge(
    'isobar_site_demand_ratio',
    "What a site's own clients would load it with, by capacity.",
  );
  for (const { site, demand: ratio } of sites) if (ratio !== null) demand(ratio, { site });
  const age = out.gauge('isobar_report_age_seconds', 'Age of the newest report.');
  for (const { site, report_age_ms: ms } of sites) if (ms !== null) age(ms / 1000, { site });
  const heard = out.gauge('isobar_agent_heard', '1 while reports of another agent arrive.');
  for (const { site, agents } of sites) {
    for (const { agent, fresh } of agents) heard(flag(fresh), { site, agent });
  }
  const suspect = out.gauge('isobar_site_suspect', '1 while a site does not trust its own eyes.');
  for (const { site, suspect: why } of sites) suspect(flag(why !== null), { site });
}

function endpointMetrics(out: Exposition, { endpoints }: Status): void {
  const eligible = out.gauge('isobar_endpoint_eligible', '1 if DNS may answer with it.');
  for (const { id, site, eligible: yes } of endpoints) eligible(flag(yes), { endpoint: id, site });
  const verdict = out.gauge('isobar_endpoint_verdict', 'Always 1; the label holds the reason.');
  for (const { id, site, reason } of endpoints) {
    verdict(1, { endpoint: id, site, reason: reason.code });
  }
  const fault = out.gauge('isobar_endpoint_fault', 'Always 1; whose fault it is. Absent: none.');
  for (const { id, site, fault: whose } of endpoints) {
    if (whose !== null) fault(1, { endpoint: id, site, fault: whose });
  }
  const votes = out.gauge('isobar_endpoint_votes', 'Who looks at it, by what they say.');
  for (const { id, site, votes: of } of endpoints) {
    votes(of.up, { endpoint: id, site, vote: 'up' });
    votes(of.down, { endpoint: id, site, vote: 'down' });
    votes(of.assigned - of.up - of.down, { endpoint: id, site, vote: 'none' });
  }
  const penalty = out.gauge('isobar_endpoint_penalty', 'Penalty for coming and going.');
  for (const { id, site, penalty: it } of endpoints) {
    if (it !== null) penalty(it, { endpoint: id, site });
  }
  const guarded = out.gauge('isobar_endpoints_guarded', 'Endpoints in use only by the guard.');
  guarded(endpoints.filter(({ reason }) => reason.code === 'eviction-guard').length);
}

function serviceMetrics(out: Exposition, { services }: Status): void {
  const kept = out.gauge('isobar_service_last_answer_kept', '1 while nobody is eligible.');
  for (const { name, last_answer_kept: yes } of services) kept(flag(yes), { service: name });
}

function routeMetrics(out: Exposition, { routes }: Status): void {
  const announced = out.gauge('isobar_route_announced', '1 while the VIP is announced.');
  for (const { vip, announce } of routes) announced(flag(announce), { vip });
  const fitness = out.gauge('isobar_route_fitness', 'Always 1; the label holds the fitness.');
  for (const { vip, fitness: name } of routes)
    if (name !== null) fitness(1, { vip, fitness: name });
  const why = out.gauge('isobar_route_reason', 'Always 1; the label holds why the route is so.');
  for (const { vip, reason } of routes) why(1, { vip, reason: reason.code });
  const told = out.gauge('isobar_route_neighbors', 'Neighbours and ranges that are told the VIP.');
  for (const { vip, offers } of routes) {
    told(offers.filter(({ announce }) => announce).length, { vip });
  }
  const penalty = out.gauge('isobar_route_penalty', 'Penalty for coming and going.');
  for (const { vip, memory } of routes) if (memory) penalty(memory.penalty, { vip });
  const suppressed = out.gauge('isobar_route_suppressed', '1 while a penalty holds the VIP back.');
  for (const { vip, memory } of routes) if (memory) suppressed(flag(memory.suppressed), { vip });
}

/** Of a range only the sums: whose addresses come and go would leave ever new series behind. */
function bgpMetrics(out: Exposition, { neighbors, ranges }: Status): void {
  const named = neighbors.filter(({ range }) => range === null);
  sessionMetrics(out, named);
  exchangeMetrics(out, named);
  const inRange = out.gauge('isobar_bgp_range_sessions', 'Sessions that are up, by their range.');
  for (const range of ranges) {
    const up = neighbors.filter((one) => one.range === range && isUp(one));
    inRange(up.length, { range });
  }
}

const isUp = ({ state }: Status['neighbors'][number]): boolean => state === 'Established';

function sessionMetrics(out: Exposition, neighbors: Status['neighbors']): void {
  const established = out.gauge('isobar_bgp_established', '1 while the session is up.');
  for (const one of neighbors) established(flag(isUp(one)), { neighbor: one.name });
  const state = out.gauge('isobar_bgp_state', 'Always 1; the label holds the state.');
  for (const { name, state: word } of neighbors) state(1, { neighbor: name, state: word });
  const since = out.gauge(
    'isobar_bgp_up_seconds',
    'Seconds that the session has been up; absent: down.',
  );
  for (const one of neighbors) if (isUp(one)) since(one.for_ms / 1000, { neighbor: one.name });
  const lost = out.counter('isobar_bgp_sessions_lost_total', 'Sessions that were up and ended.');
  for (const one of neighbors) lost(one.sessions - flag(isUp(one)), { neighbor: one.name });
  const guarded = out.gauge('isobar_bgp_guarded', '1 while a thread would withdraw in our place.');
  for (const one of neighbors) guarded(flag(one.guarded), { neighbor: one.name });
  const bfd = out.gauge('isobar_bgp_bfd_up', '1 while BFD is up; absent: not configured.');
  for (const { name, bfd: it } of neighbors)
    if (it) bfd(flag(it.state === 'up'), { neighbor: name });
  const downs = out.counter('isobar_bgp_bfd_downs_total', 'Times that BFD was up and went down.');
  for (const { name, bfd: it } of neighbors) if (it) downs(it.downs, { neighbor: name });
}

function exchangeMetrics(out: Exposition, neighbors: Status['neighbors']): void {
  const messages = out.counter('isobar_bgp_messages_total', 'Messages by direction and type.');
  for (const { name: neighbor, messages_in, messages_out } of neighbors) {
    for (const [direction, counts] of [
      ['in', messages_in],
      ['out', messages_out],
    ] as const) {
      for (const [type, count] of Object.entries(counts)) {
        messages(count, { neighbor, direction, type });
      }
    }
  }
  const faults = out.counter('isobar_bgp_faults_total', 'Messages received with a fault.');
  for (const { name, faults_in } of neighbors) faults(faults_in, { neighbor: name });
  const routes = out.gauge('isobar_bgp_routes_out', 'Our routes by what became of them.');
  for (const { name: neighbor, routes_out, routes_pending, routes_unsendable } of neighbors) {
    routes(routes_out, { neighbor, state: 'announced' });
    routes(routes_pending, { neighbor, state: 'pending' });
    routes(routes_unsendable, { neighbor, state: 'not-carried' });
  }
  const prefixes = out.gauge('isobar_bgp_prefixes_in', 'Prefixes that the neighbour has told us.');
  for (const { name: neighbor, received } of neighbors) {
    prefixes(received.ipv4, { neighbor, family: 'ipv4' });
    prefixes(received.ipv6, { neighbor, family: 'ipv6' });
  }
  const missing = out.gauge(
    'isobar_bgp_vips_missing',
    'VIPs that do not come back from the neighbour; absent: nobody looks.',
  );
  for (const { name, vips_missing: vips } of neighbors) {
    if (vips !== null) missing(vips.length, { neighbor: name });
  }
}

function spillMetrics(out: Exposition, { spill, flows }: Status): void {
  const share = out.gauge('isobar_spill_share_ratio', 'Part of own new flows sent to a peer.');
  for (const [peer, part] of Object.entries(spill?.shares ?? {})) share(part, { peer });
  const total = out.counter('isobar_flows_total', 'New flows by where they went or came from.');
  total(flows.kept, { direction: 'kept', peer: '' });
  for (const [peer, count] of Object.entries(flows.sent)) total(count, { direction: 'sent', peer });
  for (const [peer, count] of Object.entries(flows.guests)) {
    total(count, { direction: 'guest', peer });
  }
}

/** Of what the DNS server counts, the clients that are there now; all else only ever rises. */
const isGauge = (name: string): boolean => name.endsWith('_clients');

function dnsMetrics(out: Exposition, { dns }: Status): void {
  const all = Object.entries(dns.counters);
  for (const [name, count] of all.filter(([name]) => isGauge(name))) {
    const text = `${name.replace(/_clients$/, '').toUpperCase()} connections that are open now.`;
    out.gauge(`isobar_dns_${name}`, text)(count);
  }
  const total = out.counter('isobar_dns_total', 'DNS messages by what became of them.');
  for (const [kind, count] of all.filter(([name]) => !isGauge(name))) total(count, { kind });
}
