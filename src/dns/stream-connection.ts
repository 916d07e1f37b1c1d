/**
 * One connection that carries framed messages, DNS over TCP (RFC 7766) or over TLS (RFC 7858): many
 * queries on it, answered in order. It must hold at any time: no more input than one chunk and one
 * message, no more output than OUTPUT_MAX and one message; while output waits nothing is answered.
 */
import type { Socket } from 'node:net';
import { TCP_MAX, TRANSPORT, type Transport } from './respond.ts';
import { asksHandler } from './stream-asks.ts';
import type { Client, Clients } from './stream-clients.ts';
import type { StreamHandler } from './stream-shared.ts';

/** Octets of answers that are written at once. */
const OUTPUT_MAX = 16 * 1024;
const FRAMES_BYTES = OUTPUT_MAX + 2 + TCP_MAX;
/** A chunk as large as Node makes them at most: there is more, but others are to have their turn. */
const CHUNK_FULL = 64 * 1024;

const NOTHING = new Uint8Array(0);

/** What all connections of the thread share: it answers one query at a time. */
export class Answering {
  readonly #respond: Respond;
  readonly handler: StreamHandler | null;
  readonly clients: Clients;
  #frames = Buffer.alloc(FRAMES_BYTES);
  #used = 0;
  // A query and its answer begin at 0 of their buffers, as `respond` wants them, and are copied:
  // that costs less than a view of each.
  readonly #query = new Uint8Array(TCP_MAX);
  readonly #answer = new Uint8Array(TCP_MAX);

  constructor(respond: Respond, handler: StreamHandler | null, clients: Clients) {
    this.#respond = respond;
    this.handler = handler;
    this.clients = clients;
  }

  /** True when there are enough frames to write. */
  get full(): boolean {
    return this.#used >= OUTPUT_MAX;
  }

  /** Answers the query in `input[from…end]` into the frames. False: it gets no answer. */
  answer(
    input: Uint8Array,
    from: number,
    end: number,
    client: Uint8Array,
    transport: Transport,
  ): boolean {
    copy(input, from, end, this.#query, 0);
    const size = this.#respond(this.#query, end - from, client, this.#answer, transport);
    if (size === 0) return false;
    this.#frame(this.#answer, size);
    return true;
  }

  /** Adds a message; there must be less than OUTPUT_MAX before it. */
  add(message: Uint8Array): void {
    this.#frame(message, message.length);
  }

  /** The frames, to be written before anything else is answered. `unsent` says what became of them. */
  take(): Buffer {
    const frames = this.#frames.subarray(0, this.#used);
    this.#used = 0;
    return frames;
  }

  /** The memory of what `take` gave belongs to a socket that could not send all of it. */
  unsent(): void {
    this.#frames = Buffer.alloc(FRAMES_BYTES);
  }

  #frame(message: Uint8Array, size: number): void {
    const at = this.#used;
    this.#frames[at] = size >>> 8;
    this.#frames[at + 1] = size;
    copy(message, 0, size, this.#frames, at + 2);
    this.#used = at + 2 + size;
  }
}

/** Answers `packet[0…length]` into `out`; see Responder. */
export type Respond = (
  packet: Uint8Array,
  length: number,
  client: Uint8Array,
  out: Uint8Array,
  transport: Transport,
) => number;

export class Connection {
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #answering: Answering;
  readonly #transport: Transport;
  /** What came and is not answered yet: the first `#length` octets. */
  #input = NOTHING;
  #length = 0;
  /** Output waits for the client. */
  #waiting = false;
  /** An answer of the handler that is under way: a zone transfer, or one signed message. */
  #transfer: Iterator<Uint8Array> | null = null;
  #finishing = false;
  /** The client has sent all it will; its queries are still answered. */
  #halfClosed = false;
  readonly #onWritten = (): void => this.#written();

  /** `socket` is the client's own, or TLS over it. */
  constructor(socket: Socket, client: Client, answering: Answering, transport: Transport) {
    this.#socket = socket;
    this.#client = client;
    this.#answering = answering;
    this.#transport = transport;
    client.finish = () => this.#finish();
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('end', () => {
      this.#halfClosed = true;
      this.#go();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#finishing = true;
      this.#endTransfer();
    });
  }

