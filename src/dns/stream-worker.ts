/** Entry of the stream thread. It ends by having nothing left, as every thread here must. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../base/clock.ts';
import { collectGarbage } from '../base/memory.ts';
import { loadLibc } from '../net/libc.ts';
import { dnsCounters, Responder, TCP_MAX, TRANSPORT } from './respond.ts';
import { StreamServer } from './stream-server.ts';
import {
  type Bind,
  type StreamPlace,
  type StreamSettings,
  streamCounters,
} from './stream-shared.ts';
import { TransferServer } from './transfer/server.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-shared.ts';

const start = workerData as WorkerStart<StreamPlace>;
const port = parentPort!;
const say = (message: FromWorker): void => port.postMessage(message);
const clock = new SystemClock();
const responder = new Responder(start.snapshot, start.seed, dnsCounters(start.counters), clock);
const counters = streamCounters(start.own.counters);
counters.slots[counters.slot('tcp_clients')] = 0; // what a thread before this one had open
const out = new Uint8Array(TCP_MAX);
const transfers = new TransferServer(start.snapshot, {
  clock,
  respond: (packet, client) => {
    const family = client.length === 4 ? 4 : 6;
    const size = responder.respond(packet, packet.length, client, 0, family, out, TRANSPORT.TCP);
    return size === 0 ? null : out.slice(0, size);
  },
  onTransfer: (event) => {
    const refused = event.outcome === 'refused';
    // Anybody can ask without a key, as often as he likes.
    if (refused && event.key === null) return;
    say({ kind: 'log', level: refused ? 'warn' : 'info', fields: event, message: 'zone transfer' });
  },
});

const server = new StreamServer({
  respond: (packet, length, client, out, transport) => {
    const family = client.length === 4 ? 4 : 6;
    return responder.respond(packet, length, client, 0, family, out, transport);
  },
  handler: transfers,
  settings: start.own.settings,
  clock,
  counters,
  libc: loadLibc(),
  log: (level, fields, message) => say({ kind: 'log', level, fields, message }),
});

async function use(version: number, settings: StreamSettings, bind: Bind): Promise<void> {
  const streams = await server.use(settings, bind);
  say({ kind: 'using', version, streams });
}

port.on('message', (message: ToWorker<StreamPlace> | 'stop') => {
  if (message === 'stop') {
    void server.stop().then(() => port.close());
    return;
  }
  responder.use(message.snapshot);
  transfers.use(message.snapshot);
  // As in the UDP workers: nothing else would let go of the zones before.
  collectGarbage();
  void use(message.version, message.own.settings, 'alone');
});
void use(start.version, start.own.settings, start.own.bind);
