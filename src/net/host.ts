/**
 * The machine that the kernel drivers work on: programs run with a fixed argument list (never a
 * shell) and a time limit, and small files below /proc/sys. A port, so that the drivers can be
 * pointed at a network namespace or at a recording.
 */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';

export interface Host {
  /** Standard output; rejects with a one-line sentence when the program fails or hangs. */
  run(program: string, args: readonly string[], input?: string): Promise<string>;
  /** The file's text without surrounding white space; rejects when it cannot be read. */
  read(path: string): Promise<string>;
  write(path: string, text: string): Promise<void>;
}

/** A kernel change takes about 16 ms; one that takes this long is not going to end. */
const RUN_TIMEOUT_MS = 10_000;
const OUTPUT_MAX_BYTES = 16 * 1024 * 1024;

/** What an operator does about the kernel's or the shell's shortest complaints. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [/ENOENT/, 'it is not installed'],
  [/not permitted/i, 'isobar needs CAP_NET_ADMIN (run it as root)'],
  [/Unknown device type/, 'the kernel has no such tunnel: modprobe vxlan'],
];

/** What went wrong, in one line: the program's own complaint, or how it ended, and its remedy. */
function complaint(program: string, args: readonly string[], error: Error, stderr: string): string {
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .find((line) => line !== '' && !/^Command failed/.test(line));
  const killed = (error as { killed?: boolean }).killed === true;
  const why = killed ? `no end after ${RUN_TIMEOUT_MS} ms` : (said ?? error.message);
  const remedy = REMEDIES.find(([pattern]) => pattern.test(why))?.[1];
  return `${[program, ...args].join(' ')}: ${why}${remedy ? ` (${remedy})` : ''}`;
}

/** Runs `program` and resolves to its standard output. */
export function runProgram(
  program: string,
  args: readonly string[],
  input?: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: RUN_TIMEOUT_MS, maxBuffer: OUTPUT_MAX_BYTES, env: ENVIRONMENT };
    const child = execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(complaint(program, args, error, stderr)));
      else resolve(stdout);
    });
    // A program that ends before it has read its input says why on stderr; EPIPE adds nothing.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}

/** nft and ip live in /usr/sbin, which is not on every service's PATH; messages in English. */
const ENVIRONMENT = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
};

/** The machine (and network namespace) that this process runs in. */
export const systemHost: Host = {
  run: runProgram,
  read: async (path) => (await readFile(path, 'utf8')).trim(),
  write: (path, text) => writeFile(path, text),
};
