/** The file that `DnsCookies.secret_file` names: secrets for server cookies (RFC 9018 §4). */
import { err, ok, type Result } from '../base/result.ts';

/** Secrets in one file. A cookie that is none costs one hash for each. */
export const COOKIE_SECRETS_MAX = 8;

/**
 * One secret a line, in 32 hexadecimal digits; empty lines do not count. Gives 16 octets for each, in
 * the file's order; the error names the line and never what is in it.
 */
export function parseCookieSecrets(text: string): Result<readonly Uint8Array[], string> {
  const secrets: Uint8Array[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const digits = line.trim();
    if (digits === '') continue;
    if (!/^[0-9a-f]{32}$/i.test(digits)) {
      return err(`line ${index + 1}: not a secret of 32 hexadecimal digits`);
    }
    if (secrets.length === COOKIE_SECRETS_MAX) {
      return err(`line ${index + 1}: more than ${COOKIE_SECRETS_MAX} secrets`);
    }
    secrets.push(Uint8Array.from(Buffer.from(digits, 'hex')));
  }
  if (secrets.length === 0) return err('empty: write a secret of 32 hexadecimal digits into it');
  return ok(secrets);
}
