/** The load balancers that are probed: one nginx on many addresses of the loopback interface. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const WEB_PORT = 18_080;
export const WEB_ADDRESSES = 1_000;

/** The addresses that it listens on, over and over. */
export const webAddress = (i: number): string =>
  `127.77.${Math.floor((i % WEB_ADDRESSES) / 250)}.${1 + (i % 250)}`;

/** Its command; files go to `dir`. */
export function nginx(dir: string): string[] {
  const listens = Array.from(
    { length: WEB_ADDRESSES },
    (_, i) => `    listen ${webAddress(i)}:${WEB_PORT};`,
  );
  const conf = join(dir, 'nginx.conf');
  writeFileSync(
    conf,
    `daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  server {
${listens.join('\n')}
    return 200 "healthy\\n";
  }
}
`,
  );
  return ['nginx', '-e', 'stderr', '-p', dir, '-c', conf];
}

export async function answersHttp(address: string): Promise<boolean> {
  try {
    return (await fetch(`http://${address}:${WEB_PORT}/`)).ok;
  } catch {
    return false;
  }
}
