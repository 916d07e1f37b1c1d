/** Values of one check that are each possible but not together. */
import type { Path } from './document.ts';
import type { CheckEntry } from './schema-check.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import { formatDuration } from './values.ts';

type Report = (path: Path, message: string) => void;

export function checkProbes(checks: DeploymentFile['checks'], report: Report): void {
  for (const [name, check] of Object.entries(checks)) {
    if ('of' in check) continue;
    const at = (...path: Path): Path => ['checks', name, ...path];
    checkTimes(check, (key, message) => report(at(key), message));
    if (check.kind === 'http' || check.kind === 'https') {
      const key = check.body_contains === undefined ? 'body_matches' : 'body_contains';
      if (check.method === 'HEAD' && check[key] !== undefined) {
        report(at(key), 'an answer to HEAD has no body: write another method, or remove this');
      }
    }
    if (check.kind === 'tcp' && check.expect_contains === undefined && !check.expect_matches) {
      if (check.send !== '') {
        const message = 'what is sent changes nothing without an expected answer';
        report(at('send'), `${message}: add expect_contains or expect_matches`);
      }
    }
  }
}

function checkTimes(check: CheckEntry, report: (key: string, message: string) => void): void {
  const { interval, interval_failing = interval, timeout } = check;
  if (timeout <= interval && timeout <= interval_failing) return;
  const key = interval_failing < interval ? 'interval_failing' : 'interval';
  const least = formatDuration(Math.min(interval, interval_failing));
  report('timeout', `the timeout is above the ${key}: write at most ${least}, or raise the ${key}`);
}
