/**
 * The connection to one Redis server (6 or later: commands and pushes share one RESP3 connection).
 * Nothing here makes a caller wait, and a server that hangs is treated as one that is gone: every
 * command has a timeout, and a timeout ends the connection. In flight at any time are at most one
 * write, one read and one subscription; of the reports to write only the newest is kept.
 */
import { Redis } from 'ioredis';
import { backoff_ms } from '../base/backoff.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Prng } from '../base/prng.ts';
import { INCARNATION_MAX, REPORT_CHARS_MAX } from './report-schema.ts';

/** A report as it is written: (incarnation, sequence) orders it on the server. */
export interface OutgoingReport {
  readonly site: string;
  readonly incarnation: number;
  readonly sequence: number;
  readonly json: string;
}

/** What the links to all servers of one store have in common. */
export interface RedisSettings {
  /** User of the servers' ACL; null: the default user. */
  readonly username: string | null;
  /** Null: the servers ask for none. Never logged. */
  readonly password: string | null;
  /** Separates deployments that share a Redis server. */
  readonly deployment: string;
  /** The configured sites now, whose reports are read. */
  readonly sites: () => readonly string[];
  /** Life of a report in Redis, in milliseconds: a few report intervals. */
  readonly ttl_ms: number;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly log: Log;
}

export interface LinkOptions extends RedisSettings {
  /** redis:// or rediss://; never logged, since a hand-made one may hold a password. */
  readonly url: string;
  /** Called with each report's JSON, pushed or read, new or not. Must not throw. */
  readonly onReport: (json: string) => void;
  /** Called when `alive` has changed. Must not throw. */
  readonly onAlive: () => void;
}

/** How often all reports are read in full: finds what a push did not bring. */
const READ_INTERVAL_MS = 1_000;
const ANSWER_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** How long a connection may take to close in good order before its socket is destroyed. */
const DISCONNECT_TIMEOUT_MS = 300;
/** How long `close` waits for a write under way. */
const LAST_WRITE_MS = 300;
/** UTF-8 takes three bytes at most for one UTF-16 unit. */
const REPORT_BYTES_MAX = 3 * REPORT_CHARS_MAX;
const RETRY = { first_ms: 200, max_ms: 2_000 };

/**
 * The reports under KEYS, or false for what is no text or is longer than ARGV bytes: a value that
 * somebody else put there must not fill the memory of every agent with each read.
 */
const READ_SCRIPT = `
local reports = {}
for i, key in ipairs(KEYS) do
  local bytes = redis.pcall('STRLEN', key)
  local fits = type(bytes) == 'number' and bytes > 0 and bytes <= tonumber(ARGV[1])
  reports[i] = fits and redis.call('GET', key)
end
return reports
`;

/**
 * Writes the report unless the key already holds a newer one, and tells the subscribers.
 * KEYS: the site's key. ARGV: incarnation, sequence, JSON, time to live in ms, channel, and up to
 * where a held value counts as a report at all: its size in bytes, its incarnation.
 */
const WRITE_SCRIPT = `
local bytes = redis.pcall('STRLEN', KEYS[1])
if type(bytes) == 'number' and bytes > 0 and bytes <= tonumber(ARGV[6]) then
  local held = redis.call('GET', KEYS[1])
  local read, report = pcall(cjson.decode, held)
  local i = read and type(report) == 'table' and tonumber(report.incarnation)
  local s = i and tonumber(report.sequence)
  local incarnation, sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
  local isReport = s and i <= tonumber(ARGV[7])
  if isReport and (i > incarnation or (i == incarnation and s > sequence)) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[3])
return 1
`;

/** "host:port" of the URL, for logs. Throws without repeating the URL, which may hold a secret. */
function nameOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    throw new Error('the URL of a Redis server cannot be parsed');
  }
}

