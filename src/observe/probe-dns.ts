/**
 * The DNS probe: a question over UDP or TCP gets the expected response code, and the expected records are
 * among the answers. The codec is dns2's, which shares no line with the one that isobar answers with,
 * so that isobar's own servers can be probed by it.
 */
import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { Packet } from 'dns2';
import type { Clock } from '../base/clock.ts';
import type { CheckTiming, DnsCheck } from '../model/check.ts';
import { attempt, type Finish, type Opened } from './attempt.ts';
import { type Destination, dial, sourceFor } from './dial.ts';
import { judgeAnswer } from './dns-answer.ts';
import { socketErrorText } from './socket-error.ts';
import type { ProbeResult } from './verdict.ts';

type Ask = CheckTiming & DnsCheck;

const MESSAGE_BYTES_MAX = 65_535;
/** RFC 1035 §4.2.2: each message on TCP is preceded by its length. */
const LENGTH_BYTES = 2;

export function probeDns(
  target: Destination,
  check: Ask,
  clock: Clock,
  signal: AbortSignal,
): Promise<ProbeResult> {
  return attempt(check.timeout_ms, clock, signal, (finish) => {
    const id = randomInt(0x10000);
    const query = encode(id, check);
    const take = (message: Buffer): boolean => {
      const judged = judgeAnswer(message, id, check);
      if (judged) finish(judged.ok, judged.detail);
      return judged !== null;
    };
    return check.transport === 'udp'
      ? askUdp(target, check, query, take, finish)
      : askTcp(target, check, query, take, finish);
  });
}

function encode(id: number, { question, type }: DnsCheck): Buffer {
  const packet = new Packet();
  packet.header.id = id;
  packet.header.rd = 0; // what is probed is a server, not what it may ask others
  const labels = question === '.' ? '' : question;
  packet.questions.push(new Packet.Question(labels, Packet.TYPE[type], Packet.CLASS.IN));
  return packet.toBuffer();
}

function askUdp(
  { address, port }: Destination,
  check: Ask,
  query: Buffer,
  take: (message: Buffer) => boolean,
  finish: Finish,
): Opened {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  let closed = false;
  const failed = (error: Error): void => finish(false, socketErrorText(error));
  socket.on('error', failed);
  // A message that is no answer to this question may be anyone's: the answer may still come.
  socket.on('message', take);
  // Connected, the socket takes nothing but what comes from there, and hears of a closed port. Without
  // a callback a connection that cannot be is an error event, as all that may go wrong.
  socket.on('connect', () => {
    if (!closed) socket.send(query, (error) => error && failed(error));
  });
  socket.bind({ port: 0, address: sourceFor(check, address) ?? undefined, exclusive: true }, () => {
    if (!closed) socket.connect(port, address);
  });
  const close = (): void => {
    closed = true;
    socket.close();
  };
  return { close, waitsFor: () => 'answer' };
}

function askTcp(
  target: Destination,
  check: Ask,
  query: Buffer,
  take: (message: Buffer) => boolean,
  finish: Finish,
): Opened {
  const socket = dial(target, check);
  const parts: Buffer[] = [];
  let size = 0;
  let wanted: number | null = null;
  let connected = false;
  socket.on('connect', () => {
    connected = true;
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
  });
  socket.on('data', (bytes) => {
    parts.push(bytes);
    size += bytes.length;
    if (size < LENGTH_BYTES) return;
    if (wanted === null) wanted = LENGTH_BYTES + Buffer.concat(parts).readUInt16BE();
    if (size < wanted && size <= MESSAGE_BYTES_MAX + LENGTH_BYTES) return;
    const message = Buffer.concat(parts).subarray(LENGTH_BYTES, wanted);
    if (!take(message)) finish(false, 'the answer is not one to this question');
  });
  socket.on('end', () => {
    finish(false, size === 0 ? 'connection closed without an answer' : 'the answer broke off');
  });
  socket.on('error', (error) => finish(false, socketErrorText(error)));
  return {
    close: () => socket.destroy(),
    waitsFor: () => (connected ? 'answer' : 'connection'),
  };
}
