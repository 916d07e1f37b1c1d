/** Connections with the options of a session, over loopback: the kernel does the checking. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TcpDialler } from '../../src/bgp/dial.ts';
import { Listener } from '../../src/bgp/listener.ts';
import type { Transport } from '../../src/bgp/ports.ts';
import { scopedAddress } from '../../src/net/ip.ts';
import { loadLibc } from '../../src/net/libc.ts';
import { freePort } from '../support/bgp.ts';

const OURS = '127.0.43.1';
const THEIRS = '127.0.43.2';
const KEY = Buffer.from('one secret');
const OTHER_KEY = Buffer.from('another secret');

const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

const plain = (to: Partial<Transport> = {}): Transport => ({
  address: THEIRS,
  port: 0,
  source: to.address?.includes(':') ? null : OURS,
  interface: null,
  ttl: 64,
  ttl_security: null,
  md5_key: null,
  ...to,
});

/** A listener that greets whoever it admits, and tells what it refused. */
async function greeter(
  address = THEIRS,
  has: Partial<Transport> = {},
): Promise<{ listener: Listener; port: number; from: string[]; refused: string[] }> {
  const from: string[] = [];
  const refused: string[] = [];
  const accept = (socket: Socket, who: string): void => {
    from.push(who);
    cleanups.push(() => socket.destroy());
    socket.write('hello');
  };
  const listener = new Listener({ address, port: 0 }, accept, {
    transport: () => plain(has),
    refused: (_, text) => void refused.push(text),
  });
  if (has.md5_key) listener.setKeys([{ from: OURS, key: has.md5_key }]);
  assert.deepEqual(await listener.open(), []);
  cleanups.push(() => listener.close());
  return { listener, port: listener.address.port, from, refused };
}

function dial(to: Transport, dialler = new TcpDialler()): Socket {
  const socket = dialler.dial(to);
  cleanups.push(() => socket.destroy());
  return socket;
}

const greeting = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0]);
const failure = async (socket: Socket): Promise<string> =>
  ((await once(socket, 'error')) as [Error])[0].message;

/** What the kernel has dropped so far, and says so only there. */
async function drops(counter: 'TCPMD5Failure' | 'TCPMinTTLDrop'): Promise<number> {
  const lines = (await readFile('/proc/self/net/netstat', 'utf8')).split('\n');
  const [names, values] = lines.filter((line) => line.startsWith('TcpExt:'));
  return Number(values!.split(' ')[names!.split(' ').indexOf(counter)]);
}

