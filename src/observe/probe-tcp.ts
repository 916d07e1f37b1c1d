/**
 * The TCP probe: a connection is accepted, what the check has to say is sent, and what it expects comes
 * back, in the first bytes of the answer and within the timeout.
 */
import { Buffer } from 'node:buffer';
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, TcpCheck } from '../model/check.ts';
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

/** Each piece costs a comparison with all that has come. */
const PIECES_MAX = 100;

/** What has come of the answer, compared at each piece: a server need not close to be healthy. */
class Answer {
  readonly #check: TcpCheck;
  readonly #finish: Finish;
  readonly #bytes: Buffer;
  #size = 0;
  #pieces = 0;
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
    const mismatch = mismatchOf(expect, this.#bytes.toString('utf8', 0, this.#size));
    if (mismatch === null) {
      this.#finish(true, 'the expected answer');
      return;
    }
    this.#wrong = `the answer ${mismatch.why}`;
    if (mismatch.final) this.#finish(false, this.#wrong);
    if (this.#size >= read_bytes_max) {
      this.#finish(false, `${this.#wrong} in its first ${read_bytes_max} bytes`);
    }
    if (++this.#pieces < PIECES_MAX) return;
    this.#finish(false, `${this.#wrong} and comes in more than ${PIECES_MAX} pieces`);
  }

  end(): void {
    const nothing = 'connection closed without an answer';
    this.#finish(false, this.#size === 0 ? nothing : this.#wrong);
  }

  missing(): string {
    return this.#size === 0 ? 'answer' : 'expected answer';
  }
}
