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
  siteMetrics(out, status);
  routeMetrics(out, status);
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
  const draining = out.gauge('isobar_draining', '1 while an operator drains this site.');
  draining(flag(status.drain !== null));
}

function siteMetrics(out: Exposition, { sites, endpoints }: Status): void {
  const state = out.gauge('isobar_site_state', 'Always 1; the label holds the state.');
  for (const { site, state: name } of sites) state(1, { site, state: name });
  const load = out.gauge('isobar_site_load_ratio', 'Load by capacity; absent: unknown.');
  for (const { site, load: ratio } of sites) if (ratio !== null) load(ratio, { site });
  const demand = out.gauge(
    'isobar_site_demand_ratio',
    "What a site's own clients would load it with, by capacity.",
  );
  for (const { site, demand: ratio } of sites) if (ratio !== null) demand(ratio, { site });
  const age = out.gauge('isobar_report_age_seconds', 'Age of the newest report.');
  for (const { site, report_age_ms: ms } of sites) if (ms !== null) age(ms / 1000, { site });
  const eligible = out.gauge('isobar_endpoint_eligible', '1 if DNS may answer with it.');
  for (const { id, site, eligible: yes } of endpoints) eligible(flag(yes), { endpoint: id, site });
}

function routeMetrics(out: Exposition, { routes, neighbors }: Status): void {
  const announced = out.gauge('isobar_route_announced', '1 while the VIP is announced.');
  for (const { vip, announce } of routes) announced(flag(announce), { vip });
  const session = out.gauge('isobar_bgp_established', '1 while the session is up.');
  for (const { name, state } of neighbors) {
    session(flag(state === 'Established'), { neighbor: name });
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
