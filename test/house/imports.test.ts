/**
 * The order of the rooms: a folder of src imports only from folders above it in this list, and
 * folders on one line do not import each other (docs/architecture.md).
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ORDER: readonly (readonly string[])[] = [
  ['base'],
  ['net'],
  ['model'],
  ['dns/wire', 'bgp/wire'],
  ['geo'],
  ['decide'],
  ['observe', 'share', 'dns', 'bgp', 'spill'],
  ['config'],
  ['agent'],
  ['api'],
  ['cli'],
];

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const src = join(root, 'src');
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') || file.endsWith('.tsx'))
  .sort();

function roomOf(file: string): { room: string; rank: number } {
  for (const room of ['dns/wire', 'bgp/wire', file.split('/')[0]!]) {
    const rank = ORDER.findIndex((line) => line.includes(room));
    if (rank >= 0 && file.startsWith(`${room}/`)) return { room, rank };
  }
  throw new Error(`${file} lies in no room of the list`);
}

test('every file lies in a room and imports only from rooms above it', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const from = roomOf(file);
    const text = readFileSync(join(src, file), 'utf8');
    for (const match of text.matchAll(/(?:from|import|URL\()\s*\(?['"](\.[^'"]+)['"]/g)) {
      const target = relative(src, join(src, dirname(file), match[1]!));
      if (match[1]!.endsWith('/package.json')) continue; // the version
      if (target.startsWith('..')) {
        wrong.push(`${file} imports ${target}, outside src`);
        continue;
      }
      const to = roomOf(target);
      if (to.room !== from.room && to.rank >= from.rank) wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('time and chance are passed in: the machine clock is touched only in base and agent', () => {
  const wrong = sources
    .filter((file) => !file.startsWith('base/') && !file.startsWith('agent/'))
    .filter((file) =>
      /\bDate\.now\b|\bMath\.random\b|\bsetTimeout\(|\bsetInterval\(|performance\.now/.test(
        readFileSync(join(src, file), 'utf8'),
      ),
    );
  assert.deepEqual(wrong, []);
});

test('threads end themselves: Node aborts when a packet reaches a thread being terminated', () => {
  const wrong = sources.filter((file) =>
    /\.terminate\(/.test(readFileSync(join(src, file), 'utf8')),
  );
  assert.deepEqual(wrong, []);
});

test('decide and model do no I/O', () => {
  const wrong = sources
    .filter((file) => file.startsWith('decide/') || file.startsWith('model/'))
    .filter((file) => /from 'node:/.test(readFileSync(join(src, file), 'utf8')));
  assert.deepEqual(wrong, []);
});

test('no file of src or lab is longer than 450 lines', () => {
  const lab = readdirSync(join(root, 'lab')).filter((file) => file.endsWith('.ts'));
  const long = [
    ...sources.map((file) => join('src', file)),
    ...lab.map((file) => join('lab', file)),
  ]
    .map((file) => [file, readFileSync(join(root, file), 'utf8').split('\n').length] as const)
    .filter(([, lines]) => lines > 450);
  assert.deepEqual(long, []);
});
