/** Orders to forget penalties. Each agent of a site remembers for itself, so each is asked. */
import type { PenaltiesReset } from '../api/order.ts';
import { askEach, type ReachOptions } from './api-client.ts';
import { CommandError } from './command-error.ts';

/** Throws, once it has printed what is done, if one of several agents does not answer. */
export async function resetPenalty(
  options: ReachOptions,
  path: string,
  body: object,
  print: (text: string) => void,
): Promise<void> {
  const { answers, silent } = await askEach<PenaltiesReset>(options, path, body);
  const names = [...new Set(answers.flatMap(({ reset }) => reset))];
  print(names.length > 0 ? `reset: ${names.join(', ')}` : 'nothing was held back');
  if (silent.length > 0) throw new CommandError(silent.join('\n'));
}
