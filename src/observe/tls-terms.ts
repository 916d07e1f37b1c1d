/**
 * What a probe asks of a TLS server: its name, whom to trust, and how long the certificate must still
 * be valid. Contexts are kept: making one for each connection would cost more than the handshake.
 */
import { X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { TlsTerms } from '../model/check.ts';

/** The name to send in the TLS ClientHello: never an IP address (RFC 6066 §3); '' sends none. */
export function serverName(terms: Pick<TlsTerms, 'server_name'>, host: string | null): string {
  const name = terms.server_name ?? (host ?? '').replace(/:[0-9]+$/, '');
  return isIP(name.replace(/^\[|\]$/g, '')) ? '' : name;
}

const CA_BYTES_MAX = 1_048_576;
/** As many CA files as a deployment may have checks; more are forgotten, oldest first. */
const CONTEXTS_MAX = 1024;

interface Kept {
  readonly changed_ms: number;
  readonly context: SecureContext;
}

let systemContext: SecureContext | null = null;
const kept = new Map<string, Kept>();

/**
 * Trusts the CAs of the file, which is read again when it has changed, or the system's for null.
 * Throws an Error in words when the file cannot be used.
 */
export function secureContext(ca_file: string | null): SecureContext {
  if (ca_file === null) {
    systemContext ??= createSecureContext();
    return systemContext;
  }
  try {
    const changed_ms = statSync(ca_file).mtimeMs;
    const known = kept.get(ca_file);
    if (known?.changed_ms === changed_ms) return known.context;
    const context = createSecureContext({ ca: readCertificates(ca_file) });
    kept.delete(ca_file);
    kept.set(ca_file, { changed_ms, context });
    if (kept.size > CONTEXTS_MAX) kept.delete(kept.keys().next().value!);
    return context;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`the CA file ${ca_file} cannot be used (${code ?? message})`);
  }
}

function readCertificates(path: string): string {
  // Without O_NONBLOCK the opening of a FIFO that nobody writes would hang.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile() || stat.size > CA_BYTES_MAX) throw new Error('not a small regular file');
    const text = readFileSync(file, 'utf8');
    // Node would take a file without any certificate as one that trusts nobody.
    if (!isCertificate(text)) throw new Error('no certificate in it');
    return text;
  } finally {
    closeSync(file);
  }
}

function isCertificate(text: string): boolean {
  try {
    new X509Certificate(text);
    return true;
  } catch {
    return false;
  }
}

/** When the server's certificate ends, in milliseconds since 1970; null if there is none. */
export function certificateEnd(socket: TLSSocket): number | null {
  const { valid_to } = socket.getPeerCertificate();
  const end = Date.parse(valid_to);
  return Number.isNaN(end) ? null : end;
}

const DAY_MS = 86_400_000;

/** Null when the certificate is valid for long enough at `wall`, else what is wrong. */
export function whyCertificateEnds(
  { certificate_days_min }: Pick<TlsTerms, 'certificate_days_min'>,
  end: number | null,
  wall: number,
): string | null {
  if (certificate_days_min === null) return null;
  if (end === null) return 'the server has sent no certificate';
  const days = Math.floor((end - wall) / DAY_MS);
  if (days >= certificate_days_min) return null;
  if (end <= wall) return 'the certificate has expired';
  return `the certificate ends in ${days} days, expected at least ${certificate_days_min}`;
}
