/**
 * What lies in Redis, and the scripts that read and write it.
 *
 * Must hold: all keys of a deployment have one hash tag, so they lie on one node of a Cluster; what a
 * report says of itself in its first line ("INCARNATION.SEQUENCE SITE/AGENT") is all that scripts and
 * readers need to know whether it is news; times of overrides are kept on the server's own clock and
 * leave it as durations.
 */
import type { Redis } from 'ioredis';
import type { OverrideSight } from '../model/override.ts';
import { KEEP_MS, keepFor_ms, OVERRIDES_MAX } from './override-book.ts';
import { INCARNATION_MAX, REPORT_CHARS_MAX } from './report-schema.ts';

/** UTF-8 takes three bytes at most for one UTF-16 unit. */
const REPORT_BYTES_MAX = 3 * REPORT_CHARS_MAX;
/** Of one read, before its last report. */
const READ_BYTES_MAX = 8_388_608;
const OVERRIDE_BYTES_MAX = 16_384;
/** Overrides in one call. */
export const OVERRIDES_PER_WRITE = 32;
/** How long the key lives by which is tried whether a server can be written. */
const TRIAL_TTL_MS = 5_000;
/** Digits of an incarnation and of a sequence number, and a name. */
const HEADER = /^([0-9]{1,16}\.[0-9]{1,16}) ([^\n]{1,600})$/;
/** Of an override that never ends; a server without so many milliseconds on its clock is none. */
const KEEP_MAX_MS = 1e12;
const OVERRIDE_HEADER = 'override';

export interface ReportHeader {
  readonly writer: string;
  /** "INCARNATION.SEQUENCE" */
  readonly stamp: string;
  readonly incarnation: number;
  readonly sequence: number;
}

/** A report as it lies in Redis and as it is pushed. */
export function reportText({ writer, stamp }: ReportHeader, json: string): string {
  return `${stamp} ${writer}\n${json}`;
}

/** The header of a report's first line; null: it is none. */
export function headerOf(line: string): ReportHeader | null {
  const match = HEADER.exec(line);
  if (!match) return null;
  const stamp = match[1]!;
  const [incarnation, sequence] = stamp.split('.').map(Number);
  if (!(incarnation! <= INCARNATION_MAX) || !Number.isSafeInteger(sequence)) return null;
  return { writer: match[2]!, stamp, incarnation: incarnation!, sequence: sequence! };
}

/** An override as it came; times null: they are in the JSON, which is that of an `OverrideSight`. */
export interface OverrideText {
  readonly times: Pick<OverrideSight, 'for_ms' | 'left_ms'> | null;
  readonly json: () => string;
}

export type News =
  | { readonly kind: 'report'; readonly header: ReportHeader; readonly json: () => string }
  | ({ readonly kind: 'override' } & OverrideText);

const LF = 10;
const FIRST_LINE_BYTES_MAX = 640;

/** What a message, or a report that was read, is; null: nothing that is known here. */
export function newsOf(octets: Buffer): News | null {
  const end = octets.subarray(0, FIRST_LINE_BYTES_MAX).indexOf(LF);
  if (end < 0 || octets.length > REPORT_BYTES_MAX) return null;
  const line = octets.toString('utf8', 0, end);
  const json = (): string => octets.toString('utf8', end + 1);
  if (line === OVERRIDE_HEADER) return { kind: 'override', times: null, json };
  const header = headerOf(line);
  return header && { kind: 'report', header, json };
}

const keyOf = (deployment: string, rest: string): string => `isobar:{${deployment}}:${rest}`;
export const reportKey = (deployment: string, writer: string): string =>
  keyOf(deployment, `report:${writer}`);
export const overridesKey = (deployment: string): string => keyOf(deployment, 'overrides');
export const newsChannel = (deployment: string): string => keyOf(deployment, 'news');
const trialKey = (deployment: string): string => keyOf(deployment, 'trial');

/** The stamp of the report under a key; '' where there is none. */
const LUA_STAMP = `
local function stampOf(key)
  local head = redis.pcall('GETRANGE', key, 0, 63)
  return type(head) == 'string' and string.match(head, '^(%d+%.%d+) ') or ''
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- An override lies there as "KEPT-UNTIL SINCE UNTIL CLOCK AGENT" and its JSON; UNTIL may be "-".
local function keptUntil(held)
  return tonumber(string.match(held, '^(%d+) ')) or 0
end
`;

