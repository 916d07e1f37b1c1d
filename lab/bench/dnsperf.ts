/** Runs dnsperf against one server and reads what it counted. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Load {
  readonly port: number;
  /** Queries, in dnsperf's text form or, if it ends in ".bin", as framed packets. */
  readonly file: string;
  readonly seconds: number;
  /** Core of dnsperf itself, as taskset takes it. */
  readonly core: string;
  readonly transport: 'udp' | 'tcp';
  /** Sockets (for TCP connections). */
  readonly clients: number;
  /** Queries under way at once. */
  readonly outstanding: number;
  /** Queries per second at most; null: as many as are answered. */
  readonly rate: number | null;
  /** EDNS option "code:hex" for every query; null: none. */
  readonly option: string | null;
}

export interface LoadResult {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly seconds: number;
  /** Answers by response code, e.g. NOERROR. */
  readonly rcodes: Readonly<Record<string, number>>;
}

export async function dnsperf(load: Load): Promise<LoadResult> {
  const { port, file, seconds, core, transport, clients, outstanding, rate, option } = load;
  const args = ['-c', core, 'dnsperf', '-s', '127.0.0.1', '-p', `${port}`, '-d', file];
  args.push('-l', `${seconds}`, '-m', transport, '-c', `${clients}`, '-q', `${outstanding}`);
  args.push('-T', '1', '-t', '1');
  if (file.endsWith('.bin')) args.push('-B');
  if (rate !== null) args.push('-Q', `${rate}`);
  if (option !== null) args.push('-E', option);
  const { stdout } = await run('taskset', args, { maxBuffer: 64 * 1024 * 1024 });
  const number = (label: string): number => {
    const found = new RegExp(`${label}:\\s+([0-9.]+)`).exec(stdout);
    if (!found) throw new Error(`dnsperf printed no "${label}":\n${stdout.slice(-500)}`);
    return Number(found[1]);
  };
  const codes = /Response codes:\s+(.*)/.exec(stdout)?.[1] ?? '';
  const rcodes = [...codes.matchAll(/([A-Z]+) ([0-9]+)/g)].map(([, code, count]) => [
    code!,
    Number(count),
  ]);
  return {
    sent: number('Queries sent'),
    answered: number('Queries completed'),
    lost: number('Queries lost'),
    seconds: number('Run time \\(s\\)'),
    rcodes: Object.fromEntries(rcodes),
  };
}
