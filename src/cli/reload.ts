/** `isobar reload`: what a reload has led to, for people. */
import type { ReloadReport } from '../api/control.ts';
import { duration } from './table.ts';

/** What is in force, without the problems, which are an error's text. Empty where only they count. */
export function reloadText(report: ReloadReport): string {
  const { changes, earlier, sessions, restart, problems } = report;
  if (changes.length === 0 && problems.length > 0) return '';
  const lines = [...changes];
  if (changes.length === 0 && !earlier) lines.push('nothing has changed');
  if (changes.length === 0 && earlier) {
    const ago = duration(earlier.ago_ms);
    lines.push(`nothing has changed since ${ago} ago, when this was taken over:`);
    lines.push(...earlier.changes.map((line) => `  ${line}`));
  }
  lines.push(...sessions.map((line) => `BGP session with ${line}`));
  if (restart.length > 0) lines.push(`restart needed for: ${restart.join(', ')}`);
  return lines.join('\n');
}
