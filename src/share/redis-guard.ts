/**
 * What stands between the octets of a Redis server and the client library: everything that a server
 * sends is looked at before the library sees it. The library throws where nobody can catch it when an
 * answer has a form that it does not expect, and believes every length that it is told.
 *
 * Must hold: what passes is RESP3 of bounded size and depth; each answer was asked for; a push is a
 * message, or the answer to SUBSCRIBE. Whatever else comes ends the connection, with an error that says so.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** One answer or push, in octets. */
export const FRAME_BYTES_MAX = 33_554_432;
const LINE_CHARS_MAX = 8_192;
const ELEMENTS_MAX = 16_384;
const DEPTH_MAX = 6;
const LF = 10;
const CRLF_BYTES = 2;

/** How the client library writes the only command whose answer is a push. */
const SUBSCRIBE = Buffer.from('*2\r\n$9\r\nsubscribe\r\n');

/** Kind of a push → the type of its third element. */
const PUSHES: Readonly<Record<string, string>> = { message: '$', subscribe: ':' };
const PUSH_ELEMENTS = 3;

const AGGREGATES = '*~>%';
const BULKS = '$!=';
const LINES = '+-:,(#_';

/** Checks a stream of answers, chunk by chunk, against the commands that were sent. */
export class ReplyScanner {
  /** For each command that waits for its answer: whether it was SUBSCRIBE. */
  readonly #awaited: boolean[] = [];
  /** Elements left of each aggregate that has begun, outermost first. */
  readonly #open: number[] = [];
  /** The part of a line that has come. */
  #line = '';
  /** Octets left of a bulk string, its line end included. */
  #body = 0;
  #frameBytes = 0;
  #inPush = false;
  /** Its first element, as far as it has come. */
  #pushKind = '';
  #pushElements = 0;

  /** `chunk` is one whole command. */
  sent(chunk: Buffer): void {
    this.#awaited.push(chunk.subarray(0, SUBSCRIBE.length).equals(SUBSCRIBE));
  }

  /** Null, or what is wrong with what came; then no more may be scanned. */
  scan(chunk: Buffer): string | null {
    let at = 0;
    while (at < chunk.length) {
      const from = at;
      let problem: string | null = null;
      if (this.#body > 0) {
        at = Math.min(chunk.length, from + this.#body);
        problem = this.#bodyCame(chunk, from, at);
      } else {
        const end = chunk.indexOf(LF, from);
        at = end < 0 ? chunk.length : end + 1;
        problem = this.#lineCame(chunk.toString('latin1', from, at), end >= 0);
      }
      if (problem !== null) return problem;
      this.#frameBytes =
        this.#open.length + this.#body + this.#line.length === 0 ? 0 : this.#frameBytes + at - from;
      if (this.#frameBytes > FRAME_BYTES_MAX) return 'an answer that is too long';
    }
    return null;
  }

  #bodyCame(chunk: Buffer, from: number, to: number): string | null {
    if (this.#inPush && this.#pushElements === 1)
      this.#pushKind += chunk.toString('latin1', from, to);
    this.#body -= to - from;
    return this.#body === 0 ? this.#valueEnded() : null;
  }

  #lineCame(text: string, whole: boolean): string | null {
    this.#line += text;
    if (this.#line.length > LINE_CHARS_MAX) return 'a line that is too long';
    if (!whole) return null;
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) return 'what is no RESP';
    const type = line[0]!;
    const problem = this.#open.length === 0 ? this.#frameBegins(type) : this.#elementBegins(type);
    if (problem !== null) return problem;
    if (LINES.includes(type)) return this.#valueEnded();
    const digits = line.slice(1, -CRLF_BYTES);
    if (!/^(-1|[0-9]{1,9})$/.test(digits)) return 'what is no RESP';
    return this.#lengthCame(type, Number(digits));
  }

  #lengthCame(type: string, length: number): string | null {
    if (BULKS.includes(type)) {
      if (length > FRAME_BYTES_MAX) return 'an answer that is too long';
      if (length < 0) return this.#inPush ? 'a push of no known form' : this.#valueEnded();
      this.#body = length + CRLF_BYTES;
      return null;
    }
    if (!AGGREGATES.includes(type)) return 'what is no RESP';
    if (type === '>' && length !== PUSH_ELEMENTS) return 'a push of no known form';
    const elements = type === '%' ? 2 * length : length;
    if (elements > ELEMENTS_MAX) return 'an answer of too many parts';
    if (elements <= 0) return this.#valueEnded();
    if (this.#open.length >= DEPTH_MAX) return 'an answer that is too deep';
    this.#open.push(elements);
    return null;
  }

  #frameBegins(type: string): string | null {
    this.#inPush = type === '>';
    this.#pushKind = '';
    this.#pushElements = 0;
    if (this.#inPush) return null;
    const subscribe = this.#awaited.shift();
    if (subscribe === undefined) return 'an answer that nobody asked for';
    return subscribe && type !== '-' && type !== '!' ? 'no answer to SUBSCRIBE' : null;
  }

  #elementBegins(type: string): string | null {
    if (!this.#inPush) return type === '>' ? 'a push within an answer' : null;
    this.#pushElements++;
    if (this.#pushElements < PUSH_ELEMENTS) return type === '$' ? null : 'a push of no known form';
    const kind = this.#pushKind.slice(0, -CRLF_BYTES);
    if (PUSHES[kind] !== type) return 'a push of no known form';
    if (kind !== 'subscribe') return null;
    return this.#awaited.shift() === true ? null : 'an answer that nobody asked for';
  }

  #valueEnded(): null {
    while (this.#open.length > 0) {
      const left = this.#open.pop()! - 1;
      if (left > 0) {
        this.#open.push(left);
        break;
      }
    }
    return null;
  }
}

/** The socket of a connection, with everything that comes looked at first. */
export class GuardedSocket extends Duplex {
  readonly #socket: Socket;
  readonly #scanner = new ReplyScanner();

  /** `socket` is connected. */
  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    // The client library begins to listen a little later.
    this.on('error', () => {});
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  /** The client library expects of a socket that it has this. */
  setKeepAlive(on: boolean, delay_ms: number): this {
    this.#socket.setKeepAlive(on, delay_ms);
    return this;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#scanner.sent(chunk);
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #receive(chunk: Buffer): void {
    if (this.destroyed) return;
    const problem = this.#scanner.scan(chunk);
    if (problem !== null) this.destroy(new Error(`the server sent ${problem}`));
    else if (!this.push(chunk)) this.#socket.pause();
  }
}
