/**
 * A steady load of DNS queries by UDP, counted one by one: each has an id of its own on its socket
 * until its answer is there. Nothing is sent again, so what is lost is seen.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostPort } from '../../src/net/ip.ts';
import { readMessage } from './dns-query.ts';

export interface LoadQuestion {
  readonly server: HostPort;
  /** With any id. */
  readonly query: Uint8Array;
  /** The addresses that are a right answer, sorted, with spaces between. */
  readonly right: string;
}

export interface LoadCounts {
  sent: number;
  /** No answer within `late_max_ms` of the end. */
  lost: number;
  /** What was answered in place of what is right; the first few. */
  readonly wrong: string[];
}

/** The buffers of many sockets together hold what comes while this process cannot run. */
const SOCKETS = 16;
const TICK_MS = 5;
/** After a pause no more than so many at once: a burst of ours is not what is tested. */
const BURST_MAX = 20;
const BUFFER_BYTES = 4 << 20;
const LATE_MAX_MS = 5_000;
const WRONG_MAX = 5;

interface Asker {
  readonly socket: Socket;
  readonly waiting: Map<number, LoadQuestion>;
  next: number;
}

export class DnsLoad {
  readonly #questions: readonly LoadQuestion[];
  readonly #askers: Asker[] = [];
  readonly #per_s: number;
  readonly #late_max_ms: number;
  #counts: LoadCounts = { sent: 0, lost: 0, wrong: [] };
  #turn = 0;
  #timer: NodeJS.Timeout | null = null;

  private constructor(questions: readonly LoadQuestion[], per_s: number, late_max_ms: number) {
    this.#questions = questions;
    this.#per_s = per_s;
    this.#late_max_ms = late_max_ms;
  }

  /** `per_s` queries a second in total, from now on, the questions in turn. */
  static async start(
    questions: readonly LoadQuestion[],
    per_s: number,
    late_max_ms = LATE_MAX_MS,
  ): Promise<DnsLoad> {
    const load = new DnsLoad(questions, per_s, late_max_ms);
    for (let i = 0; i < SOCKETS; i++) await load.#open();
    load.#send();
    return load;
  }

  /** What has happened since the last call; waits for answers that are under way. */
  async take(): Promise<LoadCounts> {
    const open = this.#askers.flatMap(({ waiting }) => [...waiting].map((one) => [waiting, one]));
    const asked = open as [Map<number, LoadQuestion>, [number, LoadQuestion]][];
    const missing = () => asked.filter(([waiting, [id, one]]) => waiting.get(id) === one);
    const until = performance.now() + this.#late_max_ms;
    while (missing().length > 0 && performance.now() < until) await sleep(10);
    for (const [waiting, [id]] of missing()) {
      waiting.delete(id);
      this.#counts.lost++;
    }
    const counts = this.#counts;
    this.#counts = { sent: 0, lost: 0, wrong: [] };
    return counts;
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    for (const { socket } of this.#askers) socket.close();
  }

  async #open(): Promise<void> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES });
    const asker: Asker = { socket, waiting: new Map(), next: 0 };
    socket.on('message', (bytes) => this.#answer(asker, bytes));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    this.#askers.push(asker);
  }

  #send(): void {
    let due = 0;
    let last = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      due = Math.min(BURST_MAX, due + ((now - last) * this.#per_s) / 1000);
      last = now;
      for (; due >= 1; due--) this.#ask();
    }, TICK_MS);
  }

  #ask(): void {
    const turn = this.#turn++;
    // Every question goes over every socket in time.
    const asker = this.#askers[Math.floor(turn / this.#questions.length) % SOCKETS]!;
    const question = this.#questions[turn % this.#questions.length]!;
    const id = asker.next++ & 0xffff;
    if (asker.waiting.has(id)) this.#counts.lost++;
    asker.waiting.set(id, question);
    const query = Buffer.from(question.query);
    query.writeUInt16BE(id, 0);
    asker.socket.send(query, question.server.port, question.server.address);
    this.#counts.sent++;
  }

  #answer({ waiting }: Asker, bytes: Buffer): void {
    const { id, rcode, answers } = readMessage(bytes);
    const question = waiting.get(id);
    if (!question) return;
    waiting.delete(id);
    const got = answers
      .map(({ text }) => text)
      .sort()
      .join(' ');
    if (rcode === 0 && got === question.right) return;
    if (this.#counts.wrong.length >= WRONG_MAX) return;
    const { port } = question.server;
    this.#counts.wrong.push(`port ${port}: rcode ${rcode} "${got}", not "${question.right}"`);
  }
}
