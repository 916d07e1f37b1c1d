/** What is added to an answer to save the next query, and what is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TRANSPORT } from '../../src/dns/respond.ts';
import { RCODE, TYPE } from '../../src/dns/wire/codes.ts';
import { type TestZone, testConfig } from '../support/config.ts';
import { buildQuery } from '../support/dns-query.ts';
import { configOf, decode, show, zoneOf } from '../support/dns-text.ts';
import { openDoor } from '../support/dns-zone.ts';

function doorTo(...zones: TestZone[]) {
  const { raw } = openDoor(configOf(zones));
  return (name: string, type: number) =>
    decode(raw(buildQuery({ name, type }), { transport: TRANSPORT.TCP })!);
}

const ask = doorTo(
  zoneOf('example.com', [
    'h HTTPS 1 . alpn=h2',
    'h A 192.0.2.80',
    'h AAAA 2001:db8::80',
    'two HTTPS 1 . alpn=h2',
    'two HTTPS 2 . alpn=h3',
    'two A 192.0.2.82',
    'to.two HTTPS 1 h alpn=h2',
    'alias HTTPS 0 h',
    'alias2 HTTPS 0 alias',
    'none HTTPS 0 .',
    'none A 192.0.2.83',
    's SVCB 0 h',
    'ring1 HTTPS 0 ring2',
    'ring2 HTTPS 0 ring1',
    'ring1 A 192.0.2.84',
    'own HTTPS 0 own',
    'own A 192.0.2.85',
    'c CNAME h',
    '*.w HTTPS 1 .',
    '*.w A 192.0.2.86',
    'mw MX 1 a.w',
    'mw MX 2 b.w',
    'ns1.del A 192.0.2.87',
    'del NS ns1.del',
    'del NS ns2.del',
    'md MX 1 x.del',
    'p PTR h',
    'n NAPTR 1 1 "a" "" "" h',
    'f AFSDB 1 h',
  ]),
);
const added = (name: string, type: number): string[] => show(ask(name, type).additionals);
const H = ['h.example.com. 300 A 192.0.2.80', 'h.example.com. 300 AAAA 2001:db8::80'];

test('SVCB and HTTPS bring the addresses of their target (RFC 9460 §4.1)', () => {
  assert.deepEqual(added('to.two.example.com', TYPE.HTTPS), H);
});

test('the target "." is the owner, whatever it was asked as (RFC 9460 §2.5.2)', () => {
  assert.deepEqual(added('h.example.com', TYPE.HTTPS), H);
  assert.deepEqual(added('two.example.com', TYPE.HTTPS), ['two.example.com. 300 A 192.0.2.82']);
  assert.deepEqual(added('c.example.com', TYPE.HTTPS), H);
  assert.deepEqual(added('q.w.example.com', TYPE.HTTPS), ['q.w.example.com. 300 A 192.0.2.86']);
});

test('an alias of a service brings the service, through more than one alias', () => {
  const service = 'h.example.com. 300 HTTPS 1 . alpn="h2"';
  assert.deepEqual(added('alias.example.com', TYPE.HTTPS), [...H, service]);
  assert.deepEqual(added('alias2.example.com', TYPE.HTTPS), [
    'alias.example.com. 300 HTTPS 0 h.example.com.',
    ...H,
    service,
  ]);
  assert.deepEqual(added('s.example.com', TYPE.SVCB), H);
  // §2.4.2: no service at all.
  assert.deepEqual(added('none.example.com', TYPE.HTTPS), []);
});

test('aliases of services that lead back to themselves end', () => {
  assert.deepEqual(added('ring1.example.com', TYPE.HTTPS), [
    'ring2.example.com. 300 HTTPS 0 ring1.example.com.',
    'ring1.example.com. 300 A 192.0.2.84',
  ]);
  assert.deepEqual(added('own.example.com', TYPE.HTTPS), ['own.example.com. 300 A 192.0.2.85']);
});

test('"." as the target of an alias is not the root, whose addresses nobody wants', () => {
  const root = doorTo(zoneOf('', ['@ A 192.0.2.1', 'x HTTPS 0 .', 'm MX 0 .']));
  assert.deepEqual(show(root('x', TYPE.HTTPS).additionals), []);
  assert.deepEqual(show(root('m', TYPE.MX).additionals), ['. 300 A 192.0.2.1']);
});

test('addresses that a wildcard has for a target are added under the target’s name', () => {
  assert.deepEqual(added('mw.example.com', TYPE.MX).sort(), [
    'a.w.example.com. 300 A 192.0.2.86',
    'b.w.example.com. 300 A 192.0.2.86',
  ]);
});

test('nothing is added below a cut that is not glue, nor for types without need', () => {
  assert.deepEqual(added('md.example.com', TYPE.MX), []);
  for (const [name, type] of [
    ['p', TYPE.PTR],
    ['n', TYPE.NAPTR],
    ['f', TYPE.AFSDB],
  ] as const) {
    assert.deepEqual(added(`${name}.example.com`, type), [], name);
  }
});

test('an answer has no authority section', () => {
  for (const [name, type] of [
    ['h.example.com', TYPE.A],
    ['h.example.com', TYPE.HTTPS],
    ['example.com', TYPE.NS],
    ['example.com', TYPE.SOA],
  ] as const) {
    assert.deepEqual(ask(name, type).authorities, [], name);
  }
});

test('glue that must be there comes before glue that may be (RFC 9471)', () => {
  const numbers = [1, 2, 3, 4, 5];
  const config = configOf([
    zoneOf('example.com', [
      ...numbers.flatMap((i) => [`cut NS ns${i}.beside`, `cut NS ns${i}.cut`]),
      ...['beside', 'cut'].flatMap((where) =>
        numbers.flatMap((i) => [
          `ns${i}.${where} A 192.0.2.${i}`,
          `ns${i}.${where} AAAA 2001:db8::${i}`,
        ]),
      ),
    ]),
  ]);
  const query = buildQuery({ name: 'x.cut.example.com', type: TYPE.A });
  const { raw } = openDoor(config);
  // In whatever order the name servers are.
  for (let turn = 0; turn < 2 * numbers.length; turn++) {
    const { tc, additionals } = decode(raw(query)!);
    const within = show(additionals).filter((line) => line.includes('.cut.example.com.'));
    assert.deepEqual([tc, within.length], [false, 2 * numbers.length]);
  }
});

test('a referral over TCP has the glue of as many name servers as there are', () => {
  const numbers = Array.from({ length: 1200 }, (_, i) => i);
  const large = doorTo(
    zoneOf('example.com', [
      ...numbers.map((i) => `big NS ns${i}.big`),
      ...numbers.map((i) => `ns${i}.big A 192.0.${i >> 8}.${i & 255}`),
    ]),
  );
  const answer = large('x.big.example.com', TYPE.A);
  assert.equal(answer.tc, false);
  assert.equal(answer.authorities.length, 1200);
  assert.equal(answer.additionals.length, 1200);
  const servers = answer.authorities.map(({ rdata }) => Buffer.from(rdata).toString('hex'));
  const glue = answer.additionals.map(({ owner }) => Buffer.from(owner).toString('hex'));
  assert.deepEqual(glue.sort(), servers.sort());
});

test('a health-aware name is an address for CNAME, MX, SRV and HTTPS, and at the apex', () => {
  const base = testConfig();
  const service = base.services[0]!;
  const names = ['app.example.com', 'example.net'];
  const config = configOf(
    [
      zoneOf('example.com', [
        'app HTTPS 1 . alpn=h2',
        'app TXT "beside"',
        'app MX 5 app',
        'svc HTTPS 1 app alpn=h2',
        'svc0 HTTPS 0 app',
        'mx MX 5 app',
        '_s._tcp SRV 0 0 1 app',
      ]),
      zoneOf('example.net', [
        '@ MX 5 @',
        '@ HTTPS 1 . alpn=h3',
        'www CNAME app.example.com.',
        'd DNAME example.com.',
      ]),
    ],
    {
      services: names.map((name, i) => ({
        ...service,
        name,
        zone: ['example.com', 'example.net'][i]!,
      })),
    },
  );
  const { raw } = openDoor(config);
  const get = (name: string, type: number) => decode(raw(buildQuery({ name, type }))!);
  const types = (name: string, type: number): string[] => [
    ...new Set(
      get(name, type).additionals.map((one) => show([one])[0]!.split(' ').slice(0, 3).join(' ')),
    ),
  ];
  const ttl = service.ttl_s;
  const both = [`app.example.com. ${ttl} A`, `app.example.com. ${ttl} AAAA`];
  assert.ok(get('app.example.com', TYPE.A).answers.length > 0);
  for (const name of ['app', 'mx', 'svc']) {
    const type = name === 'mx' ? TYPE.MX : TYPE.HTTPS;
    assert.deepEqual(types(`${name}.example.com`, type), both, name);
  }
  assert.deepEqual(types('app.example.com', TYPE.MX), both);
  assert.deepEqual(types('_s._tcp.example.com', TYPE.SRV), both);
  assert.deepEqual(types('svc0.example.com', TYPE.HTTPS), [...both, 'app.example.com. 300 HTTPS']);
  assert.equal(get('app.example.com', TYPE.TXT).answers.length, 1);
  // Aliases from another zone.
  for (const name of ['www.example.net', 'app.d.example.net']) {
    const { answers, rcode } = get(name, TYPE.A);
    assert.equal(rcode, RCODE.NOERROR);
    assert.equal(answers.at(-1)!.type, TYPE.A, name);
    assert.equal(answers.at(-1)!.ttl_s, ttl);
  }
  // The apex.
  const apex = [`example.net. ${ttl} A`, `example.net. ${ttl} AAAA`];
  assert.ok(get('example.net', TYPE.A).answers.length > 0);
  assert.ok(get('example.net', TYPE.AAAA).answers.length > 0);
  assert.deepEqual(types('example.net', TYPE.MX), apex);
  assert.deepEqual(types('example.net', TYPE.HTTPS), apex);
  assert.equal(get('example.net', TYPE.SOA).answers.length, 1);
});
