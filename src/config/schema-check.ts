/** The schema of `checks` in deployment.yaml. Descriptions are the reference (docs/configuration.md). */
import { z } from 'zod';
import { ARGUMENTS_MAX, DNS_ANSWERS_MAX, HEADERS_MAX } from './limits.ts';
import { composites, outlook } from './schema-composite.ts';
import {
  address4,
  address6,
  byteSize,
  domainName,
  duration,
  filePath,
  httpHost,
  httpPath,
  integer,
  port,
  shown,
} from './values.ts';
import {
  argument,
  expectedText,
  grpcService,
  headerName,
  headerValue,
  pattern,
  questionName,
  sentText,
  statusRange,
} from './values-check.ts';

const timing = {
  interval: duration(50, 3_600_000)
    .prefault('5s')
    .describe('Time from the start of one probe to the start of the next.'),
  interval_failing: duration(50, 3_600_000)
    .optional()
    .describe('The same while probes fail or have just begun to succeed; without it, `interval`.'),
  timeout: duration(10, 600_000)
    .prefault('2s')
    .describe('A probe without a result after this has failed; not above the intervals.'),
  rise: integer(1, 100).default(2).describe('Successes in a row that bring an endpoint up.'),
  fall: integer(1, 100).default(3).describe('Failures in a row that bring an endpoint down.'),
  jitter: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.1)
    .describe('Part of the interval by which each probe is moved at random.'),
  source: address4()
    .optional()
    .describe(
      'Address that probes of IPv4 addresses come from; every machine that probes must have it.',
    ),
  source6: address6().optional().describe('The same for IPv6 addresses.'),
  ...outlook,
};

const probed = {
  port: port().describe('Port that is probed on every load balancer.'),
  ...timing,
};

const tls = {
  server_name: domainName()
    .optional()
    .describe(
      'Name that the server is told (SNI) and that its certificate must have; without it, `host`.',
    ),
  verify: z
    .boolean()
    .default(true)
    .describe('Whether a certificate that does not verify fails the probe.'),
  ca_file: filePath()
    .optional()
    .describe('File of CA certificates (PEM) to trust instead of the usual ones, on each machine.'),
  certificate_days_min: integer(0, 3650)
    .optional()
    .describe('Days that the certificate must still be valid for; fewer fail the probe.'),
};

const { server_name, ...tlsRest } = tls;
const handshake = {
  server_name: server_name.describe(
    'Name that the server is told (SNI) and that its certificate must have; without it, the address.',
  ),
  ...tlsRest,
};

const status = z.union([integer(100, 599), statusRange()], {
  error: ({ input }) => `${shown(input)} is no status: write one like 200, 200-299 or 2xx`,
});

const request = {
  method: z
    .enum(['GET', 'HEAD', 'OPTIONS', 'POST'])
    .default('GET')
    .describe('Method of the request, which has no body.'),
  path: httpPath().prefault('/').describe('Target of the request.'),
  host: httpHost()
    .optional()
    .describe('Host header, and the TLS server name; without it, the address of the endpoint.'),
  headers: z
    .record(headerName(), headerValue())
    .refine((headers) => Object.keys(headers).length <= HEADERS_MAX, {
      error: `too many headers: write at most ${HEADERS_MAX}`,
    })
    .default({})
    .describe('More headers of the request, by name.'),
  expect: z
    .array(status)
    .min(1)
    .max(500)
    .default([200])
    .describe('Status codes that count as healthy: numbers, ranges like 200-299, or 2xx.'),
  body_contains: expectedText().optional().describe('Text that the body must contain.'),
  body_matches: pattern()
    .optional()
    .describe(
      'Regular expression (of RE2, where a dot is any character; no lookaround, no back-references) that the body must match.',
    ),
  body_max: byteSize(1_000, 1_000_000)
    .prefault('64kB')
    .describe('Of the body so much is read and looked at; what lies beyond does not count.'),
};

export const DNS_TYPES = ['A', 'AAAA', 'NS', 'SOA', 'CNAME', 'MX', 'TXT', 'PTR'] as const;
export const DNS_RCODES = ['NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED'] as const;

/** Each is a branch of `check`, by its `kind`. */
const kinds = [
  z.strictObject({
    kind: z.literal('http').describe('An HTTP request answered with an expected status.'),
    ...probed,
    ...request,
  }),
  z.strictObject({
    kind: z.literal('https').describe('The same over TLS.'),
    ...probed,
    ...request,
    ...tls,
  }),
  z.strictObject({
    kind: z
      .literal('tcp')
      .describe('A TCP connection that is accepted, and what it is to say if anything.'),
    ...probed,
    send: sentText()
      .prefault('')
      .describe('Text to send once connected, with `\\r`, `\\n`, `\\t`, `\\\\` and `\\xHH`.'),
    expect_contains: expectedText().optional().describe('Text that the answer must contain.'),
    expect_matches: pattern()
      .optional()
      .describe('Regular expression that it must match; see `body_matches`.'),
    read_max: byteSize(1_000, 64_000)
      .prefault('4kB')
      .describe('The expected must come within so much of the answer; more is not read.'),
  }),
  z.strictObject({
    kind: z.literal('tls').describe('A TLS handshake, without anything said after it.'),
    ...probed,
    ...handshake,
  }),
  z.strictObject({
    kind: z.literal('dns').describe('A DNS question answered as expected.'),
    port: port().default(53).describe('Port that is asked on every load balancer.'),
    ...timing,
    transport: z.enum(['udp', 'tcp']).default('udp').describe('What the question goes over.'),
    name: questionName().describe('Name to ask for.'),
    type: z.enum(DNS_TYPES).default('A').describe('Type to ask for.'),
    rcode: z.enum(DNS_RCODES).default('NOERROR').describe('Response code that is expected.'),
    answers: z
      .array(expectedText())
      .max(DNS_ANSWERS_MAX)
      .default([])
      .describe(
        'Records that must be among the answers: addresses, names, texts, `10 mail.example.com` (MX).',
      ),
  }),
  z.strictObject({
    kind: z
      .literal('icmp')
      .describe('An ICMP echo request (ping) that is answered: the machine, not its service.'),
    ...timing,
  }),
  z.strictObject({
    kind: z
      .literal('grpc')
      .describe('SERVING as the answer of the gRPC health service (grpc.health.v1).'),
    ...probed,
    service: grpcService()
      .prefault('')
      .describe('Service to ask about; without it, the server as a whole.'),
    host: httpHost()
      .optional()
      .describe('Authority of the request, and the TLS server name; without it, the address.'),
    tls: z.boolean().default(false).describe('Whether to speak TLS.'),
    ...tls,
  }),
  z.strictObject({
    kind: z.literal('command').describe('A program of your own that exits with 0.'),
    port: port().optional().describe('Port that the program is told, if it needs one.'),
    ...timing,
    command: z
      .array(argument())
      .min(1)
      .max(ARGUMENTS_MAX)
      .describe(
        'Program and arguments, run without a shell; see [operations.md](operations.md) for its environment.',
      ),
  }),
] as const;

export const check = z.discriminatedUnion('kind', [...kinds, ...composites]);

/** A check that probes. */
export type CheckEntry = z.output<(typeof kinds)[number]>;
/** The same, or one that is put together from others. */
export type AnyCheckEntry = z.output<typeof check>;
