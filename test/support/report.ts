/** Reports for tests: complete, valid, and as dull as can be. */
import { blankReport, type Report, ROUTE_OFF } from '../../src/model/report.ts';

export function testReport(
  site: string,
  sequence: number,
  overrides: Partial<Report> = {},
): Report {
  return {
    ...blankReport(site),
    incarnation: 1,
    sequence,
    endpoints: { [`${site}-lb1/web`]: { up: true, for_ms: 1000, downs: 0, detail: 'HTTP 200' } },
    load: { used: 90, demand: 100, own: 80, capacity: 200 },
    routes: {
      web: { ...ROUTE_OFF, phase: 'on', fitness: 'healthy', heard: true, age_ms: 0 },
    },
    ...overrides,
  };
}
