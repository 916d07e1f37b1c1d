/**
 * ICMP echo for all probes of this process: one socket for each family and source, open while somebody
 * waits for a reply. A reply is known by the random octets that went out with its request.
 */
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { getSystemErrorName } from 'node:util';
import { canonicalAddress } from '../net/ip.ts';
import { loadLibc } from '../net/libc.ts';
import { ECHO, openPingSocket, type PingSocket } from '../net/ping-socket.ts';
import type { Finish } from './attempt.ts';
import { socketErrorText } from './socket-error.ts';

const HEADER_BYTES = 8;
/** Also the request's identifier and sequence number, which only the token's owner has to know. */
const TOKEN_BYTES = 16;

interface Waiting {
  readonly address: string;
  readonly replied: () => void;
}

interface Shared {
  readonly socket: PingSocket;
  /** By token. */
  readonly waiting: Map<string, Waiting>;
}

/** By family and source. */
const open = new Map<string, Shared>();

/**
 * Sends one echo request (RFC 792, RFC 4443 §4.1). `finish` is called when the reply has come or when
 * nothing can be sent; the function returned ends the wait.
 */
export function ping(address: string, source: string | null, finish: Finish): () => void {
  const six = address.includes(':');
  const key = `${six ? 6 : 4} ${source ?? ''}`;
  const shared = open.get(key) ?? openShared(key, six, source);
  if (typeof shared === 'string') {
    finish(false, shared);
    return () => {};
  }
  const request = Buffer.alloc(HEADER_BYTES + TOKEN_BYTES);
  randomBytes(TOKEN_BYTES).copy(request, HEADER_BYTES);
  request[0] = six ? ECHO.request6 : ECHO.request4;
  request.copy(request, 4, HEADER_BYTES, HEADER_BYTES + 4);
  const token = tokenOf(request);
  shared.waiting.set(token, { address, replied: () => finish(true, 'echo reply') });
  const sent = shared.socket.send(request, address);
  if (sent < 0) finish(false, sendError(sent));
  return () => {
    shared.waiting.delete(token);
    if (shared.waiting.size > 0 || open.get(key) !== shared) return;
    open.delete(key);
    shared.socket.close();
  };
}

function openShared(key: string, six: boolean, source: string | null): Shared | string {
  const libc = loadLibc();
  if (!libc) return 'ICMP needs Linux and the package koffi';
  const waiting = new Map<string, Waiting>();
  const receive = (message: Uint8Array, from: string): void => {
    if (message[0] !== (six ? ECHO.reply6 : ECHO.reply4)) return;
    const found = waiting.get(tokenOf(message));
    // A link-local address comes with its interface: "fe80::1%eth0".
    if (found && canonicalAddress(from.split('%')[0]!) === found.address) found.replied();
  };
  const socket = openPingSocket(libc, { six, source, receive });
  if (!socket.ok) return socket.error;
  const shared = { socket: socket.value, waiting };
  open.set(key, shared);
  return shared;
}

const tokenOf = (message: Uint8Array): string =>
  Buffer.from(message.subarray(HEADER_BYTES, HEADER_BYTES + TOKEN_BYTES)).toString('latin1');

function sendError(errno: number): string {
  const code = getSystemErrorName(errno);
  return socketErrorText(Object.assign(new Error(`not sent (${code})`), { code }));
}
