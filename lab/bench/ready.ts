/** Waits until a server answers the zone under measurement. */
import { createSocket } from 'node:dgram';
import { OPTION, TYPE } from '../../src/dns/wire/codes.ts';
import { decodeMessage, encodeQuery } from '../../src/dns/wire/message.ts';
import { until } from '../wait.ts';
import { ORIGIN } from './dns-scene.ts';
import type { MeasuredProcess } from './measured-process.ts';

const TRY_MS = 100;
const CLIENT_COOKIE = Uint8Array.of(0x24, 0xa5, 0xac, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f);

/** Resolves at the first answer of SOA without error; rejects if the server ends or `limit_ms` pass. */
export async function answersNow(
  port: number,
  server: MeasuredProcess,
  limit_ms: number,
): Promise<void> {
  await until(
    'an answer',
    limit_ms,
    async () => {
      if (server.failure !== null) throw new Error(server.failure);
      return await answersOnce(port);
    },
    5,
  );
}

async function answersOnce(port: number): Promise<boolean> {
  const answer = await ask(port, encodeQuery({ id: 1, name: ORIGIN, type: TYPE.SOA }));
  return answer !== null && (answer[3]! & 15) === 0 && answer[7]! > 0;
}

/** The serial of the zone as it is answered now; null without an answer. */
export async function serialNow(port: number): Promise<number | null> {
  const answer = await ask(port, encodeQuery({ id: 1, name: ORIGIN, type: TYPE.SOA }));
  const message = answer && decodeMessage(answer);
  const soa = message?.ok ? message.value.answers[0]?.rdata : undefined;
  if (!soa) return null;
  return new DataView(soa.buffer, soa.byteOffset, soa.byteLength).getUint32(soa.length - 20);
}

/**
 * The COOKIE option (RFC 7873), as dnsperf takes it, of a client that has asked this server before;
 * with the client's part alone if the server gives none.
 */
export async function cookieOption(port: number): Promise<string> {
  const options = [{ code: OPTION.COOKIE, data: CLIENT_COOKIE }];
  const query = encodeQuery({ id: 1, name: ORIGIN, type: TYPE.SOA, edns: { options } });
  const answer = await ask(port, query);
  const message = answer && decodeMessage(answer);
  const edns = message?.ok ? message.value.edns : null;
  const cookie = edns?.options.find(({ code }) => code === OPTION.COOKIE)?.data ?? CLIENT_COOKIE;
  return `${OPTION.COOKIE}:${Buffer.from(cookie).toString('hex')}`;
}

/** The answer to one query; null if none comes at once. */
function ask(port: number, query: Uint8Array): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const late = setTimeout(() => done(null), TRY_MS);
    const done = (answer: Buffer | null): void => {
      clearTimeout(late);
      socket.close();
      resolve(answer);
    };
    socket.on('error', () => done(null)); // nobody listens yet
    socket.on('message', (answer) => done(answer));
    socket.connect(port, '127.0.0.1', () => socket.send(query));
  });
}
