import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withZones } from '../support/config.ts';
import { openDoor, planOf, zoneConfig } from '../support/dns-zone.ts';

const A = 1;
const TXT = 16;
const AAAA = 28;
const config = zoneConfig();

test('without a client subnet the asking address picks the region', () => {
  const { ask } = openDoor();
  const site = (client: string): string =>
    ask('www.example.com', A, { client }).answers[0]!.text.split('.')[2]!;
  assert.equal(site('192.0.2.7'), '1');
  assert.equal(site('198.51.100.7'), '2');
  assert.equal(site('203.0.113.7'), '3');
  assert.equal(site('::ffff:203.0.113.7'), '3');
});

test('a health-aware name has the service TTL, both families, and its static types', () => {
  const { ask } = openDoor();
  const answer = ask('www.example.com', A);
  assert.ok(answer.aa);
  assert.equal(answer.answers[0]!.ttl, 5);
  assert.equal(ask('www.example.com', AAAA).answers[0]!.rdata.length, 16);
  assert.equal(ask('www.example.com', TXT).answers.length, 1);
});

test('the order of addresses turns from answer to answer', () => {
  const { ask } = openDoor();
  const first = (): string => ask('www.example.com', A).answers[0]!.text;
  assert.deepEqual([first(), first(), first()], ['127.1.1.1', '127.1.1.2', '127.1.1.1']);
});

test('a change of health elsewhere does not begin the order anew', () => {
  const { ask, health } = openDoor();
  const seen = [true, false, true, false].map((all) => {
    health.apply(planOf(config, (id) => all || !id.startsWith('sin')));
    return ask('www.example.com', A).answers[0]!.text;
  });
  assert.deepEqual(seen, ['127.1.1.1', '127.1.1.2', '127.1.1.1', '127.1.1.2']);
});

test('names whose sets displace each other have all their addresses in turn, too', () => {
  // One more than 65,536 sets can be kept of: the last one falls on the place of the first.
  const services = Array.from({ length: 10_923 }, (_, i) => ({
    ...config.services[0]!,
    name: `s${i}.example.com`,
  }));
  const { ask } = openDoor(withZones({ ...config, services }, config.zones));
  const seen = new Set<string>();
  for (let i = 0; i < 100; i++) {
    seen.add(ask('s0.example.com', A).answers[0]!.text);
    ask('s10922.example.com', AAAA, { client: '198.51.100.7' });
  }
  assert.equal(seen.size, 2);
});

test('answers_max bounds an answer, and every address still gets its turn', () => {
  const small = { ...config.services[0]!, answers_max: 1 };
  const { ask } = openDoor({ ...config, services: [small] });
  const seen = [1, 2, 3, 4].map(() => ask('www.example.com', A).answers.map(({ text }) => text));
  assert.deepEqual(seen, [['127.1.1.1'], ['127.1.1.2'], ['127.1.1.1'], ['127.1.1.2']]);
});

test('a verdict changes the very next answer, and back', () => {
  const { ask, health } = openDoor();
  const texts = (): string[] => ask('www.example.com', A).answers.map(({ text }) => text);
  assert.equal(texts().length, 2);
  health.apply(planOf(config, (id) => id !== 'fra-lb1/web'));
  assert.deepEqual(texts(), ['127.1.1.2']);
  health.apply(planOf(config, (id) => !id.startsWith('fra')));
  assert.deepEqual(texts().sort(), ['127.1.2.1', '127.1.2.2']);
  health.apply(planOf(config, () => true));
  assert.equal(texts().length, 2);
});

test('when nothing is eligible the last answer is kept: never an empty one', () => {
  const { ask, health } = openDoor();
  health.apply(planOf(config, () => false));
  const answer = ask('www.example.com', A);
  assert.equal(answer.rcode, 0);
  assert.ok(answer.answers.length > 0);
});

test('weighted: one address each time, each as often as its weight says', () => {
  const { ask } = openDoor();
  const seen = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const { answers } = ask('weighted.example.com', A);
    assert.equal(answers.length, 1);
    seen.set(answers[0]!.text, (seen.get(answers[0]!.text) ?? 0) + 1);
  }
  assert.equal(seen.size, 2);
  const light = seen.get('127.1.1.1')!;
  assert.ok(light > 850 && light < 1150, `1 in 4 of 4000 was ${light}`);
});

test('failover: the first site in its order that has an eligible endpoint', () => {
  const { ask, health } = openDoor();
  const site = (): string => ask('backup.example.com', A).answers[0]!.text.split('.')[2]!;
  assert.equal(site(), '3');
  health.apply(planOf(config, (id) => !id.startsWith('sin')));
  assert.equal(site(), '1');
});

test('a service without any address of the family is NODATA with the SOA', () => {
  const { ask } = openDoor();
  const answer = ask('none.example.com', A);
  assert.equal(answer.rcode, 0);
  assert.deepEqual(answer.answers, []);
  assert.equal(answer.authority[0]!.type, 6);
});
