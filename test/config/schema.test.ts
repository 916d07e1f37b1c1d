/** The schema's three faces: what is accepted, the JSON Schema for editors, and the reference page. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { alternatives, type JsonSchema, jsonSchema } from '../../src/config/json-schema.ts';
import { loadConfig } from '../../src/config/load.ts';
import { editDistance, nearest, suggest } from '../../src/config/nearest.ts';
import { parseFile } from '../../src/config/parse.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { referenceRows } from '../../src/config/reference.ts';
import { siteSchema } from '../../src/config/schema-site.ts';
import { formatDuration, parseDuration } from '../../src/config/values.ts';
import { projectRoot, TempDeployment } from '../support/deployment.ts';

describe('docs/configuration.md', () => {
  const page = readFileSync(join(projectRoot, 'docs', 'configuration.md'), 'utf8');
  const rows = Object.values(jsonSchema()).flatMap((schema) => referenceRows(schema));

  test('has the row of every key, with its type, default and meaning, and no other', () => {
    const written = page.split('\n').filter((line) => line.startsWith('| `'));
    assert.deepEqual(written, rows);
  });

  test('its example is a good deployment', async () => {
    const example = page.slice(page.indexOf('## An example'), page.indexOf('## How values'));
    const yaml = [...example.matchAll(/`([^`\n]+\.yaml)`:\n\n```yaml\n([^`]+)```/g)];
    const zone = /`(zones\/.+\.zone)`:\n\n((?: {4}.+\n)+)/.exec(example)!;
    assert.equal(yaml.length, 3);
    const demo = await TempDeployment.create();
    for (const folder of ['sites', 'zones']) {
      await demo.remove(folder);
      await mkdir(join(demo.dir, folder));
    }
    for (const [, file, text] of yaml) await demo.write(file!, text!);
    await demo.write(zone[1]!, zone[2]!.replace(/^ {4}/gm, ''));
    const loaded = await loadConfig(demo.dir);
    assert.deepEqual(loaded.ok ? [] : loaded.error.map(formatProblem), []);
    await demo.destroy();
  });

  test('every key has a meaning', () => {
    const bare = rows.filter((row) => /\|\s*\|$/.test(row));
    assert.deepEqual(bare, []);
    assert.ok(rows.length > 90, `${rows.length} keys`);
  });
});

test('the JSON Schema forbids unknown keys everywhere and describes every key', () => {
  const wrong: string[] = [];
  const walk = (schema: JsonSchema, path: string): void => {
    for (const branch of alternatives(schema)) {
      if (branch.properties && branch.additionalProperties !== false) wrong.push(path);
      for (const [key, value] of Object.entries(branch.properties ?? {})) {
        if (!value.description) wrong.push(`${path}.${key}`);
        walk(value, `${path}.${key}`);
      }
      if (branch.items) walk(branch.items, `${path}[]`);
      if (typeof branch.additionalProperties === 'object') {
        walk(branch.additionalProperties, `${path}.*`);
      }
    }
  };
  const schemas = jsonSchema();
  for (const [name, schema] of Object.entries(schemas)) walk(schema, name);
  assert.deepEqual(wrong, []);
  assert.deepEqual(schemas.deployment.required, ['deployment']);
  assert.equal(JSON.stringify(schemas).includes('$ref'), false);
  for (const schema of Object.values(schemas)) {
    assert.match(
      JSON.stringify(schema),
      /"\$schema":"http:\/\/json-schema.org\/draft-07\/schema#"/,
    );
    assert.match(JSON.stringify(schema), /"title":"isobar /);
  }
});

test('a duration is a number with a unit, and its text comes back', () => {
  assert.equal(parseDuration('500ms'), 500);
  assert.equal(parseDuration('1.5s'), 1500);
  assert.equal(parseDuration('2m'), 120_000);
  assert.equal(parseDuration('1h'), 3_600_000);
  for (const bad of ['', '5', 's', '-1s', '5 s', '1d', '1e3ms', '0.5ms', '5S']) {
    assert.equal(parseDuration(bad), null, bad);
  }
  fc.assert(
    fc.property(fc.nat(100_000_000), (ms) => {
      assert.equal(parseDuration(formatDuration(ms)), ms);
    }),
  );
});

describe('did you mean', () => {
  test('the distance counts inserted, deleted, replaced letters and swapped neighbours', () => {
    assert.equal(editDistance('weight', 'wieght'), 1);
    assert.equal(editDistance('listen', 'listens'), 1);
    assert.equal(editDistance('', 'abc'), 3);
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        const distance = editDistance(a, b);
        assert.equal(distance, editDistance(b, a));
        assert.equal(distance === 0, a === b);
        assert.ok(distance <= Math.max(a.length, b.length));
      }),
    );
  });

  test('names the nearest word, or lists what there is when none is near', () => {
    assert.equal(nearest('wieght', ['name', 'weight', 'height']), 'weight');
    assert.equal(nearest('Listen', ['listen']), 'listen');
    assert.equal(nearest('zzzzzz', ['name', 'weight']), null);
    assert.equal(suggest('zzzzzz', ['b', 'a']), 'known: a, b');
    assert.equal(suggest('zzzzzz', []), 'there is none');
  });
});

test('no text makes the reader throw, and what has problems is never half accepted', () => {
  const json = jsonSchema().site;
  const good = readFileSync(join(projectRoot, 'sites', 'fra.yaml'), 'utf8');
  const check = (text: string): void => {
    const { problems } = parseFile('sites/fra.yaml', text, siteSchema, json);
    for (const { line, column, message } of problems) {
      assert.ok(line >= 1 && column >= 1 && message !== '' && !message.includes('Invalid input'));
    }
  };
  const piece = fc.constantFrom(
    ...':-[]{},*&!|>%@`"\'#?\n\t ~0a',
    '<<: ',
    '__proto__: ',
    '- ',
    '\0',
  );
  const edit = fc.tuple(fc.nat(good.length), fc.nat(20), fc.array(piece, { maxLength: 4 }));
  fc.assert(
    fc.property(edit, ([at, cut, pieces]) => {
      check(good.slice(0, at) + pieces.join('') + good.slice(at + cut));
    }),
    { numRuns: 300 },
  );
});
