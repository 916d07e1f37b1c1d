/**
 * Clients of the lab, in one process: every request opens a TCP connection of its own. Prints one
 * JSON line at its end; `steady` prints one each second too, and at the first answer of each site,
 * `long` one when all transfers are under way.
 *
 *     node client.js burst TARGET COUNT CONCURRENCY      COUNT short requests
 *     node client.js steady TARGET RATE_PER_S HOLD_MS    arrivals at RATE_PER_S until SIGTERM, each
 *                                                        asking for an answer after HOLD_MS
 *     node client.js long TARGET COUNT MS                COUNT transfers of MS milliseconds each
 *     node client.js upload TARGET COUNT BYTES           COUNT uploads of BYTES each
 *
 * TARGET is ADDRESS:PORT. With --ports-from PORT every connection comes from a port of its own, counted
 * up from PORT: the kernel's own choice comes back to a port that was in use seconds ago.
 */
import { Agent, request as httpRequest } from 'node:http';
import process from 'node:process';
import { parseArgs } from 'node:util';

/** A request without an answer for this long is lost. */
const TIMEOUT_MS = 5_000;
const noKeepAlive = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });

export interface ClientReport {
  /** Requests whose answer was complete, by the site that answered. */
  readonly bySite: Record<string, number>;
  /** Requests refused, reset, cut short or without an answer in time. */
  readonly lost: number;
  /** Answers in which two sites spoke: a flow that was moved. */
  readonly mixed: number;
  /** The first few complaints. */
  readonly errors: string[];
}

class Tally implements ClientReport {
  readonly bySite: Record<string, number> = {};
  lost = 0;
  mixed = 0;
  readonly errors: string[] = [];
  #port: number | undefined;

  /** @param port that the first connection comes from; of the kernel's choice if undefined */
  constructor(port: number | undefined) {
    this.#port = port;
  }

  /**
   * A GET of `path`, or a POST when there is a body.
   * @param begun called when the answer begins
   */
  request(target: string, path: string, body?: Buffer, begun = () => {}): Promise<void> {
    return new Promise((resolve) => {
      let settled = false;
      const fail = (error: Error): void => {
        if (settled) return;
        settled = true;
        this.lost++;
        if (this.errors.length < 5) this.errors.push(error.message);
        resolve();
      };
      const localPort = this.#port === undefined ? undefined : this.#port++;
      const options = { agent: noKeepAlive, method: body ? 'POST' : 'GET', localPort };
      const request = httpRequest(`http://${target}${path}`, options, (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.once('data', begun);
        response.on('data', (chunk: string) => {
          answer += chunk;
        });
        response.on('error', fail);
        response.on('end', () => {
          if (settled) return;
          settled = true;
          this.#count(answer);
          resolve();
        });
      });
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error('no answer in time')));
      request.on('error', fail);
      request.end(body);
    });
  }

  #count(answer: string): void {
    const sites = new Set(answer.split('\n').filter(Boolean));
    if (sites.size > 1) this.mixed++;
    for (const site of sites) this.bySite[site] = (this.bySite[site] ?? 0) + 1;
  }
}

async function burst(tally: Tally, target: string, count: number, width: number): Promise<void> {
  let left = count;
  const one = async (): Promise<void> => {
    while (left-- > 0) await tally.request(target, '/');
  };
  await Promise.all(Array.from({ length: width }, one));
}

async function long(tally: Tally, target: string, count: number, ms: number): Promise<void> {
  let waiting = count;
  const begun = (): void => {
    if (--waiting === 0) print(tally);
  };
  const transfer = () => tally.request(target, `/long?ms=${ms}`, undefined, begun);
  await Promise.all(Array.from({ length: count }, transfer));
}

async function upload(tally: Tally, target: string, count: number, bytes: number): Promise<void> {
  const body = Buffer.alloc(bytes);
  await Promise.all(Array.from({ length: count }, () => tally.request(target, '/', body)));
}

/** Arrivals on an even beat; a late beat is made up for, so the rate holds. */
async function steady(tally: Tally, target: string, rate: number, hold_ms: number): Promise<void> {
  const started = performance.now();
  const open = new Set<Promise<void>>();
  let sent = 0;
  let stopping = false;
  process.once('SIGTERM', () => {
    stopping = true;
  });
  let reported = started;
  let sites = 0;
  while (!stopping) {
    const now = performance.now();
    for (; sent < ((now - started) / 1000) * rate; sent++) {
      const request = tally.request(target, `/slow?ms=${hold_ms}`);
      open.add(request);
      void request.then(() => open.delete(request));
    }
    const sitesNow = Object.keys(tally.bySite).length;
    if (now - reported >= 1000 || sitesNow > sites) {
      reported = now;
      sites = sitesNow;
      print(tally);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(open);
}

function print(tally: Tally): void {
  process.stdout.write(`${JSON.stringify(tally)}\n`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'ports-from': { type: 'string' } },
});
const [mode, target, first, second] = positionals;
const portsFrom = values['ports-from'];
const modes = { burst, steady, long, upload };
const tally = new Tally(portsFrom === undefined ? undefined : Number(portsFrom));
await modes[mode as keyof typeof modes](tally, target!, Number(first), Number(second));
print(tally);
