/** `isobar reload`: what a reload has led to, for people. */
import type { ReloadReport } from '../api/control.ts';
import { duration } from './table.ts';

/** Without the problems, which are an error's text. */
export function reloadText({ changes, earlier, restart }: ReloadReport): string {
  const lines = [...changes];
  if (changes.length === 0) lines.push('nothing has changed');
  if (changes.length === 0 && earlier) {
    lines.push(`the last change was taken over ${duration(earlier.ago_ms)} ago:`);
    lines.push(...earlier.changes.map((line) => `  ${line}`));
  }
  if (restart.length > 0) lines.push(`restart needed for: ${restart.join(', ')}`);
  return lines.join('\n');
}
