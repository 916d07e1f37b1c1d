/**
 * Entry of one UDP worker thread: one socket, one loop. With batched calls the thread blocks in
 * recvmmsg and runs no event loop, so it looks for a new snapshot, and for the word to stop, at each
 * batch; the read's timeout bounds how long an idle worker takes to see either.
 */
import { createSocket } from 'node:dgram';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../base/clock.ts';
import { collectGarbage } from '../base/memory.ts';
import { raisePriority } from '../base/thread.ts';
import { formatHostPort, parseAddress } from '../net/ip.ts';
import { ERRNO, type Libc, loadLibc } from '../net/libc.ts';
import { errnoError, listenErrorText } from '../net/listen-error.ts';
import { bindSocket, isWildcard, leaveSharedUdp, sharedUdpSocket } from '../net/shared-socket.ts';
import { UdpBatch } from '../net/udp-batch.ts';
import { AnswerCache } from './answer-cache.ts';
import { UDP_MIN } from './query.ts';
import { dnsCounters, Responder, TRANSPORT } from './respond.ts';
import type { Snapshot } from './snapshot.ts';
import { TransferServer } from './transfer/server.ts';
import type { UdpPlace } from './udp-shared.ts';
import { CONTROL, type FromWorker, type ToWorker, type WorkerStart } from './worker-shared.ts';

/** Packets per system call. */
const BATCH_MAX = 32;
/** A query is a name and at most a few options; longer ones are cut, and then FORMERR. */
const QUERY_BYTES_MAX = 1024;
const RECEIVE_TIMEOUT_MS = 100;
/** A worker that leaves has read everything when nothing comes for so long. */
const LEAVE_TIMEOUT_MS = 20;
/** Batches read after leaving at most: more than any socket buffer holds. */
const LEAVE_BATCHES_MAX = 4096;
/** Snapshots that a worker without a quiet moment holds on to beside its own. */
const LAID_ASIDE_MAX = 2;
/** Socket buffer asked for, in bytes; the kernel gives at most net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** Responses that wait inside Node for the socket, in bytes; what comes on top is lost. */
const SEND_QUEUE_BYTES_MAX = 1024 * 1024;

const start = workerData as WorkerStart<UdpPlace>;
const { listen, engine } = start.own;
const port = parentPort!;
const control = new Int32Array(start.control);
const counters = dnsCounters(start.counters);
const clock = new SystemClock();
const responder = new Responder(start.snapshot, start.seed, counters, clock);
const transfers = new TransferServer(start.snapshot, { clock });
const responseBytes = Math.max(UDP_MIN, start.snapshot.udp_payload_max);
const queries = counters.slot('queries');
const unsent = counters.slot('unsent');
const cache = new AnswerCache();
/** Of the queries of a batch; see AnswerCache. */
const hashes = new Int32Array(BATCH_MAX);
let { version } = start;
/** Snapshots taken since garbage was collected. */
let laidAside = 0;
const say = (message: FromWorker): void => port.postMessage(message);

function errorText(error: NodeJS.ErrnoException): string {
  return `UDP ${formatHostPort(listen)}: ${listenErrorText(error)}`;
}

function use(snapshot: Snapshot): void {
  responder.use(snapshot);
  transfers.use(snapshot);
  cache.clear();
}

/** Puts what transfers say to a query, if anything, in place of the response `out[0…length]`. */
function answerSpecial(
  packet: Uint8Array,
  client: Uint8Array,
  out: Uint8Array,
  length: number,
): number {
  const plain = out.subarray(0, length);
  const answer = transfers.answerDatagram(packet, client, plain, responseBytes);
  if (!answer) return length;
  out.set(answer);
  return answer.length;
}

function takeSnapshots(known: number): number {
  if (Atomics.load(control, CONTROL.SNAPSHOT) === known) return known;
  let version = known;
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (!received) return version;
    const message = received.message as ToWorker<UdpPlace>;
    use(message.snapshot);
    laidAside++;
    version = message.version;
    say({ kind: 'using', version });
  }
}

function fail(errno: number): void {
  say({ kind: 'failed', error: errorText(errnoError(errno)) });
}

function runBatches(libc: Libc): void {
  const fd = sharedUdpSocket(libc, listen, RECEIVE_TIMEOUT_MS, RECEIVE_BUFFER_BYTES);
  if (fd < 0) {
    fail(-fd);
    return;
  }
  const controlled = isWildcard(listen.address);
  const batch = new UdpBatch(libc, fd, BATCH_MAX, QUERY_BYTES_MAX, responseBytes, controlled);
  // Last: from here on the socket is given queries.
  const result = bindSocket(libc, fd, listen);
  if (result < 0) {
    fail(-result);
    return;
  }
  try {
    answerUntilStopped(batch);
    leaveSharedUdp(libc, fd, listen, LEAVE_TIMEOUT_MS);
    for (let left = LEAVE_BATCHES_MAX; left > 0 && answerBatch(batch) > 0; left--);
  } finally {
    // A socket left open would go on being given its part of the queries.
    libc.close(fd);
  }
}

