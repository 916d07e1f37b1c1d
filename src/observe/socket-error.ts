/** What went wrong with a connection, in the words of an operator instead of errno's. */

const SENTENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EADDRNOTAVAIL: 'no local address to connect from',
  ETIMEDOUT: 'connection timed out',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name could not be looked up',
  EMFILE: 'too many open files in this process',
  HPE_HEADER_OVERFLOW: 'the headers of the answer are too long',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate cannot be verified',
  CERT_HAS_EXPIRED: 'the certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the answer is not TLS',
};

const SENTENCE_CHARS_MAX = 160;

/** A sentence of at most 160 characters on one line. */
export function socketErrorText(error: Error): string {
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  const { syscall, address } = error as NodeJS.ErrnoException & { address?: string };
  if (code === 'EADDRNOTAVAIL' && syscall === 'bind' && address !== undefined) {
    return `the source ${address} is not an address of this machine`;
  }
  if (Object.hasOwn(SENTENCES, code)) return SENTENCES[code]!;
  // OpenSSL's error, where it came up while Node was writing.
  const [, ssl] = /SSL routines:[^:]*:([^:]+)/.exec(error.message) ?? [];
  if (ssl === 'wrong version number') return SENTENCES.ERR_SSL_WRONG_VERSION_NUMBER!;
  if (ssl !== undefined && code === 'EPROTO') return `TLS failed (${ssl})`;
  if (code.startsWith('HPE_')) return 'the answer is not HTTP';
  const words = error.message || code || 'unknown error';
  return words.replace(/\s+/g, ' ').slice(0, SENTENCE_CHARS_MAX);
}
