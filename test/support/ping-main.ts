/**
 * Pings each address among the arguments once, from whatever namespace and with whatever rights this
 * process was given, and prints what came of it as JSON. test/interop/probe-icmp.test.ts runs it.
 */
import process from 'node:process';
import { SystemClock } from '../../src/base/clock.ts';
import { probeIcmp } from '../../src/observe/probe-icmp.ts';

const timing = { name: 'ping', rise: 1, fall: 1, jitter: 0, interval_ms: 1_000 };
const [source4, ...addresses] = process.argv.slice(2);
const check = {
  ...timing,
  kind: 'icmp',
  interval_failing_ms: 1_000,
  timeout_ms: 1_000,
  source4: source4 || null,
  source6: null,
} as const;
const { signal } = new AbortController();
const results = await Promise.all(
  addresses.map((address) => probeIcmp({ address }, check, new SystemClock(), signal)),
);
process.stdout.write(JSON.stringify(results.map(({ detail }) => detail)));
