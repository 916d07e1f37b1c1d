/**
 * A program for tests, to be run in a namespace: who gets a packet on BFD's port when the sockets of
 * a thread that hangs are still open. Prints a SocketReport.
 */

import process from 'node:process';
import { prng } from '../../src/base/prng.ts';
import { SINGLE_HOP_PORT } from '../../src/bgp/bfd/packet.ts';
import { BfdSockets } from '../../src/bgp/bfd/sockets.ts';
import { AF_INET, AF_INET6, intOption, loadLibc, socketAddress } from '../../src/net/libc.ts';
import { siteTarget } from './watch-client.ts';

export interface SocketReport {
  /** What another program is told that wants the port as well. */
  readonly other: string | null;
  readonly hanging: string[];
  readonly replacing: string[];
  /** How many of a flood were taken of each TTL, before and after the socket defended itself. */
  readonly flood: Readonly<Record<string, number>>;
}

const libc = loadLibc()!;
const { settings, ...target } = siteTarget('127.0.0.1');
const watched = { ...target, multihop: false, intervals: settings, auth: null };
const hanging = new BfdSockets(libc, prng(1), false);
const other = new BfdSockets(libc, prng(2), false);
const replacing = new BfdSockets(libc, prng(3), true);
for (const sockets of [hanging, other, replacing]) sockets.open(1, watched);
replacing.send(1, Uint8Array.of(1, 2, 3));
const received = (sockets: BfdSockets): string[] => {
  const all: string[] = [];
  sockets.receive(({ bytes, from, to, ttl }) => {
    all.push(`${bytes} from ${from.join('.')} to ${to.join('.')} with TTL ${ttl}`);
  });
  return all;
};
/** Sends from afar and from the link, more than are taken at once. */
function flood(address: string): Record<string, number> {
  const sockets = new BfdSockets(libc, prng(4), true);
  sockets.open(1, { ...watched, address });
  const seen: Record<string, number> = {};
  const six = address.includes(':');
  const fd = libc.socket(six ? AF_INET6 : AF_INET, 2);
  const to = socketAddress({ address, port: SINGLE_HOP_PORT });
  for (let round = 1; round <= 2; round++) {
    for (const ttl of [64, 255]) {
      libc.setOption(fd, six ? 41 : 0, six ? 16 : 2, intOption(ttl));
      for (let i = 0; i < 40; i++) libc.sendTo(fd, Uint8Array.of(round), to);
    }
    while (
      sockets.receive(({ bytes, ttl }) => {
        const key = `${bytes[0]}/${ttl}`;
        seen[key] = (seen[key] ?? 0) + 1;
      })
    );
  }
  libc.close(fd);
  sockets.closeAll();
  return seen;
}

const report: SocketReport = {
  other: other.send(1, new Uint8Array(0)),
  hanging: received(hanging),
  replacing: received(replacing),
  flood: flood(process.argv[2]!),
};
console.log(JSON.stringify(report));
