/**
 * Entry of one UDP worker thread: one socket, one loop. With batched calls the thread blocks in
 * recvmmsg and runs no event loop, so it looks for a new snapshot, and for the word to stop, at each
 * batch; the read's timeout bounds how long an idle worker takes to see either.
 */
import { createSocket } from 'node:dgram';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../base/clock.ts';
import { collectGarbage } from '../base/memory.ts';
import { formatHostPort, parseAddress } from '../net/ip.ts';
import { ERRNO, isWildcard, type Libc, loadLibc, sharedUdpSocket } from '../net/libc.ts';
import { UdpBatch } from '../net/udp-batch.ts';
import { UDP_MIN } from './query.ts';
import { dnsCounters, Responder, TRANSPORT } from './respond.ts';
import { CONTROL, type FromWorker, type ToWorker, type WorkerStart } from './udp-shared.ts';

/** Packets per system call. */
const BATCH_MAX = 64;
/** A query is a name and at most a few options; longer ones are cut, and then FORMERR. */
const QUERY_BYTES_MAX = 1024;
const RECEIVE_TIMEOUT_MS = 100;
/** Socket buffer asked for, in bytes; the kernel gives at most net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
/** Responses that wait inside Node for the socket, in bytes; what comes on top is lost. */
const SEND_QUEUE_BYTES_MAX = 1024 * 1024;

const start = workerData as WorkerStart;
const port = parentPort!;
const control = new Int32Array(start.control);
const counters = dnsCounters(start.counters);
const responder = new Responder(start.snapshot, start.seed, counters, new SystemClock());
const unsent = counters.slot('unsent');
const say = (message: FromWorker): void => port.postMessage(message);

function errorText(errno: number): string {
  const at = formatHostPort(start.listen);
  if (errno === ERRNO.EADDRINUSE) return `UDP ${at} is in use by another program`;
  if (errno === ERRNO.EACCES) return `UDP ${at}: permission denied (ports below 1024 need it)`;
  if (errno === ERRNO.EADDRNOTAVAIL) return `UDP ${at}: this machine does not have the address`;
  return `UDP ${at}: system error ${errno}`;
}

function takeSnapshots(known: number): number {
  if (Atomics.load(control, CONTROL.SNAPSHOT) === known) return known;
  let version = known;
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (!received) return version;
    const message = received.message as ToWorker;
    responder.use(message.snapshot);
    // Nothing else in this thread makes garbage, so V8 would never let go of the zones before.
    collectGarbage();
    version = message.version;
    say({ kind: 'using', version });
  }
}

function runBatches(libc: Libc): void {
  const fd = sharedUdpSocket(libc, start.listen, RECEIVE_TIMEOUT_MS, RECEIVE_BUFFER_BYTES);
  if (fd < 0) {
    say({ kind: 'failed', error: errorText(-fd) });
    return;
  }
  try {
    answerBatches(libc, fd);
  } finally {
    // A socket left open would go on being given its part of the queries.
    libc.close(fd);
  }
}

function answerBatches(libc: Libc, fd: number): void {
  const responseBytes = Math.max(UDP_MIN, start.snapshot.udp_payload_max);
  const controlled = isWildcard(start.listen.address);
  const batch = new UdpBatch(libc, fd, BATCH_MAX, QUERY_BYTES_MAX, responseBytes, controlled);
  let version = start.version;
  say({ kind: 'using', version });
  while (Atomics.load(control, CONTROL.STOP) === 0) {
    const received = batch.receive();
    // After the wait: what came during it must not be answered from what it has replaced.
    version = takeSnapshots(version);
    if (received < 0 && received !== -ERRNO.EAGAIN && received !== -ERRNO.EINTR) {
      throw new Error(errorText(-received));
    }
    responder.tick();
    for (let i = 0; i < received; i++) {
      const length = responder.respond(
        batch.packets[i]!,
        batch.length(i),
        batch.names,
        batch.addressAt(i),
        batch.isIPv4(i) ? 4 : 6,
        batch.responses[i]!,
        TRANSPORT.UDP,
      );
      if (length > 0) batch.queue(i, length);
    }
    const lost = batch.flush();
    if (lost > 0) counters.slots[unsent] = counters.slots[unsent]! + lost;
  }
}

function runDgram(): void {
  const { listen, snapshot } = start;
  const six = listen.address.includes(':');
  const socket = createSocket({
    type: six ? 'udp6' : 'udp4',
    ipv6Only: six,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
  const out = new Uint8Array(Math.max(UDP_MIN, snapshot.udp_payload_max));
  // The thread ends by having nothing left. To exit or terminate it instead may meet a packet on its
  // way in, and Node aborts the whole process over that.
  const end = (): void => {
    socket.close();
    port.close();
  };
  socket.on('error', (error: NodeJS.ErrnoException) => {
    say({ kind: 'failed', error: errorText(-(error.errno ?? 0)) });
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
    const length = responder.respond(packet, packet.length, client, 0, family, out, TRANSPORT.UDP);
    if (length === 0) return;
    // Anyone can forge port 0 as the sender's; to it send() does not fail, it throws.
    if (clientPort === 0 || socket.getSendQueueSize() > SEND_QUEUE_BYTES_MAX) return lost();
    socket.send(out.slice(0, length), clientPort, address, (error) => {
      if (error) lost();
    });
  });
  port.on('message', (message: ToWorker | 'stop') => {
    if (message === 'stop') return end();
    responder.use(message.snapshot);
    say({ kind: 'using', version: message.version });
  });
  socket.bind(listen.port, listen.address, () => say({ kind: 'using', version: start.version }));
}

const libc = start.engine === 'batch' ? loadLibc() : null;
if (libc) runBatches(libc);
else runDgram();
