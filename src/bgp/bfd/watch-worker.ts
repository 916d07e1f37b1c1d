/**
 * Entry of the watch thread: BFD, and the guard that withdraws for a main thread that does not. It
 * runs no event loop but waits in ppoll for packets, for main's word, and for whatever is due next,
 * so it keeps its times whatever main or the DNS workers do. It may run before every other thread, so
 * that once around the loop is bounded work, and a flood of packets makes it pause.
 */
import { randomInt } from 'node:crypto';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../base/clock.ts';
import { prng } from '../../base/prng.ts';
import { raisePriority } from '../../base/thread.ts';
import { loadLibc } from '../../net/libc.ts';
import { GuardKeeper } from '../guard-keeper.ts';
import { BfdEngine } from './engine.ts';
import { BfdSockets } from './sockets.ts';
import { Waiter } from './waiter.ts';
import { CONTROL, type FromWatch, STOP, type ToWatch, type WatchStart } from './watch-shared.ts';

/** Longest wait: how soon a stop or a thread that hangs is noticed at least. */
const IDLE_MS = 100;
/** After as many packets as are taken at once. Some 30,000 a second are then taken at most. */
const FLOOD_PAUSE_MS = 1;
/** How often statuses are told, and sockets that could not be made are tried again. */
const STATUS_MS = 1_000;
/**
 * Woken so much too late, this thread, which goes before all others, could not run. What has come
 * meanwhile may be more than it reads before it looks who was silent.
 */
const STANDSTILL_MS = 50;
/** How long good-byes may take when the daemon stops. */
const STOP_MS = 100;
/** Messages that main has not heard; beyond them statuses are not told. */
const UNHEARD_STATUSES_MAX = 4;
/** Messages that main has not heard; beyond them a peer that flaps makes no more. */
const UNHEARD_MAX = 10_000;
const UINT32 = 0x100000000;

const start = workerData as WatchStart;
const port = parentPort!;
const control = new Int32Array(start.control);
const clock = new SystemClock();
const libc = loadLibc()!; // main starts no thread without it
const random = prng(start.seed);
const sockets = new BfdSockets(libc, random, start.replaces);
const guard = new GuardKeeper(libc, control[CONTROL.LEASE]!, clock.now());
const waiter = new Waiter(libc, start.wake);
let told = 0;
let statusDue = clock.now() + STATUS_MS;

const unheard = (): number => told - Atomics.load(control, CONTROL.HEARD);

function say(message: FromWatch): void {
  told++;
  port.postMessage(message);
}

const engine = new BfdEngine({
  send: (id, bytes) => sockets.send(id, bytes),
  closed: (id) => sockets.close(id),
  changed: (id, state, text) => {
    const status = engine.status(id, clock.now());
    // A main thread that is so far behind has the newest of each with the next statuses.
    if (status && unheard() < UNHEARD_MAX) say({ kind: 'changed', id, state, text, status });
  },
  chance: () => random.next(),
  secret: () => randomInt(UINT32),
});

function hear(message: ToWatch, now: number): void {
  switch (message.kind) {
    case 'open': {
      const { id, target } = message;
      engine.open(id, sockets.open(id, target), target.intervals, target.auth, now);
      waiter.watch(sockets.descriptors());
      break;
    }
    case 'update':
      engine.update(message.id, message.intervals, message.auth, now);
      break;
    case 'close':
      engine.close(message.id, now);
      break;
    case 'guard':
      guard.add(message.slot);
      break;
  }
}

function hearAll(now: number): void {
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (!received) return;
    hear(received.message as ToWatch, now);
  }
}

function tellStatuses(now: number): void {
  if (now < statusDue) return;
  statusDue = now + STATUS_MS;
  sockets.retry();
  waiter.watch(sockets.descriptors());
  if (engine.size === 0 || unheard() >= UNHEARD_STATUSES_MAX) return;
  const { malformed, unknown } = engine;
  const statuses = [...engine.ids()].map((id) => [id, engine.status(id, now)!] as const);
  say({ kind: 'statuses', statuses, counts: { malformed, unknown } });
}

function work(now: number): void {
  const flooded = sockets.receive((arrival) => engine.receive(arrival, now));
  engine.tick(now);
  if (flooded) waiter.pause(FLOOD_PAUSE_MS);
}

function watchUntilStopped(): void {
  let due = clock.now();
  while (Atomics.load(control, CONTROL.STOP) === 0) {
    Atomics.add(control, CONTROL.PULSE, 1);
    const now = clock.now();
    if (now - due > STANDSTILL_MS) engine.stoodStill(now - due, now);
    hearAll(now);
    work(now);
    // In this order: a shorter time is never held against the lease from before it.
    const dead_man_ms = Atomics.load(control, CONTROL.DEAD_MAN_MS);
    const lease = Atomics.load(control, CONTROL.LEASE);
    const fired = guard.look(lease, dead_man_ms, now);
    if (fired) {
      Atomics.add(control, CONTROL.FIRED, 1);
      say({ kind: 'fired', ...fired, lease });
    }
    tellStatuses(now);
    due = Math.max(now, Math.min(engine.next(), guard.next(), now + IDLE_MS));
    waiter.wait(due - clock.now());
  }
}

function sayGoodbye(): void {
  const end = clock.now() + STOP_MS;
  hearAll(clock.now());
  engine.closeAll(clock.now());
  while (engine.size > 0 && clock.now() < end) {
    waiter.wait(engine.next() - clock.now());
    work(clock.now());
  }
}

// Measured with four busy processes on two cores: without it packets leave up to 50 ms late.
if (libc.realtime() < 0) raisePriority();
try {
  watchUntilStopped();
  if (Atomics.load(control, CONTROL.STOP) === STOP.GOODBYE) sayGoodbye();
} finally {
  sockets.closeAll();
}
