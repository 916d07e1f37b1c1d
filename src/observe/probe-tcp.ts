/**
 * The TCP probe: a connection is accepted, what the check has to say is sent, and what it expects comes
 * back, in the first bytes of the answer and within the timeout.
 */
import { Buffer } from 'node:buffer';
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, TcpCheck, TextMatch } from '../model/check.ts';
import { attempt, type Finish } from './attempt.ts';
import { type Destination, dial } from './dial.ts';
import { socketErrorText } from './socket-error.ts';
import { mismatchOf } from './text-match.ts';
import type { ProbeResult } from './verdict.ts';

export function probeTcp(
  target: Destination,
  check: CheckTiming & TcpCheck,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return attempt(check.timeout_ms, clock, signal, (finish) => {
    const socket = dial(target, check);
    const answer = new Answer(check, finish);
    let connected = false;
    socket.on('connect', () => {
      connected = true;
      if (check.send !== '') socket.write(Buffer.from(check.send, 'hex'));
      if (check.expect === null) finish(true, 'connected');
    });
    socket.on('data', (bytes) => answer.take(bytes));
    socket.on('end', () => answer.end());
    socket.on('error', (error) => finish(false, socketErrorText(error)));
    return {
      close: () => socket.destroy(),
      waitsFor: () => (connected ? answer.missing() : 'connection'),
    };
  });
}

/** So many pieces are compared as they come, each with all that has come before. */
const EAGER_PIECES = 16;
/** After them, only what has grown so much since: some 55 comparisons at most of what drips. */
const GROWTH = 1.25;

/**
 * What has come of the answer, compared before its end, too: a server need not close to be healthy. As
 * each comparison is made with the whole, a server that drips must not bring about too many.
 */
class Answer {
  readonly #check: TcpCheck;
  readonly #finish: Finish;
  readonly #bytes: Buffer;
  #size = 0;
  #pieces = 0;
  #compared = 0;
  #wrong = '';

  constructor(check: TcpCheck, finish: Finish) {
    this.#check = check;
    this.#finish = finish;
    this.#bytes = Buffer.alloc(check.expect === null ? 0 : check.read_bytes_max);
  }

  take(bytes: Buffer): void {
    const { expect, read_bytes_max } = this.#check;
    if (expect === null) return;
    this.#size += bytes.copy(this.#bytes, this.#size);
    const full = this.#size >= read_bytes_max;
    const grown = this.#size >= this.#compared * GROWTH;
    if (++this.#pieces <= EAGER_PIECES || grown || full) this.#compare(expect);
    if (full) this.#finish(false, `${this.#wrong} in its first ${read_bytes_max} bytes`);
  }

  end(): void {
    const { expect } = this.#check;
    if (expect !== null && this.#size > this.#compared) this.#compare(expect);
    const nothing = 'connection closed without an answer';
    this.#finish(false, this.#size === 0 ? nothing : this.#wrong);
  }

  #compare(expect: TextMatch): void {
    this.#compared = this.#size;
    const why = mismatchOf(expect, this.#bytes.toString('utf8', 0, this.#size));
    if (why === null) this.#finish(true, 'the expected answer');
    else this.#wrong = `the answer ${why}`;
  }

  missing(): string {
    return this.#size === 0 ? 'answer' : 'expected answer';
  }
}
