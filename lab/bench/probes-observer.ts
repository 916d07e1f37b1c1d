/**
 * The Observer under measurement, alone in its process. Arguments: targets, seconds between two probes
 * of one, seconds to measure. Prints one line of JSON with what the process used once every target
 * had been probed twice, so that the probes are spread over the interval.
 */
import process from 'node:process';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { keepNewSpaceSmall, keepOldSpaceSmall } from '../../src/base/memory.ts';
import { systemPrng } from '../../src/base/prng.ts';
import type { Config, Endpoint } from '../../src/model/config.ts';
import { Observer } from '../../src/observe/observer.ts';
import { type Probe, probe } from '../../src/observe/probe.ts';
import { HTTP_CHECK, testConfig } from '../../test/support/config.ts';
import { pause } from '../wait.ts';
import { WEB_ADDRESSES, WEB_PORT, webAddress } from './probes-web.ts';

const [targets, interval_s, seconds] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
];
const MIB = 1024 ** 2;
const SAMPLE_MS = 250;

/** A load balancer for each address, with as many checks as it takes. */
function config(): Config {
  const small = testConfig();
  const interval_ms = 1000 * interval_s;
  const checks = Array.from({ length: Math.ceil(targets / WEB_ADDRESSES) }, (_, i) => {
    const name = `web${i}`;
    const timing = { interval_ms, interval_failing_ms: interval_ms, timeout_ms: 2_000 };
    return { ...HTTP_CHECK, ...timing, name, path: '/' };
  });
  const each = Array.from({ length: targets }, (_, i) => {
    const load_balancer = `lb-${i % WEB_ADDRESSES}`;
    const check = checks[Math.floor(i / WEB_ADDRESSES)]!;
    return { load_balancer, check, address: webAddress(i), site: 0, port: WEB_PORT };
  });
  const endpoints = each.map(({ load_balancer, check, address }, target): Endpoint => {
    const id = `${load_balancer}/${check.name}`;
    const health = { kind: 'target', target } as const;
    return { ...small.endpoints[0]!, id, load_balancer, address4: address, health };
  });
  const all = each.map((target, i) => ({ ...target, id: `${endpoints[i]!.id}/ipv4` }));
  return { ...small, endpoints, targets: all };
}

let done = 0;
let failed = 0;
let why = '';
const counted: Probe = async (target, clock, signal) => {
  const result = await probe(target, clock, signal);
  done++;
  if (!result.ok && !signal.aborted) {
    failed++;
    why = result.detail;
  }
  return result;
};

// As the daemon does.
keepNewSpaceSmall();
keepOldSpaceSmall();
const options = { clock: new SystemClock(), prng: systemPrng(), log: silentLog, probe: counted };
const observer = new Observer({ ...options, config: config(), site: 'fra' });
observer.start();
await observer.ready;
await pause(2_000 * interval_s);

let memory = 0;
const sampling = setInterval(() => {
  memory = Math.max(memory, process.memoryUsage.rss());
}, SAMPLE_MS);
const [before, began, cpu] = [done, performance.now(), process.cpuUsage()];
await pause(1_000 * seconds);
const used = process.cpuUsage(cpu);
const took_ms = performance.now() - began;
clearInterval(sampling);
const probes = done - before;
const busy_us = used.user + used.system;
const figures = {
  core_percent: busy_us / 10 / took_ms,
  memory_mib: memory / MIB,
  probes_per_s: (1000 * probes) / took_ms,
  cpu_us: busy_us / probes,
  failed,
};
if (failed > 0) process.stderr.write(`the last failure: ${why}\n`);
process.stdout.write(`${JSON.stringify(figures)}\n`);
observer.stop();
