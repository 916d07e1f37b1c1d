/**
 * Knot as the judge of whole answers. Knot ends an alias chain where it leaves the zone that was
 * asked; RFC 1034 §4.3.2 step 3a says "go back to step 1", in whichever zone of the server the next
 * name is. So the next name is asked for, too, and the two answers are put together.
 */
import type { HostPort } from '../../src/net/ip.ts';
import { askAll } from './dns-batch.ts';
import type { CorpusQuery } from './dns-corpus.ts';
import { PEER_PAYLOAD } from './dns-peers.ts';
import type { ReadMessage } from './dns-query.ts';

export type Question = Pick<CorpusQuery, 'name' | 'type'>;

const TYPE = { NS: 2, CNAME: 5, ANY: 255 } as const;
const REFUSED = 5;
/** Zones that one chain may pass: more than any server follows aliases. */
const ROUNDS_MAX = 20;

export function askEach(at: HostPort, questions: readonly Question[]): Promise<ReadMessage[]> {
  return askAll(
    at,
    questions.map(({ name, type }) => ({ name, type, edns: { payload: PEER_PAYLOAD } })),
  );
}

/** The name at which an answer's chain of aliases ends; null if the chain is a loop. */
function lastName({ question, answers }: ReadMessage): string | null {
  let name = question.slice(0, question.lastIndexOf(' ')).toLowerCase();
  for (const seen = new Set<string>(); !seen.has(name); ) {
    seen.add(name);
    const alias = answers.find((one) => one.type === TYPE.CNAME && one.name.toLowerCase() === name);
    if (!alias) return name;
    name = alias.data;
  }
  return null;
}

/** The name that another zone of the server must go on with; null if the answer is complete. */
function openEnd(answer: ReadMessage, type: number, origins: ReadonlySet<string>): string | null {
  const { answers, authority } = answer;
  // RFC 1034 §3.6.2: a question that the alias itself matches ends there.
  if (type === TYPE.CNAME || type === TYPE.ANY) return null;
  if (!answers.some((record) => record.type === TYPE.CNAME)) return null;
  const name = lastName(answer);
  if (
    name === null ||
    answers.some((one) => one.type === type && one.name.toLowerCase() === name)
  ) {
    return null;
  }
  if (authority.length === 0) return name;
  // A referral to a zone that the same server has: the closest zone answers.
  const cut = authority[0]!;
  return cut.type === TYPE.NS && origins.has(cut.name.toLowerCase().slice(0, -1)) ? name : null;
}

/** Knot's answers, each carried on along its aliases through the zones `origins`. */
export async function judge(
  knot: HostPort,
  questions: readonly Question[],
  origins: readonly string[],
): Promise<ReadMessage[]> {
  const served = new Set(origins);
  const answers = await askEach(knot, questions);
  const passed = questions.map(() => new Set<string>());
  let open = [...answers.keys()];
  for (let round = 0; round < ROUNDS_MAX && open.length > 0; round++) {
    const next: { at: number; name: string; type: number }[] = [];
    for (const at of open) {
      const { type } = questions[at]!;
      const name = openEnd(answers[at]!, type, served);
      if (name === null || passed[at]!.has(name)) continue;
      passed[at]!.add(name);
      next.push({ at, name, type });
    }
    const more = await askEach(knot, next);
    open = [];
    for (const [i, { at }] of next.entries()) {
      const further = more[i]!;
      if (further.rcode === REFUSED) continue;
      const { rcode, authority, additional } = further;
      const all = [...answers[at]!.answers, ...further.answers];
      answers[at] = { ...answers[at]!, rcode, answers: all, authority, additional };
      open.push(at);
    }
  }
  return answers;
}
