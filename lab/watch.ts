/**
 * Watches the sites from where clients are, and prints one JSON line per sight, stamped with the
 * machine's monotonic clock in milliseconds:
 *
 *     {"at": …, "event": SiteEvent}                      from every site's /v1/events
 *     {"at": …, "server": ADDRESS, "answer": "A,A"}      when the answer of a DNS server changes
 *     {"at": …, "server": ADDRESS, "load": N}            requests under way at its load balancer
 *
 * Run as `node watch.js NAME DNS_PORT API_PORT SERVER…`.
 */
import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import process from 'node:process';
import dns2 from 'dns2';
import { monotonic_ms, pause } from './wait.ts';

const QUERY_EVERY_MS = 5;
const LOAD_EVERY_MS = 200;
const RECONNECT_MS = 200;

function print(fields: object): void {
  process.stdout.write(`${JSON.stringify({ at: monotonic_ms(), ...fields })}\n`);
}

/** Server-sent events: only `data:` lines matter here. */
function watchEvents(url: string): void {
  const again = (): void => {
    setTimeout(() => watchEvents(url), RECONNECT_MS);
  };
  const request = get(url, { headers: { accept: 'text/event-stream' } }, (response) => {
    let rest = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('data:')) print({ event: JSON.parse(line.slice(5)) as unknown });
      }
    });
    response.once('close', again);
  });
  request.once('error', again);
}

async function watchLoad(server: string): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(`http://${server}/load`);
      print({ server, load: ((await response.json()) as { requests: number }).requests });
    } catch {
      // The load balancer is down: there is nothing to see.
    }
    await pause(LOAD_EVERY_MS);
  }
}

async function watchAnswers(server: string, port: number, name: string): Promise<void> {
  const socket = createSocket('udp4');
  let last = '';
  socket.on('error', () => {});
  socket.on('message', (message) => {
    const { answers } = dns2.Packet.parse(message);
    const answer = answers
      .map((record) => ('address' in record ? String(record.address) : ''))
      .sort()
      .join(',');
    if (answer === last) return;
    last = answer;
    print({ server, answer });
  });
  socket.connect(port, server);
  await new Promise<void>((done) => socket.once('connect', done));
  for (let id = 1; ; id = (id + 1) & 0xffff) {
    const query = new dns2.Packet();
    query.header.id = id;
    query.questions.push(new dns2.Packet.Question({ name, type: 1, class: 1 }));
    socket.send(query.toBuffer(), () => {});
    await pause(QUERY_EVERY_MS);
  }
}

const [name, dnsPort, apiPort, ...servers] = process.argv.slice(2);
for (const server of servers) {
  watchEvents(`http://${server}:${apiPort}/v1/events`);
  void watchAnswers(server, Number(dnsPort), name!);
  void watchLoad(server);
}
