/** SipHash-2-4 against the reference implementation's vectors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWords, sipHash24, sipKey } from '../../src/dns/siphash.ts';

/** Of the inputs 00 01 02 03 … by length in octets, under the key 00 01 … 0f; octets in order. */
const VECTORS: readonly (readonly [number, string])[] = [
  [0, '310e0edd47db6f72'],
  [4, 'b7877127e09427cf'],
  [8, '6224939a79f5f593'],
  [12, 'fbe50e86bc8f1e75'],
  [16, 'db9bc2577fcc2a3f'],
  [20, '98eea21af25cd6be'],
  [24, '94af49f6c650adb8'],
  [28, 'a5c91da7acaa4dde'],
  [32, 'ce7cf2722f512771'],
  [36, 'b4a31508beff4d31'],
  [40, 'd0a704536ba93e0e'],
  [44, 'f21df2e41d4535f9'],
  [48, '51a9cb9ecba312e6'],
  [52, 'b274cb8ebf87870a'],
  [56, 'bd838d3aafbf8db7'],
  [60, 'e1915f5cb1eca46c'],
];

test('inputs of whole words give what the reference implementation gives', () => {
  const octets = Uint8Array.from({ length: 64 }, (_, i) => i);
  const key = sipKey(octets.subarray(0, 16));
  const words = new Int32Array(16);
  readWords(words, 0, octets, 0, words.length);
  const result = new Int32Array(2);
  for (const [length, expected] of VECTORS) {
    sipHash24(key, words, length / 4, result);
    const view = new DataView(new ArrayBuffer(8));
    view.setInt32(0, result[0]!, true);
    view.setInt32(4, result[1]!, true);
    assert.equal(Buffer.from(view.buffer).toString('hex'), expected, `${length} octets`);
  }
});
