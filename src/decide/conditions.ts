/**
 * Conditions of the configuration: expressions over what this site knows of its services and itself.
 *
 * Must hold: three-valued, so that nothing changes for want of a probe. An expression is unknown (null)
 * only while what is known leaves it open.
 */
import type { Condition } from '../model/bgp.ts';

/** What conditions are about, for one site and one VIP. */
export interface Facts {
  /** Whether the service has a healthy endpoint at the site; null while no probe there has ended. */
  service(name: string): boolean | null;
  /** The states that the site is in: of its verdict, and its fitness for the VIP. */
  readonly states: readonly string[];
}

export interface Outcome {
  readonly holds: boolean | null;
  /** What is so, in words: "www.example.com has no healthy endpoint here". */
  readonly why: string;
}

export function evaluate(condition: Condition, facts: Facts): Outcome {
  switch (condition.kind) {
    case 'service': {
      const holds = facts.service(condition.service);
      const what =
        holds === null ? 'has not been probed' : holds ? 'serves' : 'has nothing healthy';
      return { holds, why: `${condition.service} ${what} here` };
    }
    case 'site': {
      const holds = condition.states.some((state) => facts.states.includes(state));
      const wanted = holds ? '' : `, not ${condition.states.join(' or ')}`;
      return { holds, why: `the site is ${[...new Set(facts.states)].join(' and ')}${wanted}` };
    }
    case 'not': {
      const { holds, why } = evaluate(condition.of, facts);
      return { holds: holds === null ? null : !holds, why };
    }
    case 'all':
      return countOf(condition.of.length, condition.of, facts);
    case 'any':
      return countOf(1, condition.of, facts);
    case 'at-least':
      return countOf(condition.count, condition.of, facts);
  }
}

function countOf(needed: number, of: readonly Condition[], facts: Facts): Outcome {
  const parts = of.map((part) => evaluate(part, facts));
  const sure = parts.filter(({ holds }) => holds === true).length;
  const possible = parts.filter(({ holds }) => holds !== false).length;
  const holds = sure >= needed ? true : possible < needed ? false : null;
  // Told are the parts that made it so: for a "no" those that fail, for a "yes" those that hold.
  const telling = parts.filter((part) => part.holds === holds).map(({ why }) => why);
  const tally = needed === of.length || holds !== false ? '' : `only ${sure} of ${needed} hold: `;
  return { holds, why: `${tally}${telling.join(', ')}` };
}