export class RedisLink {
  readonly #options: LinkOptions;
  readonly #log: Log;
  readonly #redis: Redis;
  readonly #channel: string;
  #alive = false;
  /** Grows when a connection begins and when it is lost; what belongs to an older one stops. */
  #session = 0;
  /** Connections in a row that did not come alive. */
  #failures = 0;
  #complained = false;
  #readTimer: Timer | null = null;
  #newest: OutgoingReport | null = null;
  /** The report that this connection has already written. */
  #written: OutgoingReport | null = null;
  #writing: Promise<void> | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#log = options.log.child({ redis: nameOf(options.url) });
    this.#channel = `isobar:${options.deployment}:reports`;
    this.#redis = this.#connect();
  }

  /** True from the first full read of a connection until the server fails to answer. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Writes `report` as soon as the server takes it, unless a newer one comes before. */
  publish(report: OutgoingReport): void {
    this.#newest = report;
    if (this.#alive) void this.#attempt(() => this.#write());
  }

  /** Lets a write under way finish and ends the connection; done within a second. */
  async close(): Promise<void> {
    const { clock } = this.#options;
    if (this.#alive && this.#writing) {
      const patience = new Promise<void>((done) => clock.timer(LAST_WRITE_MS, done));
      await Promise.race([this.#writing.catch(() => {}), patience]);
    }
    this.#endSession();
    const ended = new Promise<void>((done) => {
      // While it waits to reconnect there is no socket, and the client reports no end.
      if (this.#redis.status === 'reconnecting' || this.#redis.status === 'end') return done();
      const limit = clock.timer(2 * DISCONNECT_TIMEOUT_MS, done);
      this.#redis.once('end', () => {
        limit.cancel();
        done();
      });
    });
    this.#redis.disconnect();
    await ended;
  }

  #connect(): Redis {
    const { url, username, password } = this.#options;
    const redis = new Redis(url, {
      ...(username !== null && { username }),
      ...(password !== null && { password }),
      protocol: 3,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: ANSWER_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      // Without these the client keeps commands for later while the server is down, without limit.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      autoResubscribe: false,
      disableClientInfo: true,
      retryStrategy: () => backoff_ms(RETRY, this.#failures++, this.#options.prng),
    });
    redis.on('ready', () => this.#begin());
    redis.on('close', () => this.#endSession());
    redis.on('error', (error: Error) => this.#complain(error.message));
    redis.on('message', (_channel: string, json: string) => this.#options.onReport(json));
    return redis;
  }

  #begin(): void {
    const session = ++this.#session;
    this.#written = null;
    void this.#attempt(async () => {
      // Subscribed before the first read: nothing can be missed between the two.
      await this.#redis.subscribe(this.#channel);
      await this.#write();
      await this.#read();
      if (session !== this.#session) return;
      this.#failures = 0;
      this.#setAlive(true);
      await this.#write();
    });
  }

  /** Runs `work`; if it fails while its connection is still the present one, ends that. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    const session = this.#session;
    try {
      await work();
    } catch (error) {
      if (session !== this.#session) return;
      this.#complain((error as Error).message);
      this.#endSession();
      this.#redis.disconnect(true);
    }
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeNewest().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #writeNewest(): Promise<void> {
    const session = this.#session;
    while (session === this.#session && this.#newest && this.#newest !== this.#written) {
      const report = this.#newest;
      const { site, incarnation, sequence, json } = report;
      const { ttl_ms } = this.#options;
      const key = this.#key(site);
      const written = [incarnation, sequence, json, ttl_ms, this.#channel];
      const limits = [REPORT_BYTES_MAX, INCARNATION_MAX];
      await this.#redis.eval(WRITE_SCRIPT, 1, key, ...written, ...limits);
      this.#written = report;
    }
  }

  /** Reads every site's report and sets the timer for the next time. */
  async #read(): Promise<void> {
    const session = this.#session;
    const keys = this.#options.sites().map((site) => this.#key(site));
    const reports = await this.#redis.eval(READ_SCRIPT, keys.length, ...keys, REPORT_BYTES_MAX);
    if (session !== this.#session) return;
    for (const json of reports as (string | null)[]) if (json) this.#options.onReport(json);
    this.#readTimer = this.#options.clock.timer(READ_INTERVAL_MS, () => {
      void this.#attempt(() => this.#read());
    });
  }

  #key(site: string): string {
    return `isobar:${this.#options.deployment}:report:${site}`;
  }

  #endSession(): void {
    this.#session++;
    this.#readTimer?.cancel();
    this.#readTimer = null;
    this.#setAlive(false);
  }

  #setAlive(alive: boolean): void {
    if (alive === this.#alive) return;
    this.#alive = alive;
    if (alive) {
      this.#complained = false;
      this.#log.info({}, 'Redis server answers');
    }
    this.#options.onAlive();
  }

  /** Logs the first failure only, until the server has been alive again. */
  #complain(error: string): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#log.warn({ error }, 'Redis server cannot be used');
  }
}
