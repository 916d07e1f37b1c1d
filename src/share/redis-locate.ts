/**
 * Where the node is that holds a deployment's keys: the server itself, the master that the Sentinels
 * name, or the node of a Cluster that owns the slot. All that can tell are asked at once, and what most
 * of them say counts, so that one that hangs, or lives in the past, decides nothing.
 */
import type { Socket } from 'node:net';
import type { Redis } from 'ioredis';
import type { Clock } from '../base/clock.ts';
import type { RedisNode, RedisServerConfig } from '../model/config.ts';
import { openRedis, type RedisSecrets } from './redis-connector.ts';
import { overridesKey } from './redis-scripts.ts';

/** How long those who can tell are waited for, once one of them has told. */
const LOCATE_TIMEOUT_MS = 1_500;
/** Nodes of a Cluster that are asked at once. */
const ASKED_MAX = 8;

export interface Locating {
  readonly server: RedisServerConfig;
  readonly secrets: RedisSecrets;
  readonly deployment: string;
  /** Of a Cluster: nodes that were heard of since, the likeliest first. */
  readonly heard: readonly RedisNode[];
  /** Of the connections by which it is asked. */
  readonly sockets: Set<Socket>;
  readonly clock: Clock;
}

export interface Location {
  readonly node: RedisNode;
  /** Other nodes that can be asked the next time. */
  readonly heard: readonly RedisNode[];
}

const nameOf = ({ host, port }: RedisNode): string => `${host} ${port}`;

/** Throws what the last one answered, if nobody can tell. */
export async function locate(locating: Locating): Promise<Location> {
  const { server, heard } = locating;
  if (server.kind === 'standalone') return { node: server.nodes[0]!, heard: [] };
  if (server.kind === 'sentinel') return mostSay(locating, server.nodes, askSentinel);
  const seeds = new Map([...heard, ...server.nodes].map((node) => [nameOf(node), node]));
  return mostSay(locating, [...seeds.values()].slice(0, ASKED_MAX), askCluster);
}

type Ask = (redis: Redis, locating: Locating, asked: RedisNode) => Promise<Location>;

/** Resolves as soon as more than half say the same, else when all have spoken or time is up. */
function mostSay(locating: Locating, nodes: readonly RedisNode[], ask: Ask): Promise<Location> {
  return new Promise((resolve, reject) => {
    const votes = new Map<string, { count: number; location: Location }>();
    let silent = nodes.length;
    let error: unknown = new Error('nobody could tell in time where the master is');
    const end = (): void => {
      limit.cancel();
      const [first] = [...votes.values()].sort((a, b) => b.count - a.count);
      if (first) resolve(first.location);
      else reject(error);
    };
    const limit = locating.clock.timer(LOCATE_TIMEOUT_MS, end);
    for (const node of nodes) {
      const told = (location: Location): void => {
        const key = nameOf(location.node);
        const count = (votes.get(key)?.count ?? 0) + 1;
        votes.set(key, { count, location });
        if (2 * count > nodes.length) end();
      };
      const failed = (reason: unknown): void => {
        error = reason;
      };
      void askOne(locating, node, ask)
        .then(told, failed)
        .then(() => {
          if (--silent === 0) end();
        });
    }
  });
}

async function askOne(locating: Locating, node: RedisNode, ask: Ask): Promise<Location> {
  const { server, secrets, sockets, clock } = locating;
  const atSentinel = server.kind === 'sentinel';
  const redis = await openRedis({
    node,
    tls: server.tls,
    secrets,
    username: atSentinel ? server.sentinel_username : server.username,
    password: atSentinel ? secrets.sentinel_password : secrets.password,
    database: 0,
    sockets,
    clock,
  });
  try {
    return await ask(redis, locating, node);
  } finally {
    redis.disconnect();
  }
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) <= 65_535;
}

async function askSentinel(redis: Redis, { server }: Locating): Promise<Location> {
  const answer: unknown = await redis.call('SENTINEL', 'get-master-addr-by-name', server.group!);
  const [host, port] = Array.isArray(answer) ? answer : [];
  if (typeof host === 'string' && isPort(Number(port))) {
    return { node: { host, port: Number(port) }, heard: [] };
  }
  throw new Error(`the Sentinel does not know a group "${server.group}"`);
}

async function askCluster(redis: Redis, locating: Locating, asked: RedisNode): Promise<Location> {
  const slot = Number(await redis.call('CLUSTER', 'KEYSLOT', overridesKey(locating.deployment)));
  const ranges: unknown = await redis.call('CLUSTER', 'SLOTS');
  const nodes: RedisNode[] = [];
  let owner: RedisNode | null = null;
  for (const range of Array.isArray(ranges) ? ranges : []) {
    const [from, to, master] = Array.isArray(range) ? range : [];
    const node = nodeOf(master, asked);
    if (!node) continue;
    nodes.push(node);
    if (from <= slot && slot <= to) owner = node;
  }
  if (!owner) throw new Error('no node of the Cluster has the slot of the keys');
  return { node: owner, heard: nodes.slice(0, ASKED_MAX) };
}

/** A node that does not know its own address is where it was asked. */
function nodeOf(value: unknown, asked: RedisNode): RedisNode | null {
  const [host, port] = Array.isArray(value) ? value : [];
  if (!isPort(port)) return null;
  return {
    host: typeof host === 'string' && host !== '' && host !== '?' ? host : asked.host,
    port,
  };
}
