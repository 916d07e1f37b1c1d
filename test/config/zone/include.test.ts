import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { zoneFolder } from '../../../src/config/zone/include.ts';
import { need } from '../../support/need.ts';

let root = '';

before(() => {
  root = mkdtempSync(join(tmpdir(), 'isobar-zones-'));
  mkdirSync(join(root, 'zones/sub'), { recursive: true });
  mkdirSync(join(root, 'zones-other'));
  writeFileSync(join(root, 'secret'), 'secret');
  writeFileSync(join(root, 'zones-other/a'), 'other');
  writeFileSync(join(root, 'zones/a'), 'text a');
  writeFileSync(join(root, 'zones/sub/b'), 'text b');
  symlinkSync('../secret', join(root, 'zones/link-out'));
  symlinkSync('..', join(root, 'zones/folder-out'));
  symlinkSync('../zones-other/a', join(root, 'zones/link-beside'));
  symlinkSync('sub/b', join(root, 'zones/link-in'));
});

after(() => {
  rmSync(root, { recursive: true });
});

test('files below the folder of zones are read, links that stay inside too', () => {
  const zones = join(root, 'zones');
  const read = zoneFolder(zones, 'zones');
  const content = (path: string): string => {
    const outcome = read(path);
    assert.ok(outcome.ok);
    return `${outcome.value.file}: ${Buffer.from(outcome.value.bytes)}`;
  };
  assert.equal(content('a'), 'zones/a: text a');
  assert.equal(content('./sub/b'), 'zones/sub/b: text b');
  assert.ok(read('link-in').ok);
});

test('nothing outside the folder is read, whichever way a path leads there', () => {
  const read = zoneFolder(join(root, 'zones'), 'zones');
  const refusal = (path: string): string => {
    const outcome = read(path);
    assert.ok(!outcome.ok, path);
    return outcome.error;
  };
  assert.match(refusal(join(root, 'zones/a')), /leaves the folder of zones/);
  assert.match(refusal('../secret'), /leaves the folder of zones/);
  assert.match(refusal('sub/../a'), /leaves the folder of zones/);
  assert.match(refusal('link-out'), /link that leads out/);
  assert.match(refusal('folder-out/secret'), /link that leads out/);
  assert.match(refusal('link-beside'), /link that leads out/);
  assert.match(refusal('gone'), /no such file in the folder of zones/);
  assert.match(refusal('sub'), /"sub": not a regular file/);
  assert.match(refusal('a/b'), /cannot be read: ENOTDIR/);
  assert.match(refusal('a\0b'), /cannot be read/);
});

describe('a named pipe', { skip: need('mkfifo') }, () => {
  test('is not waited for', () => {
    execFileSync('mkfifo', [join(root, 'zones/pipe')]);
    const outcome = zoneFolder(join(root, 'zones'), 'zones')('pipe');
    assert.ok(!outcome.ok);
    assert.match(outcome.error, /"pipe": not a regular file/);
  });
});