function answerUntilStopped(batch: UdpBatch): void {
  say({ kind: 'using', version });
  while (Atomics.load(control, CONTROL.STOP) === 0) answerBatch(batch);
}

/** Answers packet i of the batch, if it is to be answered. */
function answerPacket(batch: UdpBatch, i: number): void {
  const asked = batch.length(i);
  const hash = hashes[i]!;
  const again = cache.find(hash, batch.packetWords[i]!, asked, batch.responseWords[i]!);
  if (again > 0) {
    counters.slots[queries] = counters.slots[queries]! + 1;
    counters.slots[cache.tag] = counters.slots[cache.tag]! + 1;
    batch.queue(i, again);
    return;
  }
  const packet = batch.packets[i]!;
  const response = batch.responses[i]!;
  const at = batch.addressAt(i);
  const family = batch.isIPv4(i) ? 4 : 6;
  const { UDP } = TRANSPORT;
  let length = responder.respond(packet, asked, batch.names, at, family, response, UDP);
  if (length === 0) return;
  if (responder.special) {
    const client = batch.names.slice(at, at + (family === 4 ? 4 : 16));
    length = answerSpecial(packet.subarray(0, asked), client, response, length);
  }
  batch.queue(i, length);
  if (!responder.repeatable) return;
  const { rcodeSlot } = responder;
  cache.keep(hash, batch.packetWords[i]!, asked, batch.responseWords[i]!, length, rcodeSlot);
}

/** Returns the number of queries that came, or 0. */
function answerBatch(batch: UdpBatch): number {
  const received = batch.receive();
  // After the wait: what came during it must not be answered from what it has replaced.
  version = takeSnapshots(version);
  if (received < 0) {
    if (received === -ERRNO.EAGAIN || received === -ERRNO.EINTR) return 0;
    throw new Error(errorText(errnoError(-received)));
  }
  responder.tick();
  for (let i = 0; i < received; i++) hashes[i] = cache.hash(batch.packetWords[i]!, batch.length(i));
  for (let i = 0; i < received; i++) answerPacket(batch, i);
  const lost = batch.flush();
  if (lost > 0) counters.slots[unsent] = counters.slots[unsent]! + lost;
  if (laidAside > 0) letGo(received);
  return received;
}

/**
 * Nothing else in this thread makes garbage, so V8 would never let go of the zones before. It takes
 * milliseconds: not while queries wait, unless that goes on from one snapshot to the next.
 */
function letGo(received: number): void {
  if (received === BATCH_MAX && laidAside < LAID_ASIDE_MAX) return;
  collectGarbage();
  laidAside = 0;
}

function runDgram(): void {
  const six = listen.address.includes(':');
  const socket = createSocket({
    type: six ? 'udp6' : 'udp4',
    ipv6Only: six,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
  const out = new Uint8Array(responseBytes);
  // The thread ends by having nothing left. To exit or terminate it instead may meet a packet on its
  // way in, and Node aborts the whole process over that.
  const end = (): void => {
    socket.close();
    port.close();
  };
  socket.on('error', (error: NodeJS.ErrnoException) => {
    say({ kind: 'failed', error: errorText(error) });
    end();
  });
  const lost = (): void => {
    counters.slots[unsent] = counters.slots[unsent]! + 1;
  };
  socket.on('message', (packet, { address, port: clientPort }) => {
    const client = parseAddress(address.split('%')[0]!);
    if (!client) return;
    const family = client.length === 4 ? 4 : 6;
    responder.tick();
    let length = responder.respond(packet, packet.length, client, 0, family, out, TRANSPORT.UDP);
    if (length > 0 && responder.special) length = answerSpecial(packet, client, out, length);
    if (length === 0) return;
    // Anyone can forge port 0 as the sender's; to it send() does not fail, it throws.
    if (clientPort === 0 || socket.getSendQueueSize() > SEND_QUEUE_BYTES_MAX) return lost();
    socket.send(out.slice(0, length), clientPort, address, (error) => {
      if (error) lost();
    });
  });
  port.on('message', (message: ToWorker<UdpPlace> | 'stop') => {
    if (message === 'stop') return end();
    use(message.snapshot);
    say({ kind: 'using', version: message.version });
  });
  socket.bind(listen.port, listen.address, () => say({ kind: 'using', version }));
}

raisePriority();
const libc = engine === 'batch' ? loadLibc() : null;
if (libc) runBatches(libc);
else runDgram();
