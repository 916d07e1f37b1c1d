/**
 * A process of its own that asks a server one query every millisecond and times the answers. It is
 * given the highest priority by who starts it, so that what it times is the server and not the queue
 * for its own core. (Not real-time priority: there Node's timers spin, and the kernel stops who does
 * not sleep for 50 ms of every second.) Arguments: port, queries file of dnsperf, seconds. Prints one line of JSON.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { typeNumber } from '../../src/dns/wire/codes.ts';
import { encodeQuery } from '../../src/dns/wire/message.ts';
import { monotonic_ms } from '../wait.ts';

/** An answer that comes later after the last query counts as lost. */
const LATE_MS = 500;
const IDS = 65_536;

const [port, file, seconds] = process.argv.slice(2);
const queries = readFileSync(file!, 'utf8').trim().split('\n');
const count = Number(seconds) * 1000;
const sentAt = new Float64Array(IDS);
const took: number[] = [];
let sent = 0;

const socket = createSocket('udp4');
socket.on('error', () => {}); // nobody listens for a moment: the query is lost
socket.on('message', (answer) => {
  const id = answer.readUInt16BE(0);
  if (sentAt[id] === 0) return;
  took.push(monotonic_ms() - sentAt[id]!);
  sentAt[id] = 0;
});

function ask(): void {
  const [name, type] = queries[sent % queries.length]!.split(' ');
  const id = sent % IDS;
  const packet = encodeQuery({ id, name: name!, type: typeNumber(type!)! });
  sentAt[id] = monotonic_ms();
  socket.send(packet);
  sent++;
}

function finish(): void {
  took.sort((a, b) => a - b);
  const at = (part: number): number => took[Math.floor((took.length - 1) * part)] ?? Number.NaN;
  const figures = { p50_ms: at(0.5), p99_ms: at(0.99), p999_ms: at(0.999), max_ms: at(1) };
  process.stdout.write(`${JSON.stringify({ ...figures, sent, lost: sent - took.length })}\n`);
  socket.close();
}

socket.connect(Number(port), '127.0.0.1', () => {
  const timer = setInterval(() => {
    ask();
    if (sent < count) return;
    clearInterval(timer);
    setTimeout(finish, LATE_MS);
  }, 1);
});