/**
 * Writes a report unless the key already holds a newer one, and tells the subscribers.
 * KEYS: the report's key. ARGV: incarnation, sequence, text, time to live in ms, channel, and up to
 * where a held incarnation counts as one.
 */
const WRITE_REPORT = `${LUA_STAMP}
local i, s = string.match(stampOf(KEYS[1]), '^(%d+)%.(%d+)$')
i, s = tonumber(i), tonumber(s)
local incarnation, sequence = tonumber(ARGV[1]), tonumber(ARGV[2])
if i and i <= tonumber(ARGV[6]) and (i > incarnation or (i == incarnation and s > sequence)) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[3])
return 1
`;

/**
 * What the reader does not know yet. KEYS: the overrides, the reader's own report, the reports.
 * ARGV: bytes of one report and of all at most; the version of the overrides that is known, how many
 * they may be and how long; the stamp of each report that is known.
 * Gives: the stamp of the reader's own report, the version, the overrides ("FOR LEFT" and JSON) if
 * the version is another, the reports whose stamp is another, and 1 if some were left for the next time.
 */
const READ = `${LUA_STAMP}
local version = redis.pcall('HGET', KEYS[1], 'version')
version = type(version) == 'string' and version or ''
local overrides = {}
if version ~= ARGV[3] and version ~= '' and redis.call('HLEN', KEYS[1]) <= ARGV[4] + 1 then
  local now = now_ms()
  for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
    if id ~= 'version' and redis.call('HSTRLEN', KEYS[1], id) <= tonumber(ARGV[5]) then
      local held = redis.call('HGET', KEYS[1], id)
      local since, ends, json = string.match(held, '^%d+ (%d+) (%S+) %d+ [^\\n]*\\n(.*)$')
      if since and keptUntil(held) > now then
        local age = string.format('%.0f', math.max(0, now - since))
        local left = ends == '-' and ends or string.format('%.0f', ends - now)
        table.insert(overrides, age .. ' ' .. left .. '\\n' .. json)
      end
    end
  end
end
local reports, room, more = {}, tonumber(ARGV[2]), 0
for n = 3, #KEYS do
  local stamp = stampOf(KEYS[n])
  if stamp ~= '' and stamp ~= ARGV[n + 3] then
    if room > 0 then
      local bytes = redis.call('STRLEN', KEYS[n])
      if bytes <= tonumber(ARGV[1]) then
        table.insert(reports, redis.call('GET', KEYS[n]))
        room = room - bytes
      end
    else
      more = 1
    end
  end
end
return {stampOf(KEYS[2]), version, overrides, reports, more}
`;

/**
 * Writes overrides, each unless its register holds one with a later or the same stamp, and tells the
 * subscribers. A full server makes room as a book does: the oldest of those that only keep old copies
 * out gives way to one that is to be kept for longer. KEYS: the overrides. ARGV: the channel, how many
 * there may be, for how many ms one is kept that is in force no more, and for each: id, clock, agent,
 * JSON, age in ms, ms left or '-', ms for which it is kept, message.
 */
const WRITE_OVERRIDES = `${LUA_STAMP}
local key, now, changed = KEYS[1], now_ms(), 0
local kind = redis.call('TYPE', key).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
local function isFull()
  return redis.call('HLEN', key) > tonumber(ARGV[2])
end
local function makeRoom(kept)
  local oldest, least = nil, math.min(kept, now + ARGV[3] + 1)
  for _, id in ipairs(redis.call('HKEYS', key)) do
    local ends = id == 'version' and math.huge or keptUntil(redis.call('HGET', key, id))
    if ends <= now then
      redis.call('HDEL', key, id)
    elseif ends < least then
      oldest, least = id, ends
    end
  end
  if oldest and isFull() then redis.call('HDEL', key, oldest) end
end
for n = 4, #ARGV, 8 do
  local id, clock, agent = ARGV[n], tonumber(ARGV[n + 1]), ARGV[n + 2]
  local held = redis.call('HGET', key, id)
  local c, a = string.match(held or '', '^%d+ %d+ %S+ (%d+) ([^\\n]*)\\n')
  c = tonumber(c)
  if not c or clock > c or (clock == c and agent > a) then
    local kept = math.max(0, now + ARGV[n + 6])
    if not held and isFull() then makeRoom(kept) end
    if held or not isFull() then
      local since = string.format('%.0f', math.max(0, now - ARGV[n + 4]))
      local left = ARGV[n + 5]
      local ends = left == '-' and left or string.format('%.0f', now + left)
      local head = table.concat({string.format('%.0f', kept), since, ends, ARGV[n + 1], agent}, ' ')
      redis.call('HSET', key, id, head .. '\\n' .. ARGV[n + 3])
      redis.call('PUBLISH', ARGV[1], ARGV[n + 7])
      changed = changed + 1
    end
  end
end
if changed > 0 then
  local version = tonumber(redis.call('HGET', key, 'version')) or 0
  redis.call('HSET', key, 'version', string.format('%.0f', math.max(version + 1, now * 1000)))
end
return changed
`;

