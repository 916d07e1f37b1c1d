/** `store` of deployment.yaml → ShareConfig: each server with all that it takes to reach it. */
import type { RedisNode, RedisServerConfig, ShareConfig } from '../model/config.ts';
import { pathOrNull } from './files.ts';
import { type RedisEntry, type StoreEntry, serverEntry, urlsOf } from './schema-store.ts';

const REDIS_PORT = 6_379;
const SENTINEL_PORT = 26_379;

function nodeOf(url: string, port: number): RedisNode {
  const { hostname, port: written } = new URL(url);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: written === '' ? port : Number(written) };
}

function buildTls(entry: RedisEntry['tls'], dir: string): RedisServerConfig['tls'] {
  return {
    ca_file: pathOrNull(dir, entry?.ca_file),
    certificate: pathOrNull(dir, entry?.certificate),
    key: pathOrNull(dir, entry?.key),
    server_name: entry?.server_name ?? null,
  };
}

function buildServer(store: RedisEntry, index: number, dir: string): RedisServerConfig {
  const entry = serverEntry(store.redis[index]!);
  const { group, sentinels, cluster } = entry;
  const urls = urlsOf(entry);
  const hosts = urls.map((url) => new URL(url).host).join(', ');
  const first = new URL(urls[0]!);
  return {
    kind: sentinels ? 'sentinel' : cluster ? 'cluster' : 'standalone',
    name: sentinels ? `${group} (${hosts})` : hosts,
    nodes: urls.map((url) => nodeOf(url, sentinels ? SENTINEL_PORT : REDIS_PORT)),
    group: group ?? null,
    database: Number(first.pathname.slice(1)),
    tls: first.protocol === 'rediss:' ? buildTls(entry.tls ?? store.tls, dir) : null,
    username: entry.username ?? store.username ?? null,
    password_file: pathOrNull(dir, entry.password_file ?? store.password_file),
    sentinel_username: entry.sentinel_username ?? store.sentinel_username ?? null,
    sentinel_password_file: pathOrNull(
      dir,
      entry.sentinel_password_file ?? store.sentinel_password_file,
    ),
  };
}

export function buildShare(store: StoreEntry, dir: string): ShareConfig {
  if (store === 'memory') return { kind: 'memory' };
  const servers = store.redis.map((_, i) => buildServer(store, i, dir));
  return { kind: 'redis', servers };
}
