import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectGarbage } from '../../src/base/memory.ts';
import { inThread } from '../../src/base/thread.ts';

const module = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);
const thread = new URL('../../src/base/thread.js', import.meta.url);

test('work in a thread gives its outcome, and shared memory stays shared', async () => {
  const memory = new Int32Array(new SharedArrayBuffer(4));
  const work = 'serveThread((words) => { words[0] = 7; return { seen: words.length }; })';
  const entry = module(`import { serveThread } from '${thread}'; ${work}`);
  assert.deepEqual(await inThread(entry, memory), { ok: true, value: { seen: 1 } });
  assert.equal(memory[0], 7);
});

test('a thread that fails or ends early is an error, not a crash', async () => {
  const failed = await inThread(module('throw new Error("no luck")'), null);
  assert.ok(!failed.ok);
  assert.match(failed.error, /no luck/);
  for (const text of ['0', 'process.exit(0)', 'process.exit(3)']) {
    const ended = await inThread(module(text), null);
    assert.deepEqual(ended, { ok: false, error: 'it ended without a word' }, text);
  }
});

test('what nothing refers to is gone after a collection', async () => {
  const gone = new WeakRef(new Int32Array(new SharedArrayBuffer(4)));
  // A reference lives to the end of the turn that read it (ECMA-262 §9.10.3).
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  assert.equal(gone.deref(), undefined);
});
