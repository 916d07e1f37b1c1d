/** What an agent says of itself, and of a BGP neighbour, for tests of what is made of it. */
import type { Status } from '../../src/agent/status.ts';
import type { NeighborStatus } from '../../src/bgp/speaker.ts';

/** A site that has only just started. */
export const STARTED: Status = {
  deployment: 'test',
  site: 'fra',
  agent: 'fra',
  version: 'test',
  pid: 1,
  uptime_ms: 0,
  connected: true,
  drain: null,
  load: null,
  load_detail: '',
  load_meters: [],
  sites: [],
  endpoints: [],
  routes: [],
  neighbors: [],
  ranges: [],
  spill: null,
  flows: { kept: 0, sent: {}, guests: {} },
  dns: { listen: [], counters: {} },
};

const NO_MESSAGES = { open: 0, update: 0, notification: 0, keepalive: 0, 'route-refresh': 0 };

export function neighborStatus(changes: Partial<NeighborStatus>): NeighborStatus {
  return {
    name: 'router',
    range: null,
    address: '192.0.2.1',
    port: 179,
    as: 65_000,
    state: 'Idle',
    for_ms: 0,
    silent_ms: null,
    timers: {},
    bfd: null,
    stale_left_ms: null,
    hold_time_ms: null,
    keepalive_ms: null,
    router_id: null,
    local: null,
    remote: null,
    dialled_by: null,
    guarded: false,
    families: [],
    capabilities: [],
    capabilities_out: [],
    messages_in: NO_MESSAGES,
    messages_out: NO_MESSAGES,
    announced_in: 0,
    withdrawn_in: 0,
    ends_of_rib_in: 0,
    faults_in: 0,
    last_fault: null,
    sessions: 1,
    dials: 0,
    refused: 0,
    routes_out: 0,
    routes_pending: 0,
    routes_unsendable: 0,
    received: { ipv4: 0, ipv6: 0, stale: 0, kept: 0, filtered: 0, looped: 0, leaked: 0 },
    vips_missing: null,
    last_error_in: null,
    last_error_out: null,
    last_failure: null,
    ...changes,
  };
}
