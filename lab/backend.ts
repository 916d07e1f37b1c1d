/**
 * A load balancer for the lab: an HTTP server on every address of its site (the VIP is on lo), that
 * answers with its site's name.
 *
 *     GET /            "SITE\n" at once
 *     GET /slow?ms=N   "SITE\n" after N milliseconds
 *     GET /long?ms=N   "SITE\n" every 100 ms for N milliseconds or until SIGUSR2, in one response
 *     POST /           "SITE\n" after the whole body has been read
 *     GET /healthz     200
 *     GET /load        {"requests": requests under way}; /load and /healthz are not counted
 *
 * Run as `node backend.js SITE PORT`; prints "listening" when it is.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import process from 'node:process';

const CHUNK_EVERY_MS = 100;

export function startBackend(site: string, port: number, listening: () => void): void {
  let underWay = 0;
  let endings = 0;
  process.on('SIGUSR2', () => {
    endings++;
  });

  const work = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://site');
    const ms = Number(url.searchParams.get('ms') ?? 0);
    underWay++;
    let timer: NodeJS.Timeout | undefined;
    response.once('close', () => {
      underWay--;
      clearTimeout(timer);
    });
    const line = `${site}\n`;
    if (url.pathname === '/long') {
      const until = performance.now() + ms;
      const before = endings;
      const next = (): void => {
        if (performance.now() >= until || endings > before) response.end(line);
        else if (response.write(line)) timer = setTimeout(next, CHUNK_EVERY_MS);
        else response.once('drain', next);
      };
      next();
    } else if (ms > 0) {
      timer = setTimeout(() => response.end(line), ms);
    } else {
      request.resume().once('end', () => response.end(line));
    }
  };

  const server = createServer((request, response) => {
    if (request.url === '/healthz') response.end('ok\n');
    else if (request.url === '/load') response.end(JSON.stringify({ requests: underWay }));
    else work(request, response);
  });
  server.keepAliveTimeout = 1_000;
  server.listen(port, '0.0.0.0', 1024, listening);
}

const [site, port] = process.argv.slice(2);
startBackend(site ?? 'site', Number(port ?? 80), () => process.stdout.write('listening\n'));
