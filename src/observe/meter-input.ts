/**
 * Where load meters read text from: a URL, a UNIX socket, a file. Each takes no longer and no more than
 * it may, and gives text or an error in words.
 */
import { Buffer } from 'node:buffer';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { err, ok, type Result } from '../base/result.ts';
import { httpGet } from './http-get.ts';
import { socketErrorText } from './socket-error.ts';

export interface TextLimits {
  readonly timeout_ms: number;
  /** Longer text is an error. */
  readonly bytes_max: number;
}

/** The body of an answer 200. */
export async function fetchText(
  address: string,
  { timeout_ms, bytes_max }: TextLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<string, string>> {
  const url = new URL(address);
  const secure = url.protocol === 'https:';
  const target = {
    secure,
    address: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    path: url.pathname + url.search,
    host: url.host,
    verify: true,
  };
  const outcome = await httpGet(target, { timeout_ms, body_bytes_max: bytes_max }, clock, signal);
  if (outcome.kind === 'failed') return err(outcome.detail);
  if (outcome.status !== 200) return err(`HTTP ${outcome.status}, expected 200`);
  if (outcome.cut) return err(`the document is longer than ${bytes_max} bytes`);
  return ok(outcome.body);
}

/** What the server at a UNIX socket writes, until it closes, after `question`. */
export function askSocket(
  path: string,
  question: string,
  { timeout_ms, bytes_max }: TextLimits,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<string, string>> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(err('stopped'));
    const socket = connect({ path });
    const finish = (result: Result<string, string>): void => {
      timer.cancel();
      signal.removeEventListener('abort', stop);
      socket.destroy();
      resolve(result);
    };
    const stop = (): void => finish(err('stopped'));
    const timer = clock.timer(timeout_ms, () => {
      finish(err(`no complete answer within ${timeout_ms} ms`));
    });
    signal.addEventListener('abort', stop);
    const parts: Buffer[] = [];
    let size = 0;
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      size += part.length;
      if (size > bytes_max) finish(err(`the answer is longer than ${bytes_max} bytes`));
    });
    socket.on('end', () => finish(ok(Buffer.concat(parts).toString('utf8'))));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT';
      finish(err(missing ? `there is no socket ${path}` : socketErrorText(error)));
    });
    socket.on('connect', () => socket.write(question));
  });
}

const PIECE_BYTES = 65_536;

async function readAll(file: FileHandle, bytes_max: number): Promise<Result<string, string>> {
  const parts: Buffer[] = [];
  let size = 0;
  // The kernel's own files have no size and come in pieces.
  while (size <= bytes_max) {
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, bytes_max + 1 - size));
    const { bytesRead } = await file.read(piece, 0, piece.length, null);
    if (bytesRead === 0) return ok(Buffer.concat(parts).toString('utf8'));
    parts.push(piece.subarray(0, bytesRead));
    size += bytesRead;
  }
  return err(`the file is longer than ${bytes_max} bytes`);
}

export interface FileText {
  readonly text: string;
  /** When it was last written, in milliseconds since 1970. */
  readonly written_at: number;
}

/** The text of a regular file. */
export async function readFileText(
  path: string,
  bytes_max: number,
): Promise<Result<FileText, string>> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK the opening of a FIFO that nobody writes would hang a thread.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) return err(`${path} is not a regular file`);
    const text = await readAll(file, bytes_max);
    return text.ok ? ok({ text: text.value, written_at: stat.mtimeMs }) : text;
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return err(missing ? `${path}: no such file` : socketErrorText(error as Error));
  } finally {
    await file?.close();
  }
}
