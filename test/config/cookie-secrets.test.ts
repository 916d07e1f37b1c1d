import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCookieSecrets } from '../../src/config/cookie-secrets.ts';

const one = '00112233445566778899aabbccddeeff';

test('each line is a secret, in the order of the file', () => {
  const read = parseCookieSecrets(`${one}\r\n\n  FFEEDDCCBBAA99887766554433221100  \n`);
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map((secret) => Buffer.from(secret).toString('hex')),
    [one, 'ffeeddccbbaa99887766554433221100'],
  );
});

test('an error names the line, and never tells the secret', () => {
  for (const [text, error] of [
    ['\n\n', 'empty: write a secret of 32 hexadecimal digits into it'],
    [`${one}\n${one}0`, 'line 2: not a secret of 32 hexadecimal digits'],
    [one.slice(1), 'line 1: not a secret of 32 hexadecimal digits'],
    [`${one}\n`.repeat(9), 'line 9: more than 8 secrets'],
  ] as const) {
    assert.deepEqual(parseCookieSecrets(text), { ok: false, error });
  }
});
