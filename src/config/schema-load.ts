/** The schema of `load` in sites/NAME.yaml. Descriptions are the reference (docs/configuration.md). */
import { z } from 'zod';
import {
  HAPROXY_COUNTERS,
  HAPROXY_GAUGES,
  IPVS_MEASURES,
  LINUX_MEASURES,
  NGINX_MEASURES,
} from '../model/load.ts';
import type { Path } from './document.ts';
import { LOAD_METERS_MAX, LOAD_NAMES_MAX } from './limits.ts';
import { repeated } from './schema-routes.ts';
import { duration, fieldPath, filePath, httpUrl, shown } from './values.ts';
import { commandLine, metricExpression, namePattern, virtualService } from './values-load.ts';

const reading = {
  capacity: z
    .number()
    .positive()
    .optional()
    .describe("In this meter's own unit, for one of several; without it, that of the site."),
  interval: duration(50, 600_000).prefault('1s').describe('Time between two readings.'),
  smoothing: duration(0, 600_000)
    .prefault('5s')
    .describe('Time constant of the average over the readings; 0s: none.'),
};

const timeout = duration(10, 600_000)
  .prefault('500ms')
  .describe('A reading without a result after this is unknown; not above `interval`.');

const proc = filePath().prefault('/proc').describe('Where the proc file system is mounted.');

/** What is done to the keys of a meter. */
type Keys = <Shape extends z.core.$ZodLooseShape>(shape: Shape) => Shape;

const haproxy = (keys: Keys) =>
  z
    .strictObject(
      keys({
        kind: z
          .literal('haproxy')
          .describe("HAProxy's statistics, from its stats socket or by HTTP."),
        socket: filePath().optional().describe('The stats socket; here or `url`.'),
        url: httpUrl()
          .optional()
          .describe('The statistics as CSV, such as http://127.0.0.1:8404/;csv.'),
        proxies: z
          .array(namePattern())
          .min(1)
          .max(LOAD_NAMES_MAX)
          .prefault(['*'])
          .describe('Names of proxies, with * and ?; each must be there.'),
        rows: z
          .enum(['frontend', 'backend', 'server'])
          .default('frontend')
          .describe('Which rows of these proxies are summed; those that are down are left out.'),
        servers: z
          .array(namePattern())
          .min(1)
          .max(LOAD_NAMES_MAX)
          .optional()
          .describe('Names of servers, with * and ?, for `rows: server`; without it, all.'),
        field: z
          .enum([...HAPROXY_GAUGES, ...HAPROXY_COUNTERS])
          .default('scur')
          .describe(
            'Column that is summed; stot, conn_tot, req_tot, bin and bout count as growth per second.',
          ),
        ...reading,
        timeout,
      }),
    )
    .refine(({ socket, url }) => (socket === undefined) !== (url === undefined), {
      error: 'the statistics are read from one place: write either `socket` or `url`',
    })
    .refine(({ rows, servers }) => rows === 'server' || servers === undefined, {
      error: '`servers` chooses among rows of servers: add rows: server, or remove it',
      path: ['servers'],
    });

const ipvs = (keys: Keys) =>
  z
    .strictObject(
      keys({
        kind: z.literal('ipvs').describe("The kernel's IPVS (LVS) on the agent's machine."),
        measure: z
          .enum(IPVS_MEASURES)
          .default('active')
          .describe(
            'Open connections of virtual services, or what all of them carry, both directions.',
          ),
        services: z
          .array(virtualService())
          .max(LOAD_NAMES_MAX)
          .default([])
          .describe(
            'Virtual services that count for `active`, each must be there; without it, all.',
          ),
        proc,
        ...reading,
      }),
    )
    .refine(({ measure, services }) => measure === 'active' || services.length === 0, {
      error:
        'the kernel has rates of all services only: remove `services`, or write measure: active',
      path: ['services'],
    });

const meter = (keys: Keys) =>
  z.discriminatedUnion('kind', [
    haproxy(keys),
    z.strictObject(
      keys({
        kind: z.literal('nginx').describe("nginx' page of stub_status, fetched by HTTP."),
        url: httpUrl().describe('Address of the page.'),
        measure: z
          .enum(NGINX_MEASURES)
          .default('active')
          .describe('Open connections, the same without those that wait for a request, or a rate.'),
        ...reading,
        timeout,
      }),
    ),
    ipvs(keys),
    z.strictObject(
      keys({
        kind: z.literal('prometheus').describe("Metrics in Prometheus' text format, by HTTP."),
        url: httpUrl().describe('Address of the metrics.'),
        expression: metricExpression().describe(
          'The load out of metrics, such as sum(rate(requests_total{code!="503"})) / 1000.',
        ),
        ...reading,
        timeout,
      }),
    ),
    z.strictObject(
      keys({
        kind: z.literal('json').describe('A number in a JSON document, fetched by HTTP.'),
        url: httpUrl().describe('Address of the document.'),
        field: fieldPath().describe('Where the number is: keys joined by dots.'),
        ...reading,
        timeout,
      }),
    ),
    z.strictObject(
      keys({
        kind: z.literal('file').describe('A number in a file that something else writes.'),
        path: filePath().describe('The file. It must hold one decimal number.'),
        ...reading,
        stale: duration(100, 3_600_000)
          .prefault('10s')
          .describe('A file unchanged for longer counts as unknown.'),
      }),
    ),
    z.strictObject(
      keys({
        kind: z.literal('linux').describe("The load of the agent's machine itself."),
        measure: z
          .enum(LINUX_MEASURES)
          .describe('Pressure: percentage of 10 s in which tasks waited; or load average by CPU.'),
        proc,
        ...reading,
      }),
    ),
    z.strictObject(
      keys({
        kind: z.literal('command').describe('A program that prints one decimal number.'),
        command: commandLine().describe('The program and its arguments; no shell is between.'),
        ...reading,
        timeout,
      }),
    ),
  ]);

/** One meter, or several of which the highest ratio counts. */
export const load = z.union(
  [
    meter((shape) => shape),
    z
      .array(meter((shape) => repeated(shape, '`load`')))
      .min(1)
      .max(LOAD_METERS_MAX),
  ],
  {
    error: ({ input }) =>
      `${shown(input)} is not a load meter: write a mapping with "kind", or a list`,
  },
);

export type LoadEntry = z.output<typeof load>;
export type MeterEntry = z.output<ReturnType<typeof meter>>;

/** The meters of an entry, each with its place below `load`. */
export function metersIn(load: LoadEntry): { readonly meter: MeterEntry; readonly at: Path }[] {
  if (!Array.isArray(load)) return [{ meter: load, at: [] }];
  return load.map((meter, i) => ({ meter, at: [i] }));
}
