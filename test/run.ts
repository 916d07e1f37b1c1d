/**
 * The test runner: every `*.test.ts` below test/, each file in a process of its own, on node:test.
 * `npm test -- dns bgp` runs the files whose path contains one of the words. Prints failures in
 * full, one line for each suite that was skipped and why, and ends with `N passed, N failed`.
 */
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import { run } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const words = process.argv.slice(2);

// Only files whose source still exists: dist may hold the output of a test since deleted.
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => existsSync(join(root, 'test', file.replace(/\.js$/, '.ts'))))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()
  .map((file) => join(here, file));

if (files.length === 0) {
  console.error(`no test file matches ${words.join(' ')}`);
  process.exit(1);
}

let passed = 0;
let failed = 0;
let skipped = 0;
const started = performance.now();
const fileName = (path: string | undefined): string =>
  path ? relative(here, path).replace(/\.js$/, '') : '?';

const stream = run({ files, concurrency: Math.max(1, availableParallelism()), timeout: 300_000 });
stream.on('test:pass', (event) => {
  if (event.skip) {
    skipped++;
    console.log(`skipped: ${event.name}: ${event.skip === true ? 'no reason' : event.skip}`);
  } else if (event.details.type !== 'suite') {
    passed++;
  }
});
stream.on('test:fail', (event) => {
  const { error } = event.details;
  // A suite fails with its tests, which are told; only what broke before or after them is news.
  const hook = (error as { failureType?: string }).failureType === 'hookFailed';
  if (event.details.type === 'suite' && !hook) return;
  failed++;
  const cause = error.cause ?? error;
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause);
  console.log(`\nFAILED ${fileName(event.file)}: ${event.name}\n${text}\n`);
});
stream.on('test:stderr', (event) => process.stderr.write(event.message));
stream.on('end', () => {
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${files.length} files in ${seconds} s`);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
});
stream.resume();
