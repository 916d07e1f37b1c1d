/** The documents lead somewhere: every file that they name and every link between them exists. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../support/deployment.ts';

const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(projectRoot, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];
const read = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');

test('every link from one document to another leads to a file', () => {
  const dead = documents.flatMap((file) =>
    [...read(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1]!)
      .filter((target) => !existsSync(join(projectRoot, dirname(file), target)))
      .map((target) => `${file}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test('every source file that a document names exists', () => {
  const gone = documents.flatMap((file) =>
    [...read(file).matchAll(/`((?:[\w.-]+\/)+[\w.-]+\.ts)`/g)]
      .map((match) => match[1]!)
      .filter(
        (path) => ![path, join('src', path)].some((one) => existsSync(join(projectRoot, one))),
      )
      .map((path) => `${file}: ${path}`),
  );
  assert.deepEqual(gone, []);
});
