/** The secrets of TSIG keys, from the files that a configuration names. No error tells what is in one. */
import { err, ok, type Result } from '../base/result.ts';
import type { TsigSecret } from '../dns/transfer/signing.ts';
import type { TsigKey } from '../model/config.ts';
import { readSecret } from './load.ts';

/** Fewer octets can be guessed; 32 and more are usual (RFC 2104 §3). */
const TSIG_OCTETS_MIN = 16;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The key with the secret in the file that it names; the error begins with the file. */
export async function readTsigKey(key: TsigKey): Promise<Result<TsigSecret, string>> {
  const { name, algorithm, secret_file } = key;
  const text = await readSecret(secret_file);
  if (!text.ok) return err(`${secret_file}: ${text.error}`);
  if (!BASE64.test(text.value)) return err(`${secret_file}: not base64: write the secret alone`);
  const secret = Uint8Array.from(Buffer.from(text.value, 'base64'));
  if (secret.length >= TSIG_OCTETS_MIN) return ok({ name, algorithm, secret });
  return err(`${secret_file}: too short: write at least ${TSIG_OCTETS_MIN} octets in base64`);
}
