import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseStubStatus } from '../../src/observe/meter-nginx.ts';
import { projectRoot } from '../support/deployment.ts';

const folder = join(projectRoot, 'test', 'observe', 'recorded');
/** What nginx 1.22.1 wrote, with four connections that wait. */
const page = readFileSync(join(folder, 'nginx-status.txt'), 'utf8');

describe("nginx' stub_status", () => {
  test('its numbers', () => {
    const read = parseStubStatus(page);
    assert.deepEqual(read, {
      ok: true,
      value: { active: 5, waiting: 4, accepted: 43, requests: 43 },
    });
  });

  test('another page, or half of it, is an error', () => {
    for (const text of ['', '<html>', page.slice(0, 60), page.replace('5', '-5'), `${page}x`]) {
      assert.equal(parseStubStatus(text).ok, false, text);
    }
  });

  test('no text makes it throw', () => {
    const cut = fc.tuple(fc.nat(page.length), fc.string(), fc.nat(20));
    const text = cut.map(([at, junk, skip]) => page.slice(0, at) + junk + page.slice(at + skip));
    fc.assert(
      fc.property(text, (damaged) => {
        const read = parseStubStatus(damaged);
        return !read.ok || Object.values(read.value).every((value) => value >= 0);
      }),
    );
  });
});
