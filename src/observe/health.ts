/** The health of an endpoint out of what is known of its targets. Pure. */
import { countOf, type Outcome } from '../decide/three-valued.ts';
import type { HealthExpression } from '../model/check.ts';

/** `of` is asked for a target's index in Config.targets. */
export function evaluateHealth(health: HealthExpression, of: (target: number) => Outcome): Outcome {
  if (health.kind === 'target') return of(health.target);
  const parts = health.of.map((part) => evaluateHealth(part, of));
  const count = health.kind === 'at-least' ? health.count : 1;
  return countOf(health.kind === 'all' ? parts.length : count, parts);
}

/** The targets that the expression asks for, each once. */
export function targetsOf(health: HealthExpression): number[] {
  if (health.kind === 'target') return [health.target];
  return [...new Set(health.of.flatMap(targetsOf))];
}
