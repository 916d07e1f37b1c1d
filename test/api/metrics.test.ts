/** Metrics: what comes and goes must leave no series behind, and what is unknown is no zero. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Status } from '../../src/agent/status.ts';
import { metricsText } from '../../src/api/metrics.ts';
import { neighborStatus, STARTED } from '../support/status.ts';

test('neighbours of a range are counted together, the others one by one', () => {
  const neighbors = [
    neighborStatus({ name: 'spine', state: 'Established', sessions: 3 }),
    neighborStatus({ name: 'rack/10.1.0.7', range: 'rack', state: 'Established' }),
    neighborStatus({ name: 'rack/10.1.0.8', range: 'rack', state: 'OpenSent' }),
  ];
  const text = metricsText({ ...STARTED, neighbors, ranges: ['rack', 'cage'] } satisfies Status);
  assert.match(text, /^isobar_bgp_established\{neighbor="spine"\} 1$/m);
  assert.match(text, /^isobar_bgp_sessions_lost_total\{neighbor="spine"\} 2$/m);
  assert.match(text, /^isobar_bgp_range_sessions\{range="rack"\} 1$/m);
  // One that nobody has connected to is 0 and not absent: that is what an alert looks for.
  assert.match(text, /^isobar_bgp_range_sessions\{range="cage"\} 0$/m);
  assert.doesNotMatch(text, /10\.1\.0/);
});

test('verdicts, votes and penalties of endpoints', () => {
  const endpoint: Status['endpoints'][number] = {
    id: 'fra-lb1/web',
    site: 'fra',
    addresses: ['192.0.2.1'],
    eligible: true,
    reason: { code: 'eviction-guard', text: 'kept' },
    fault: 'path',
    for_ms: 5,
    next_ms: null,
    detail: null,
    votes: { up: 1, down: 1, assigned: 3 },
    penalty: 1000.5,
  };
  const unknown = { ...endpoint, id: 'iad-lb1/web', site: 'iad', fault: null, penalty: null };
  const text = metricsText({ ...STARTED, endpoints: [endpoint, unknown] } satisfies Status);
  const of = '\\{endpoint="fra-lb1/web",site="fra"';
  assert.match(
    text,
    new RegExp(`^isobar_endpoint_verdict${of},reason="eviction-guard"\\} 1$`, 'm'),
  );
  assert.match(text, new RegExp(`^isobar_endpoint_fault${of},fault="path"\\} 1$`, 'm'));
  for (const vote of ['up', 'down', 'none']) {
    assert.match(text, new RegExp(`^isobar_endpoint_votes${of},vote="${vote}"\\} 1$`, 'm'));
  }
  assert.match(text, new RegExp(`^isobar_endpoint_penalty${of}\\} 1000\\.5$`, 'm'));
  assert.match(text, /^isobar_endpoints_guarded 2$/m);
  assert.doesNotMatch(text, /isobar_endpoint_(fault|penalty)\{endpoint="iad/);
});

test('a service of which nobody is eligible', () => {
  const services = [
    { name: 'www.example.com', last_answer_kept: true },
    { name: 'api.example.com', last_answer_kept: false },
  ];
  const text = metricsText({ ...STARTED, services });
  assert.match(text, /^isobar_service_last_answer_kept\{service="www.example.com"\} 1$/m);
  assert.match(text, /^isobar_service_last_answer_kept\{service="api.example.com"\} 0$/m);
});

test('a load meter without a value has an age, or nothing, but no ratio of zero', () => {
  const meter = { kind: 'nginx', value: 5, capacity: 10, age_ms: 1_500, detail: 'read 5' } as const;
  const silent = { ...meter, value: null, age_ms: null };
  const text = metricsText({ ...STARTED, load_meters: [meter, silent] });
  assert.match(text, /^isobar_load_meter_known\{meter="1",kind="nginx"\} 1$/m);
  assert.match(text, /^isobar_load_meter_ratio\{meter="1",kind="nginx"\} 0\.5$/m);
  assert.match(text, /^isobar_load_meter_age_seconds\{meter="1",kind="nginx"\} 1\.5$/m);
  assert.match(text, /^isobar_load_meter_known\{meter="2",kind="nginx"\} 0$/m);
  assert.doesNotMatch(text, /^isobar_load_meter_(ratio|age_seconds)\{meter="2"/m);
});

test('an agent that is silent is told by its site and name', () => {
  const site: Status['sites'][number] = {
    site: 'fra',
    state: 'healthy',
    reason: { code: 'healthy', text: '' },
    load: null,
    demand: null,
    report_age_ms: 5,
    suspect: null,
    uplink: null,
    agents: [
      { agent: 'a', report_age_ms: 5, fresh: true },
      { agent: 'b', report_age_ms: null, fresh: false },
    ],
  };
  const text = metricsText({ ...STARTED, sites: [site] });
  assert.match(text, /^isobar_agent_heard\{site="fra",agent="a"\} 1$/m);
  assert.match(text, /^isobar_agent_heard\{site="fra",agent="b"\} 0$/m);
});
