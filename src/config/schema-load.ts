/** The schema of `load` in sites/NAME.yaml. Descriptions are the reference (docs/configuration.md). */
import { z } from 'zod';
import { duration, fieldPath, filePath, httpUrl } from './values.ts';

const reading = {
  interval: duration(50, 600_000).prefault('1s').describe('Time between two readings.'),
  smoothing: duration(0, 600_000)
    .prefault('5s')
    .describe('Time constant of the average over the readings; 0s: none.'),
};

export const load = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('json').describe('A number in a JSON document, fetched by HTTP.'),
    url: httpUrl().describe('Address of the document.'),
    field: fieldPath().describe('Where the number is: keys joined by dots.'),
    ...reading,
    timeout: duration(10, 600_000)
      .prefault('500ms')
      .describe('A reading without a result after this is unknown; not above `interval`.'),
  }),
  z.strictObject({
    kind: z.literal('file').describe('A number in a file that something else writes.'),
    path: filePath().describe('The file. It must hold one decimal number.'),
    ...reading,
    stale: duration(100, 3_600_000)
      .prefault('10s')
      .describe('A file unchanged for longer counts as unknown.'),
  }),
]);

export type LoadEntry = z.output<typeof load>;
