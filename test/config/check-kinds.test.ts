/** `checks` of deployment.yaml: what each kind becomes, and what is said of mistakes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Check } from '../../src/model/check.ts';
import { projectRoot, TempDeployment } from '../support/deployment.ts';

/** The first check that the demo's services use, or the problems. */
async function load(check: string): Promise<{ checks: Check[]; problems: string[]; dir: string }> {
  const demo = await TempDeployment.create();
  try {
    await demo.write('ca.pem', '');
    const text = readFileSync(join(demo.dir, 'deployment.yaml'), 'utf8');
    const before = /\n {2}web:\n(?: {4}.*\n)+/.exec(text)![0];
    await demo.edit('deployment.yaml', before, `\n  web: ${check}\n`);
    const loaded = await loadConfig(demo.dir);
    const checks = loaded.ok ? loaded.value.targets.map((target) => target.check) : [];
    const problems = loaded.ok ? [] : loaded.error.map(formatProblem);
    return { checks, problems, dir: demo.dir };
  } finally {
    await demo.destroy();
  }
}

async function built(check: string): Promise<Check> {
  const { checks, problems } = await load(check);
  assert.deepEqual(problems, []);
  return checks[0]!;
}

describe('a check becomes', () => {
  test('an HTTP request with all its defaults, once for all targets', async () => {
    const { checks } = await load('{kind: http, port: 80}');
    assert.deepEqual(checks[0], {
      kind: 'http',
      name: 'web',
      interval_ms: 5_000,
      interval_failing_ms: 5_000,
      timeout_ms: 2_000,
      rise: 2,
      fall: 3,
      jitter: 0.1,
      source4: null,
      source6: null,
      method: 'GET',
      path: '/',
      host: null,
      headers: {},
      expect: [200],
      body: null,
      body_bytes_max: 64_000,
    });
    assert.equal(checks[1], checks[0]);
  });

  test('statuses by number, range and class', async () => {
    const check = await built('{kind: http, port: 80, expect: [404, 200-202, 3xx]}');
    assert.ok(check.kind === 'http');
    const { expect } = check;
    assert.deepEqual(expect.slice(0, 5), [404, 200, 201, 202, 300]);
    assert.equal(expect.length, 104);
  });

  test('an HTTPS request with terms of TLS, its CA file beside deployment.yaml', async () => {
    const { checks, dir } = await load(
      '{kind: https, port: 443, ca_file: ca.pem, server_name: A.example, certificate_days_min: 7, body_contains: ok, headers: {X-A: b}}',
    );
    const check = checks[0]!;
    assert.ok(check.kind === 'https');
    assert.deepEqual(
      [check.ca_file, check.server_name, check.certificate_days_min, check.verify, check.body],
      [join(dir, 'ca.pem'), 'a.example', 7, true, { contains: 'ok', matches: null }],
    );
    assert.deepEqual(check.headers, { 'x-a': 'b' });
  });

  test('bytes to send, by their escapes', async () => {
    const check = await built(
      `{kind: tcp, port: 1, send: 'é\\r\\n\\x00\\\\', expect_matches: '^\\+OK'}`,
    );
    assert.ok(check.kind === 'tcp');
    assert.equal(check.send, 'c3a90d0a005c');
    assert.deepEqual(check.expect, { contains: null, matches: '^\\+OK' });
  });

  test('a question with its answers in canonical form', async () => {
    const six = await built(
      '{kind: dns, name: WWW.example.com., type: AAAA, answers: ["2001:DB8:0::1"]}',
    );
    assert.ok(six.kind === 'dns');
    assert.deepEqual([six.question, six.answers], ['www.example.com', ['2001:db8::1']]);
    const mx = await built('{kind: dns, name: ., type: MX, answers: ["10 Mail.example."]}');
    assert.ok(mx.kind === 'dns');
    assert.deepEqual([mx.question, mx.answers], ['.', ['10 mail.example']]);
  });

  test('an echo, a gRPC call, a command', async () => {
    assert.equal((await built('{kind: icmp, interval_failing: 2s}')).interval_failing_ms, 2_000);
    const grpc = await built('{kind: grpc, port: 1, service: a.b.C}');
    assert.ok(grpc.kind === 'grpc');
    assert.deepEqual([grpc.service, grpc.tls], ['a.b.C', null]);
    const command = await built('{kind: command, command: [true, "{}"]}').catch(() => null);
    assert.equal(command, null, 'true is no text in YAML');
    const own = await load('{kind: command, command: [bin/probe, -v]}');
    const check = own.checks[0]!;
    assert.ok(check.kind === 'command');
    assert.deepEqual(check.command, [join(own.dir, 'bin/probe'), '-v']);
  });
});

