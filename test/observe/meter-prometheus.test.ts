import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loadFromMetrics } from '../../src/observe/meter-prometheus.ts';
import { CounterBook } from '../../src/observe/meter-rates.ts';
import { parseExpression } from '../../src/observe/metric-expression.ts';
import { parseSamples } from '../../src/observe/metric-text.ts';

const text = `# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",host="a"} 1027 1395066363000
http_requests_total{code="500",host="a"} 3
http_requests_total{ host="b", code="200", } 100
queue 12
queue_limit 1.2e2
broken{why="NaN"} NaN
broken{why="infinite"} +Inf
odd{path="C:\\\\DIR\\\\\\"x\\"",line="a\\nb}"} .5 # {trace_id="x"} 0.67
below -4
other metric that nobody can read
`;

class Exporter {
  readonly #book = new CounterBook(60_000);
  #now = 0;

  read(expression: string, page: string = text, after_ms = 1_000): number | string {
    const parsed = parseExpression(expression);
    assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
    this.#now += after_ms;
    const read = loadFromMetrics(page, parsed.value, this.#book, this.#now);
    if (!read.ok) return read.error;
    return read.value.value ?? read.value.detail;
  }
}

const once = (expression: string, page?: string) => new Exporter().read(expression, page);

describe('a load out of metrics', () => {
  test('one series, and arithmetic with it', () => {
    assert.equal(once('queue'), 12);
    assert.equal(once('(queue + 3) / queue_limit * 2 - -1'), 1.25);
    assert.equal(once('http_requests_total{code="500"}'), 3);
  });

  test('several series, joined', () => {
    assert.equal(once('sum(http_requests_total)'), 1130);
    assert.equal(once('max(http_requests_total{code=~"2.*"})'), 1027);
    assert.equal(once('min(http_requests_total)'), 3);
    assert.equal(once('avg(http_requests_total{host="a"})'), 515);
    assert.equal(once('sum(http_requests_total{host!="a"})'), 100);
  });

  test('labels with escapes, braces and exemplars', () => {
    assert.equal(once(`odd{line="a\\nb}",path='C:\\\\DIR\\\\"x"'}`), 0.5);
  });

  test('what is not there is not zero', () => {
    assert.equal(once('sum(gone)'), 'no series matches gone');
    assert.equal(once('queue{pod="a"} + 1'), 'no series matches queue{pod="a"}');
    assert.equal(once('queue', ''), 'no series matches queue');
    assert.equal(once('rate(gone)'), 'no series matches gone');
  });

  test('nor is what is no number', () => {
    assert.equal(once('sum(broken{why="NaN"})'), 'broken{why="NaN"} is NaN');
    assert.equal(once('max(broken{why!="NaN"})'), 'broken{why="infinite"} is Infinity');
    assert.equal(once('queue / 0'), 'the result of the expression is not a number');
    assert.equal(once('0 * (queue / 0)'), 'the result of the expression is not a number');
    assert.equal(once('below'), 'the result of the expression is negative');
    assert.equal(once('-below'), 4);
  });

  test('one of several series is not chosen by chance', () => {
    const advice = 'write sum(…) around it, or choose one by its labels';
    assert.equal(once('http_requests_total'), `3 series match http_requests_total: ${advice}`);
  });

  test('rates over two readings, several in one expression', () => {
    const exporter = new Exporter();
    const expression = 'sum(rate(http_requests_total)) + rate(queue) * 10 + queue_limit';
    assert.equal(exporter.read(expression), 'a rate needs a second reading');
    const later = text
      .replace('1027', '1047')
      .replace('} 100', '} 110')
      .replace('queue 12', 'queue 13');
    assert.equal(exporter.read(expression, later, 2_000), 15 + 5 + 120);
  });

  test('a process that was started anew gives no rate, least of all a negative one', () => {
    const exporter = new Exporter();
    const expression = 'sum(rate(http_requests_total))';
    exporter.read(expression);
    assert.match(String(exporter.read(expression, text.replace('1027', '1'))), /started anew/);
    assert.equal(exporter.read(expression, text.replace('1027', '11')), 10);
  });

  test('series that come and go', () => {
    const exporter = new Exporter();
    const expression = 'sum(rate(http_requests_total))';
    exporter.read(expression);
    const more = `${text.replace('1027', '1030')}http_requests_total{code="404"} 5000\n`;
    assert.equal(exporter.read(expression, more), 3);
    const fresh = 'http_requests_total{code="999"} 1\n';
    assert.equal(exporter.read(expression, fresh), 'all counters are new');
    const two = new Exporter();
    two.read('rate(queue) + sum(rate(http_requests_total))');
    const changed = `queue 14\n${fresh}`;
    const waits = two.read('rate(queue) + sum(rate(http_requests_total))', changed);
    assert.equal(waits, 'all series of http_requests_total are new');
  });

  test('a line of a wanted metric that cannot be read is an error; others are not looked into', () => {
    assert.equal(once('queue', 'other "\nqueue twelve\n'), 'line 2 is not a sample of queue');
    assert.equal(once('queue', 'queue{a="1} 5\n'), 'line 1 is not a sample of queue');
    assert.equal(once('queue', 'queue\n'), 'line 1 is not a sample of queue');
    assert.equal(
      once('sum(queue)', 'queue 5\nqueue 6\n'),
      'line 2: queue again, with the same labels',
    );
    assert.equal(once('queue', 'queue 5\r\nqueue_limit 6'), 5);
  });

  test('more series than anyone needs are an error, not a burden', () => {
    const many = Array.from({ length: 20_001 }, (_, i) => `m{i="${i}"} 1\n`).join('');
    assert.equal(once('sum(m)', many), 'more than 20000 series');
  });

  test('no text makes the parser throw', () => {
    const metrics = new Set(['queue', 'odd', 'http_requests_total', 'broken']);
    const cut = fc.tuple(fc.nat(text.length), fc.string(), fc.nat(20));
    const damaged = cut.map(([at, junk, skip]) => text.slice(0, at) + junk + text.slice(at + skip));
    fc.assert(
      fc.property(damaged, (page) => {
        const read = parseSamples(page, metrics);
        if (read.ok) for (const { value } of read.value) assert.equal(typeof value, 'number');
      }),
    );
  });

  test('labels come out as they were written in', () => {
    const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/);
    const labels = fc.dictionary(name, fc.string({ unit: 'binary' }), { noNullPrototype: true });
    fc.assert(
      fc.property(labels, fc.double({ noNaN: true }), (given, value) => {
        const escaped = (each: string) =>
          each.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
        const pairs = Object.entries(given).map(([key, each]) => `${key}="${escaped(each)}"`);
        const read = parseSamples(`m{${pairs.join(',')}} ${value}\n`, new Set(['m']));
        assert.ok(read.ok, read.ok ? '' : read.error);
        assert.deepEqual(Object.fromEntries(read.value[0]!.labels), given);
        assert.ok(Object.is(read.value[0]!.value, value) || read.value[0]!.value === value);
      }),
    );
  });
});
