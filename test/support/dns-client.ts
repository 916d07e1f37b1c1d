/** One DNS question over UDP, with a client subnet; the addresses of the answer, sorted. */
import { createSocket } from 'node:dgram';
import { ecsOption } from '../../src/dns/wire/edns.ts';
import { decodeMessage, encodeQuery } from '../../src/dns/wire/message.ts';
import { formatAddress, type HostPort, parseAddress } from '../../src/net/ip.ts';

export async function ask(
  server: HostPort,
  name: string,
  type: number,
  client: string,
): Promise<string[]> {
  const options = [ecsOption(parseAddress(client)!, 24)];
  const query = encodeQuery({ id: 4711, name, type, edns: { payload: 1232, options } });
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
  try {
    const bytes = await new Promise<Uint8Array>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer within 2 s')), 2_000);
      socket.once('message', (message) => {
        clearTimeout(timer);
        resolve(message);
      });
      socket.once('error', reject);
      socket.send(query, server.port, server.address);
    });
    const message = decodeMessage(bytes);
    if (!message.ok) throw new Error(message.error);
    return message.value.answers
      .filter((record) => record.type === type)
      .map((record) => formatAddress(record.rdata))
      .sort();
  } finally {
    socket.close();
  }
}