describe('what is wrong is said:', () => {
  const cases: [string, string, RegExp][] = [
    [
      'a status',
      '{kind: http, port: 1, expect: [2x]}',
      /"2x" is not a range of status codes: write one like 200-299, or 2xx/,
    ],
    [
      'no status at all',
      '{kind: http, port: 1, expect: [true]}',
      /true is no status: write one like 200, 200-299 or 2xx/,
    ],
    [
      'a range',
      '{kind: http, port: 1, expect: [299-200]}',
      /"299-200" is not a range of status codes/,
    ],
    [
      'a large status',
      '{kind: http, port: 1, expect: [700]}',
      /700 is too large: write at most 599/,
    ],
    [
      'a pattern',
      '{kind: http, port: 1, body_matches: "(?=a)b"}',
      /without lookaround and back-references/,
    ],
    [
      'another pattern',
      '{kind: http, port: 1, body_matches: "(a"}',
      /write one that RE2 can read \(missing closing \)\)/,
    ],
    [
      'a large pattern for a large body',
      '{kind: http, port: 1, body_matches: "a.{200}b"}',
      /too large for 64kB of text: it is small enough for 19kB; .*, or lower body_max/,
    ],
    [
      'a large pattern for a large answer',
      '{kind: tcp, port: 1, read_max: 10kB, expect_matches: "a.{600}b"}',
      /too large for 10kB of text: .*, or lower read_max/,
    ],
    [
      'a header of ours',
      '{kind: http, port: 1, headers: {Host: x}}',
      /"Host" is not a header to set/,
    ],
    [
      'a body of HEAD',
      '{kind: http, port: 1, method: HEAD, body_contains: x}',
      /an answer to HEAD has no body/,
    ],
    ['TLS without TLS', '{kind: grpc, port: 1, verify: false}', /only for TLS: write tls: true/],
    [
      'a CA file',
      '{kind: tls, port: 1, ca_file: nowhere.pem}',
      /"nowhere.pem": there is no such file/,
    ],
    ['a port of ICMP', '{kind: icmp, port: 1}', /unknown key "port"/],
    ['no port', '{kind: tls}', /"port" is missing/],
    [
      'words without an answer',
      '{kind: tcp, port: 1, send: hello}',
      /add expect_contains or expect_matches/,
    ],
    ['an escape', `{kind: tcp, port: 1, send: '\\q', expect_contains: x}`, /is not a text to send/],
    [
      'an answer',
      '{kind: dns, name: a.example, answers: ["::1"]}',
      /"::1" is no A record: write an IPv4 address/,
    ],
    [
      'answers of none',
      '{kind: dns, name: a.example, rcode: NXDOMAIN, answers: [192.0.2.1]}',
      /no answers come with NXDOMAIN/,
    ],
    [
      'a short interval',
      '{kind: icmp, timeout: 2s, interval_failing: 1s}',
      /above the interval_failing: write at most 1s/,
    ],
    ['a source', '{kind: icmp, source: "::1"}', /not a unicast IPv4 address/],
    ['no command', '{kind: command, command: []}', /wrong number of items/],
  ];
  for (const [what, check, message] of cases) {
    test(what, async () => {
      const { problems } = await load(check);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0]!, message);
    });
  }
});

test('the checks of docs/operations.md are good', async () => {
  const page = readFileSync(join(projectRoot, 'docs', 'operations.md'), 'utf8');
  const [, yaml] = /```yaml\nchecks:\n((?: {2}.*\n)+)```/.exec(page)!;
  const demo = await TempDeployment.create();
  try {
    await demo.write('ca.pem', '');
    await demo.edit(
      'deployment.yaml',
      'checks:\n',
      `checks:\n${yaml!.replace('  web: ', '  web1: ')}`,
    );
    const loaded = await loadConfig(demo.dir);
    assert.deepEqual(loaded.ok ? [] : loaded.error.map(formatProblem), []);
  } finally {
    await demo.destroy();
  }
});