  /**
   * Sends what has been answered and reads no further query. Input is still taken, and dropped: a
   * socket closed over unread input resets the connection, and what the client has not read is gone.
   */
  #finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    this.#endTransfer();
    this.#keep(NOTHING);
    this.#socket.end();
    this.#socket.resume();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#finishing) return;
    this.#answerAll(this.#length === 0 ? chunk : this.#append(chunk));
    if (chunk.length < CHUNK_FULL || this.#waiting) return;
    this.#socket.pause();
    setImmediate(() => this.#resume());
  }

  #resume(): void {
    if (!this.#waiting && !this.#transfer) this.#socket.resume();
  }

  /** RFC 7766 §6.2.1.1: pipelined queries, as many as came, while the client takes the answers. */
  #answerAll(input: Uint8Array): void {
    const answering = this.#answering;
    const { length } = input;
    let at = 0;
    let sound = true;
    while (sound && !this.#waiting && !this.#transfer && length - at >= 2) {
      const end = at + 2 + ((input[at]! << 8) | input[at + 1]!);
      if (end > length) break;
      sound = this.#answer(input, at + 2, end);
      at = end;
      if (answering.full) this.#flush();
    }
    if (at > 0) answering.clients.progress(this.#client);
    this.#flush();
    // What gets no answer is no DNS query; nothing after it can be trusted to be in step.
    if (!sound) this.#finish();
    else this.#keep(input.subarray(at));
    if (this.#waiting || this.#transfer) this.#socket.pause();
    else if (this.#halfClosed) this.#finish();
  }

  #answer(input: Uint8Array, from: number, end: number): boolean {
    const answering = this.#answering;
    const { address } = this.#client;
    const { handler } = answering;
    if (handler && asksHandler(input, from, end)) {
      const messages = handler.answer(new Uint8Array(input.subarray(from, end)), address);
      if (messages) {
        // Begun at once: the handler counts what has begun, and thousands may ask in one turn.
        this.#transfer = messages;
        this.#step();
        setImmediate(() => this.#pump());
        return true;
      }
    }
    return answering.answer(input, from, end, address, this.#transport);
  }

  /** Sends the next messages of a transfer: few at a time, so that others have their turn. */
  #pump(): void {
    const answering = this.#answering;
    if (!this.#transfer || this.#waiting) return;
    while (!answering.full && this.#transfer) this.#step();
    answering.clients.progress(this.#client);
    this.#flush();
    if (!this.#transfer) this.#go();
    else if (!this.#waiting) setImmediate(() => this.#pump());
  }

  /** The next message of a transfer, or its end. */
  #step(): void {
    const next = this.#transfer!.next();
    if (next.done) this.#endTransfer();
    else this.#answering.add(next.value);
  }

  #endTransfer(): void {
    const transfer = this.#transfer;
    this.#transfer = null;
    transfer?.return?.();
  }

  /** Writes the frames. Over TLS they are copied, for it keeps them until they are encrypted. */
  #flush(): void {
    const frames = this.#answering.take();
    if (frames.length === 0) return;
    const socket = this.#socket;
    const encrypted = this.#transport === TRANSPORT.ENCRYPTED;
    socket.write(encrypted ? Buffer.from(frames) : frames, this.#onWritten);
    const left = socket.writableLength;
    if (!encrypted && left > 0) this.#answering.unsent();
    this.#waiting = left > (encrypted ? OUTPUT_MAX : 0);
    if (this.#waiting) this.#hold();
  }

  #written(): void {
    if (!this.#waiting || this.#socket.writableLength > 0) return;
    this.#waiting = false;
    this.#answering.clients.progress(this.#client);
    this.#hold();
    if (this.#transfer) this.#pump();
    else this.#go();
  }

  /** Goes on with what came meanwhile. */
  #go(): void {
    if (this.#finishing || this.#waiting || this.#transfer) return;
    this.#answerAll(this.#input.subarray(0, this.#length));
    if (!this.#finishing) this.#resume();
  }

  /** The chunk after the input that is there already, which becomes part of it. */
  #append(chunk: Uint8Array): Uint8Array {
    const length = this.#length + chunk.length;
    if (length > this.#input.length) {
      // Twice as much, so that a message which comes octet by octet is copied but few times.
      const grown = new Uint8Array(Math.max(length, 2 * this.#input.length));
      grown.set(this.#input.subarray(0, this.#length));
      this.#input = grown;
    }
    this.#input.set(chunk, this.#length);
    this.#length = length;
    return this.#input.subarray(0, length);
  }

  /** `rest` is all that is kept of the input, as a copy: a view would hold on to the whole chunk. */
  #keep(rest: Uint8Array): void {
    const inPlace = rest.buffer === this.#input.buffer && rest.byteOffset === 0;
    if (rest.length === 0) this.#input = NOTHING;
    else if (!inPlace) this.#input = new Uint8Array(rest);
    this.#length = rest.length;
    this.#hold();
  }

  #hold(): void {
    const output = this.#waiting ? FRAMES_BYTES : 0;
    this.#answering.clients.hold(this.#client, this.#input.length + output);
  }
}

/** Short messages, which nearly all are, are copied without a view being made of them. */
function copy(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > 512) to.set(from.subarray(start, end), at);
  else for (let i = start, j = at; i < end; i++, j++) to[j] = from[i]!;
}
