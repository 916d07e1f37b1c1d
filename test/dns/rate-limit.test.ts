/** Response rate limiting, on virtual time: who is limited, for what, for how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '../../src/base/clock.ts';
import { KIND, RateLimiter, rateTable, VERDICT } from '../../src/dns/rate-limit.ts';
import { TRANSPORT } from '../../src/dns/respond.ts';
import type { RateLimit } from '../../src/model/config.ts';
import { buildQuery, readMessage } from '../support/dns-query.ts';
import { type AskOptions, openDoor } from '../support/dns-zone.ts';

const A = 1;
const LIMIT: RateLimit = { responses_per_s: 10, slip: 0, prefix4: 24, prefix6: 56 };

function limited(limit: Partial<RateLimit> = {}) {
  const clock = new VirtualClock();
  const door = openDoor(undefined, { clock, dns: { rate_limit: { ...LIMIT, ...limit } } });
  /** Sends the query `count` times; gives the answers that came. */
  const flood = (count: number, name: string, type = A, more: AskOptions = {}) =>
    Array.from({ length: count }, () => door.raw(buildQuery({ name, type, ...more }), more))
      .filter((answer) => answer !== null)
      .map(readMessage);
  return { ...door, clock, flood };
}

test('like responses to one prefix come at the configured rate, whatever is asked', () => {
  const { flood, clock, counters } = limited();
  let sent = flood(1000, 'ns1.example.com').length;
  assert.equal(sent, 10);
  for (let i = 0; i < 100; i++) {
    clock.advance(100);
    sent += flood(100, 'ns1.example.com').length;
  }
  assert.equal(sent, 10 + 100);
  assert.equal(counters.get('rate_limited'), 11_000 - sent);
  assert.equal(counters.get('noerror'), sent);
});

test('a client below the rate is never limited', () => {
  const { flood, clock } = limited();
  for (let i = 0; i < 500; i++) {
    assert.equal(flood(1, 'ns1.example.com').length, 1);
    clock.advance(100);
  }
});

test('after a flood, rest brings the whole credit back within a second', () => {
  const { flood, clock } = limited();
  flood(1000, 'ns1.example.com');
  clock.advance(500);
  assert.equal(flood(100, 'ns1.example.com').length, 5);
  clock.advance(3600_000);
  assert.equal(flood(100, 'ns1.example.com').length, 10);
});

test('each n-th response beyond the limit is sent truncated and empty', () => {
  for (const [slip, expected] of [
    [0, 0],
    [1, 90],
    [2, 45],
    [3, 30],
  ] as const) {
    const { flood, counters } = limited({ slip });
    const answers = flood(100, 'big.example.com', A, { edns: {} });
    assert.equal(answers.length, 10 + expected);
    for (const answer of answers.slice(10)) {
      assert.ok(answer.tc);
      assert.equal(answer.answers.length + answer.authority.length + answer.additional.length, 0);
      assert.equal(answer.question, 'big.example.com. 1');
      assert.ok(answer.opt);
    }
    assert.equal(counters.get('slipped'), expected);
    assert.equal(counters.get('rate_limited'), 90);
  }
});

test('an error beyond the limit slips as it is: truncation would not help its client', () => {
  const { flood } = limited({ slip: 2 });
  const answers = flood(100, 'www.example.org');
  assert.equal(answers.length, 10 + 45);
  assert.ok(answers.every(({ rcode, tc }) => rcode === 5 && !tc));
});

test('prefixes are limited each for itself', () => {
  const { flood } = limited();
  flood(100, 'ns1.example.com', A, { client: '192.0.2.1' });
  assert.equal(flood(9, 'ns1.example.com', A, { client: '192.0.2.250' }).length, 0);
  assert.equal(flood(9, 'ns1.example.com', A, { client: '192.0.3.1' }).length, 9);
  flood(100, 'ns1.example.com', A, { client: '2001:db8:0:7f::1' });
  assert.equal(flood(9, 'ns1.example.com', A, { client: '2001:db8:0:1::9' }).length, 0);
  assert.equal(flood(9, 'ns1.example.com', A, { client: '2001:db8:0:100::1' }).length, 9);
});

