/** The schema of `checks` in deployment.yaml. Descriptions are the reference (docs/configuration.md). */
import { z } from 'zod';
import { duration, httpHost, httpPath, integer, port } from './values.ts';

const timing = {
  port: port().describe('Port that is probed on every load balancer.'),
  interval: duration(50, 3_600_000)
    .prefault('5s')
    .describe('Time from the start of one probe to the start of the next.'),
  timeout: duration(10, 600_000)
    .prefault('2s')
    .describe('A probe without a result after this has failed; not above `interval`.'),
  rise: integer(1, 100).default(2).describe('Successes in a row that bring an endpoint up.'),
  fall: integer(1, 100).default(3).describe('Failures in a row that bring an endpoint down.'),
  jitter: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe('Part of the interval by which each probe is moved at random.'),
};

const request = {
  path: httpPath().prefault('/').describe('Target of the GET request.'),
  host: httpHost()
    .optional()
    .describe('Host header, and the TLS server name; without it, the address of the endpoint.'),
  expect: z
    .array(integer(100, 599))
    .min(1)
    .max(500)
    .default([200])
    .describe('Status codes that count as healthy.'),
};

export const check = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('http').describe('A GET request answered with an expected status.'),
    ...timing,
    ...request,
  }),
  z.strictObject({
    kind: z.literal('https').describe('The same over TLS.'),
    ...timing,
    ...request,
    verify: z
      .boolean()
      .default(true)
      .describe('Whether a certificate that does not verify fails the probe.'),
  }),
  z.strictObject({
    kind: z.literal('tcp').describe('A TCP connection that is accepted.'),
    ...timing,
  }),
]);

export type CheckEntry = z.output<typeof check>;