describe('dialling', { skip: !loadLibc() && 'needs koffi on Linux', timeout: 30_000 }, () => {
  test('with a key: a listener that has the same key is reached from our source', async () => {
    const { port, from } = await greeter(THEIRS, { md5_key: KEY });
    assert.equal(await greeting(dial(plain({ port, md5_key: KEY }))), 'hello');
    assert.deepEqual(from, [OURS]);
  });

  test('with another key nothing is answered, until the listener is given it', async () => {
    const { listener, port, from } = await greeter(THEIRS, { md5_key: KEY });
    const before = await drops('TCPMD5Failure');
    const socket = dial(plain({ port, md5_key: OTHER_KEY }));
    while ((await drops('TCPMD5Failure')) === before) assert.deepEqual(from, []);
    assert.ok(socket.connecting);
    // The neighbour's settings still name the old key: what the socket has is not enough.
    listener.setKeys([{ from: OURS, key: OTHER_KEY }]);
    await once(socket, 'close');
    assert.deepEqual(from, []);
  });

  test('a key for a prefix is for everyone in it; without it nobody there is asked', async () => {
    const { listener, port } = await greeter(THEIRS);
    assert.deepEqual(listener.setKeys([{ from: '127.0.43.0/24', key: KEY }]), []);
    assert.equal(await greeting(dial(plain({ port, md5_key: KEY }))), 'hello');
    assert.deepEqual(listener.setKeys([]), []);
    assert.equal(await greeting(dial(plain({ port }))), 'hello');
  });

  test('a neighbour that must be signed is not admitted without its key on the socket', async () => {
    const { listener, port, from, refused } = await greeter(THEIRS, { md5_key: KEY });
    listener.setKeys([]);
    const socket = dial(plain({ port }));
    await once(socket, 'close');
    assert.deepEqual(refused, ['TCP MD5: its key is not on the listening socket']);
    assert.deepEqual(from, []);
  });

  test('TTL security on both sides lets their segments through', async () => {
    const { port } = await greeter(THEIRS, { ttl_security: 1 });
    assert.equal(await greeting(dial(plain({ port, ttl_security: 1 }))), 'hello');
  });

  test('TTL security drops what a neighbour sends with an ordinary TTL', async () => {
    const { port } = await greeter(THEIRS, { ttl: 64 });
    const before = await drops('TCPMinTTLDrop');
    const socket = dial(plain({ port, ttl_security: 1 }));
    await once(socket, 'connect'); // a SYN is always answered with TTL 255
    while ((await drops('TCPMinTTLDrop')) === before) assert.equal(socket.bytesRead, 0);
    assert.equal(socket.bytesRead, 0);
  });

  test('on :: keys and TTL security are for both families', async () => {
    const { listener, port, from } = await greeter('::', { ttl_security: 1 });
    const keys = ['127.0.43.1', '::1'].map((each) => ({ from: each, key: KEY }));
    assert.deepEqual(listener.setKeys(keys), []);
    const options = { port, md5_key: KEY, ttl_security: 1 };
    assert.equal(await greeting(dial(plain(options))), 'hello');
    assert.equal(await greeting(dial(plain({ ...options, address: '::1' }))), 'hello');
    assert.deepEqual(from, [OURS, '::1']);
  });

  test('neighbours that do not answer keep no thread of ours busy', async () => {
    const { port } = await greeter(THEIRS, { md5_key: KEY });
    const silent = Array.from({ length: 100 }, () => dial(plain({ port, md5_key: OTHER_KEY })));
    await readFile(fileURLToPath(import.meta.url)); // by one of libuv's four threads
    assert.ok(silent.every((socket) => socket.connecting));
  });

  test('what cannot be set is said in words', async () => {
    const device = plain({ port: 179, interface: 'nosuch0' });
    assert.equal(await failure(dial(device)), 'interface nosuch0: there is no such interface');
    const source = plain({ port: 179, source: '192.0.2.77' });
    const missing = 'source 192.0.2.77: this machine does not have the address';
    assert.equal(await failure(dial(source)), missing);
    const name = plain({ port: 179, address: 'router.example' });
    assert.equal(await failure(dial(name)), '"router.example" is not an IP address');
    const port = await freePort(THEIRS);
    const refused = `nothing listens on ${THEIRS}:${port} (ECONNREFUSED)`;
    assert.equal(await failure(dial(plain({ port }))), refused);
  });
});

describe('without koffi', () => {
  const bare = new TcpDialler(null);

  test('a neighbour without special options is dialled from our source', async () => {
    const { port, from } = await greeter();
    assert.equal(await greeting(dial(plain({ port }), bare)), 'hello');
    assert.deepEqual(from, [OURS]);
  });

  test('an option that needs it is an error that names both', async () => {
    const wanting: [Partial<Transport>, string][] = [
      [{ md5_key: KEY }, 'TCP MD5'],
      [{ ttl_security: 1 }, 'TTL security'],
      [{ interface: 'lo' }, 'binding to an interface'],
    ];
    for (const [option, name] of wanting) {
      const text = `${name} needs the optional package koffi, on 64-bit Linux`;
      assert.equal(await failure(dial(plain({ port: 179, ...option }), bare)), text);
    }
  });

  test('a listener refuses whoever must have such an option, and takes the others', async () => {
    const refused: string[] = [];
    let has = plain({ ttl_security: 1 });
    const listener = new Listener(
      { address: THEIRS, port: 0 },
      (socket) => socket.end('hello'),
      { transport: () => has, refused: (_, text) => void refused.push(text) },
      null,
    );
    listener.setKeys([{ from: '192.0.2.1', key: KEY }]);
    const missing = 'TCP MD5 for 192.0.2.1 needs the optional package koffi, on 64-bit Linux';
    assert.deepEqual(await listener.open(), [missing]);
    cleanups.push(() => listener.close());
    const to = plain({ port: listener.address.port });
    await once(dial(to, bare), 'close');
    assert.deepEqual(refused, ['TTL security needs the optional package koffi, on 64-bit Linux']);
    has = plain();
    assert.equal(await greeting(dial(to, bare)), 'hello');
  });
});

test('a link-local neighbour is called by its address and interface', () => {
  assert.equal(scopedAddress('FE80::0:1', 'eth0'), 'fe80::1%eth0');
  assert.equal(scopedAddress('fe80::1', null), 'fe80::1');
  assert.equal(scopedAddress('2001:db8::1', 'eth0'), '2001:db8::1');
});