test('kinds of answers: by name and type of answer, by wildcard, by zone, by delegation', () => {
  const { flood } = limited();
  const alike = (first: string, second: string, type = A, other = type): boolean => {
    const door = limited();
    door.flood(100, first, type);
    const passed = door.flood(10, second, other).length;
    assert.ok(passed === 0 || passed === 10);
    return passed === 0;
  };
  assert.equal(alike('ns1.example.com', 'NS1.example.com'), true);
  assert.equal(alike('ns1.example.com', 'mail.example.com'), false);
  assert.equal(alike('ns1.example.com', 'ns1.example.com', A, 28), false);
  assert.equal(alike('away.example.com', 'away.example.com', A, 99), true);
  assert.equal(alike('ns1.example.com', 'ns1.example.com', A, 255), true);
  assert.equal(alike('a.wild.example.com', 'b.c.wild.example.com'), true);
  assert.equal(alike('a.wild.example.com', 'known.wild.example.com'), false);
  assert.equal(alike('a1.example.com', 'a2.b.example.com'), true);
  assert.equal(alike('a1.example.com', 'a1.sub.example.com'), false);
  assert.equal(alike('mail.example.com', 'mail.example.com', 28, 33), true);
  assert.equal(alike('mail.example.com', 'ns1.example.com', 33), false);
  assert.equal(alike('a.down.example.com', 'b.c.down.example.com'), true);
  assert.equal(alike('www.example.org', 'www.example.net'), true);
  assert.equal(alike('a1.example.com', 'ns1.example.com'), false);
  assert.equal(flood(10, 'ns1.example.com').length, 10);
});

test('a truncated answer is one of its name, not an absence', () => {
  const { flood } = limited();
  assert.ok(flood(100, 'big.example.com').every(({ tc }) => tc));
  assert.equal(flood(10, 'big.example.com', 99).length, 10);
});

test('malformed queries are limited as errors', () => {
  const { flood } = limited();
  assert.equal(flood(100, 'ns1.example.com', A, { tail: [0] }).length, 10);
});

test('TCP, and UDP with a good cookie, are exempt; a client cookie alone is not', () => {
  const { ask, flood } = limited();
  const client = [1, 2, 3, 4, 5, 6, 7, 8];
  const asks = (data: readonly number[]) => ({ edns: { options: [[10, data] as const] } });
  const cookie = [...ask('ns1.example.com', A, asks(client)).opt!.rdata.subarray(4)];
  assert.equal(flood(100, 'ns1.example.com', A, asks(client)).length, 9);
  assert.equal(flood(100, 'ns1.example.com', A, asks(cookie)).length, 100);
  assert.equal(flood(100, 'ns1.example.com', A, { transport: TRANSPORT.TCP }).length, 100);
  assert.equal(flood(10, 'ns1.example.com', A, { ...asks(cookie), client: '192.0.2.9' }).length, 0);
});

const check = (limiter: RateLimiter, now_ms: number, address: number, node = 1): number => {
  const client = Uint8Array.of(address >> 24, address >> 16, address >> 8, address);
  return limiter.check(now_ms | 0, client, 0, 4, KIND.ANSWER, 0, node, 1);
};

test('a hundred thousand other clients never take from one’s credit', () => {
  const limiter = new RateLimiter({ ...LIMIT, prefix4: 32 }, rateTable());
  let denied = 0;
  for (let i = 0; i < 1_000_000; i++) {
    if (check(limiter, 5, (i % 100_000) * 7919) !== VERDICT.SEND) denied++;
  }
  // Each asks ten times: exactly its credit, however entries had to make room for others.
  assert.equal(denied, 0);
});

test('a flood of other keys cannot lift the limit of a client that goes on', () => {
  const limiter = new RateLimiter({ ...LIMIT, prefix4: 32 }, rateTable());
  let sent = 0;
  for (let i = 0; i < 200_000; i++) {
    check(limiter, i / 1000, 0x0a000000 + (i % 20_000));
    if (i % 10 === 0 && check(limiter, i / 1000, 1) === VERDICT.SEND) sent++;
  }
  assert.ok(sent <= 20, `${sent} of 20000 sent`);
});

test('a clock that is set back, or wraps, leaves nobody limited', () => {
  const limiter = new RateLimiter(LIMIT, rateTable());
  const drain = (now_ms: number): number => {
    let sent = 0;
    for (let i = 0; i < 100; i++) if (check(limiter, now_ms, 1) === VERDICT.SEND) sent++;
    return sent;
  };
  assert.equal(drain(5_000_000), 10);
  assert.equal(drain(1_000_000), 10);
  // Another thread that read its clock a little earlier earns nothing by it.
  assert.equal(drain(999_900), 0);
  assert.equal(drain(1_000_100), 1);
  assert.equal(drain(2 ** 31 - 50), 10);
  assert.equal(drain(2 ** 31 + 50), 1);
});

test('threads that share the table share the limit', () => {
  const table = rateTable();
  const limiters = [new RateLimiter(LIMIT, table), new RateLimiter(LIMIT, table)];
  let sent = 0;
  for (let i = 0; i < 100; i++) if (check(limiters[i % 2]!, 0, 1) === VERDICT.SEND) sent++;
  assert.equal(sent, 10);
});
