/**
 * The tools that operators look with print the same for isobar as for Knot and NSD: dig, kdig, drill
 * and delv, over UDP and TCP. What is compared is what each prints, its times and addresses apart.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { prng } from '../../src/base/prng.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { differences, factsOf, repeated } from '../support/dns-compare.ts';
import { makeCorpus } from '../support/dns-corpus.ts';
import { askEach, type Question } from '../support/dns-oracle.ts';
import { startTrio, type Trio } from '../support/dns-trio.ts';
import { need } from '../support/need.ts';

const run = promisify(execFile);

const SEED = 8;
const FAMILIES = 50;
const QUESTIONS_EACH = 60;
/** What a tool is asked that takes all questions in one call. */
const QUESTIONS = 2000;
/** Processes of one tool at once. */
const ABREAST = 4;

/** kdig takes no name that is longer than this as text, escapes and its dot counted. */
const TEXT_MAX = 250;

/** Times, addresses and sizes; and extended errors (RFC 8914), whose words are each server's own. */
const NOISE = /^(;; (query time|server|when|msg|received|from|time|udp)|; <<>>|;?; ede: |$)/;

/** Headers and records, records of a section in order, without what differs from call to call. */
function plain(text: string): string {
  const sections: string[][] = [[]];
  for (const line of text.toLowerCase().split('\n')) {
    const told = line
      .replace(/[,;]? id: \d+/, '')
      .replace(/\s+/g, ' ')
      .trim();
    if (NOISE.test(told)) continue;
    if (told.startsWith(';;')) sections.push([told]);
    else sections.at(-1)!.push(told);
  }
  return sections.map(([head = '', ...records]) => [head, ...records.sort()].join('\n')).join('\n');
}

interface Tool {
  /** How many of the questions it is asked: by what a call, or a connection for each, costs. */
  readonly count: number;
  readonly ask: (at: HostPort, questions: readonly Question[]) => Promise<string[]>;
}

async function eachAlone(
  questions: readonly Question[],
  words: (question: Question) => [string, ...string[]],
): Promise<string[]> {
  const out: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < questions.length; i = next++) {
      const [program, ...args] = words(questions[i]!);
      out[i] = (await run(program, args, { timeout: 10_000 })).stdout;
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, worker));
  return out;
}

/** dig and kdig take many questions in one call, and begin each answer with this. */
const HEADER = /^(?=;; ->>header<<-)/im;

function atOnce(program: string, ...options: string[]): Tool['ask'] {
  return async ({ address, port }, questions) => {
    const words = questions.flatMap(({ name, type }) => ['-q', name, '-t', `TYPE${type}`]);
    const args = [`@${address}`, '-p', String(port), ...options, ...words];
    const { stdout } = await run(program, args, { maxBuffer: 16 * 1024 * 1024, timeout: 20_000 });
    return stdout.split(HEADER).filter((part) => HEADER.test(part));
  };
}

const TOOLS: Readonly<Record<string, Tool>> = {
  dig: {
    count: QUESTIONS,
    ask: atOnce('dig', '+norecurse', '+bufsize=4096', '+nocookie', '+tries=2'),
  },
  'dig by TCP': { count: 200, ask: atOnce('dig', '+norecurse', '+tcp', '+nocookie') },
  kdig: { count: QUESTIONS, ask: atOnce('kdig', '+norec', '+bufsize=4096', '+retry=1') },
  'kdig by TCP, one connection': {
    count: QUESTIONS,
    ask: atOnce('kdig', '+norec', '+tcp', '+keepopen'),
  },
  drill: {
    count: 50,
    ask: ({ address, port }, questions) =>
      eachAlone(questions, ({ name, type }) => [
        'drill',
        ...['-o', 'rd', '-b', '4096', '-p', String(port), `@${address}`, name, `TYPE${type}`],
      ]),
  },
  delv: {
    count: 20,
    ask: ({ address, port }, questions) =>
      eachAlone(questions, ({ name, type }) => [
        'delv',
        ...[`@${address}`, '-p', String(port), '-i', '+noroot', '-q', name, '-t', `TYPE${type}`],
      ]),
  },
};

const programs = ['knotd', 'nsd', 'setpriv', 'dig', 'kdig', 'drill', 'delv'];

describe('what tools print', { skip: need(...programs) }, () => {
  const corpus = makeCorpus(prng(SEED), FAMILIES, QUESTIONS_EACH);
  let trio: Trio;
  let questions: Question[];
  before(async () => {
    trio = await startTrio(corpus.zones);
    // Where those two differ, dns-differential.test.ts says with whom isobar goes.
    const knot = await askEach(trio.knot, corpus.queries);
    const nsd = await askEach(trio.nsd, corpus.queries);
    // Knot gives the alias of a loop several times.
    questions = corpus.queries
      .filter(
        (_, i) =>
          differences(factsOf(knot[i]!), factsOf(nsd[i]!)).length === 0 &&
          repeated(knot[i]!).length === 0,
      )
      .filter(({ name }) => name.length <= TEXT_MAX)
      .slice(0, QUESTIONS);
    assert.equal(questions.length, QUESTIONS);
  });
  after(async () => trio?.stop());

  for (const [name, { count, ask }] of Object.entries(TOOLS)) {
    test(name, async () => {
      // From all over the zones.
      const step = QUESTIONS / count;
      const some = questions.filter((_, i) => i % step === 0);
      const isobar = await ask(trio.isobar, some);
      const knot = await ask(trio.knot, some);
      const nsd = await ask(trio.nsd, some);
      assert.equal(isobar.length, count);
      for (const [i, said] of isobar.entries()) {
        const { name: asked, type } = some[i]!;
        const what = `${asked} TYPE${type}`;
        assert.equal(plain(said), plain(knot[i]!), `${what} and Knot`);
        assert.equal(plain(said), plain(nsd[i]!), `${what} and NSD`);
      }
    });
  }
});
