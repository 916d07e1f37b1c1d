/**
 * The health of an endpoint out of the states of its targets. Three-valued (Kleene): unknown (null)
 * only while what is known leaves it open. Pure.
 */
import type { HealthExpression } from '../model/check.ts';

/** `up` is asked for a target's index in Config.targets. */
export function evaluateHealth(
  health: HealthExpression,
  up: (target: number) => boolean | null,
): boolean | null {
  switch (health.kind) {
    case 'target':
      return up(health.target);
    case 'all':
      return atLeast(health.of.length, health.of, up);
    case 'any':
      return atLeast(1, health.of, up);
    case 'at-least':
      return atLeast(health.count, health.of, up);
  }
}

function atLeast(
  needed: number,
  of: readonly HealthExpression[],
  up: (target: number) => boolean | null,
): boolean | null {
  const parts = of.map((part) => evaluateHealth(part, up));
  if (parts.filter((part) => part === true).length >= needed) return true;
  return parts.filter((part) => part !== false).length < needed ? false : null;
}

/** The targets that the expression asks for, each once. */
export function targetsOf(health: HealthExpression): number[] {
  if (health.kind === 'target') return [health.target];
  return [...new Set(health.of.flatMap(targetsOf))];
}
