/** Words that come from a peer and go to logs and terminals. */

/**
 * With "·" for each character that is not seen: the control characters, which steer a terminal, and
 * those that change the direction of what follows.
 */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '·');
}
