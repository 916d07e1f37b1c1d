/** Many queries to one server over one UDP socket, a window of them under way at a time. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { HostPort } from '../../src/net/ip.ts';
import { buildQuery, type QueryShape, type ReadMessage, readMessage } from './dns-query.ts';

/** Queries under way at once: below what fits a socket's receive buffer as answers of 4 KiB. */
const WINDOW = 32;
const TRIES_MAX = 3;
const HEADER = 12;
const TRY_MS = 2_000;

/** The answers, in the order of the queries. Rejects if one stays out after three tries. */
export async function askAll(
  { address, port }: HostPort,
  queries: readonly Omit<QueryShape, 'id'>[],
): Promise<ReadMessage[]> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.connect(port, address);
  await once(socket, 'connect');
  const waiting = new Map<number, (answer: ReadMessage) => void>();
  const asked = new Map<number, Uint8Array>();
  let broken: Error | null = null;
  socket.on('message', (bytes) => {
    try {
      const answer = readMessage(bytes);
      const question = asked.get(answer.id);
      if (question && !bytes.subarray(HEADER).subarray(0, question.length).equals(question)) {
        throw new Error('the question does not come back octet for octet');
      }
      waiting.get(answer.id)?.(answer);
    } catch (error) {
      broken = new Error(`${(error as Error).message}: ${bytes.toString('hex')}`);
    }
  });
  const askOne = async (index: number): Promise<ReadMessage> => {
    const id = index & 0xffff;
    const bytes = buildQuery({ ...queries[index]!, id });
    // What stands before the OPT record; its letters come back in the same case.
    const { edns: _, ...plain } = queries[index]!;
    asked.set(id, buildQuery({ ...plain, id }).subarray(HEADER));
    for (let tries = 0; tries < TRIES_MAX && !broken; tries++) {
      const answer = await new Promise<ReadMessage | null>((resolve) => {
        const late = setTimeout(() => resolve(null), TRY_MS);
        waiting.set(id, (got) => {
          clearTimeout(late);
          resolve(got);
        });
        socket.send(bytes);
      });
      waiting.delete(id);
      if (answer) return answer;
    }
    const { name, type } = queries[index]!;
    throw broken ?? new Error(`no answer from ${address}:${port} to ${name} type ${type}`);
  };
  const answers: ReadMessage[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < queries.length; index = next++) {
      answers[index] = await askOne(index);
    }
  };
  try {
    await Promise.all(Array.from({ length: WINDOW }, worker));
    return answers;
  } finally {
    socket.close();
  }
}