export async function writeReport(
  redis: Redis,
  deployment: string,
  { header, text }: { readonly header: ReportHeader; readonly text: string },
  ttl_ms: number,
): Promise<void> {
  const { writer, incarnation, sequence } = header;
  const values = [incarnation, sequence, text, ttl_ms, newsChannel(deployment), INCARNATION_MAX];
  await redis.eval(WRITE_REPORT, 1, reportKey(deployment, writer), ...values);
}

/** At most `OVERRIDES_PER_WRITE`. */
export async function writeOverrides(
  redis: Redis,
  deployment: string,
  sights: readonly OverrideSight[],
): Promise<void> {
  const values = sights.flatMap((sight) => {
    const { override, for_ms, left_ms } = sight;
    const { clock, agent } = override.stamp;
    const left = left_ms === null ? '-' : Math.ceil(left_ms);
    const times = [Math.round(for_ms), left, Math.min(KEEP_MAX_MS, Math.ceil(keepFor_ms(sight)))];
    const message = `${OVERRIDE_HEADER}\n${JSON.stringify(sight)}`;
    return [override.id, clock, agent, JSON.stringify(override), ...times, message];
  });
  const fixed = [newsChannel(deployment), OVERRIDES_MAX, KEEP_MS];
  await redis.eval(WRITE_OVERRIDES, 1, overridesKey(deployment), ...fixed, ...values);
}

/** Throws if the server cannot be written. */
export async function tryToWrite(redis: Redis, deployment: string): Promise<void> {
  await redis.set(trialKey(deployment), '1', 'PX', TRIAL_TTL_MS);
}

/** What a reader knows already. */
export interface Known {
  /** Writer → the stamp of its report; '' if none is known. */
  readonly stamps: ReadonlyMap<string, string>;
  /** Of the overrides; '' for none. */
  readonly version: string;
  /** Who writes through this reader; null: nobody yet. */
  readonly self: string | null;
}

export interface Read {
  /** The stamp of the own report on the server; '' where it has none. */
  readonly own: string;
  readonly version: string;
  /** Only if the version is not the one that was known. */
  readonly overrides: readonly OverrideText[];
  readonly reports: readonly Buffer[];
  /** True: not all fitted into this answer. */
  readonly more: boolean;
}

/** Throws if the answer is not what the script gives. */
export async function readNews(redis: Redis, deployment: string, known: Known): Promise<Read> {
  const writers = [...known.stamps.keys()];
  const own = known.self === null ? overridesKey(deployment) : reportKey(deployment, known.self);
  const reports = writers.map((writer) => reportKey(deployment, writer));
  const keys = [overridesKey(deployment), own, ...reports];
  const limits = [
    REPORT_BYTES_MAX,
    READ_BYTES_MAX,
    known.version,
    OVERRIDES_MAX,
    OVERRIDE_BYTES_MAX,
  ];
  const values = [...limits, ...known.stamps.values()];
  return readOf(await redis.callBuffer('EVAL', READ, keys.length, ...keys, ...values));
}

function isTexts(value: unknown): value is Buffer[] {
  return Array.isArray(value) && value.every((one) => Buffer.isBuffer(one));
}

function readOf(answer: unknown): Read {
  const [own, version, overrides, reports, more] = Array.isArray(answer) ? answer : [];
  const sound = isTexts([own, version]) && isTexts(overrides) && isTexts(reports);
  if (!sound || typeof more !== 'number') throw new Error('the server answers nonsense');
  return {
    own: String(own),
    version: String(version),
    overrides: overrides.map(overrideOf),
    reports,
    more: more === 1,
  };
}

function overrideOf(octets: Buffer): OverrideText {
  const text = octets.toString();
  const end = text.indexOf('\n');
  const [age, left] = text.slice(0, end).split(' ');
  const left_ms = left === '-' ? null : Number(left);
  return { times: { for_ms: Number(age), left_ms }, json: () => text.slice(end + 1) };
}
