/**
 * Conditions of the configuration: expressions over what this site knows of its services and itself.
 *
 * Must hold: three-valued, so that nothing changes for want of a probe.
 */
import type { Condition } from '../model/bgp.ts';
import { countOf, type Outcome } from './three-valued.ts';

/** What conditions are about, for one site and one VIP. */
export interface Facts {
  /** Whether the service has a healthy endpoint at the site; null while no probe there has ended. */
  service(name: string): boolean | null;
  /** The states that the site is in: of its verdict, and its fitness for the VIP. */
  readonly states: readonly string[];
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
      return countOf(condition.of.length, parts(condition.of, facts));
    case 'any':
      return countOf(1, parts(condition.of, facts));
    case 'at-least':
      return countOf(condition.count, parts(condition.of, facts));
  }
}

function parts(of: readonly Condition[], facts: Facts): Outcome[] {
  return of.map((part) => evaluate(part, facts));
}
