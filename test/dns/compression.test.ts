/**
 * Names in responses are as short as pointers make them, and rrsets take turns. What is compared
 * with is the codec of the cold paths, which keeps every suffix of every name it wrote.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TRANSPORT } from '../../src/dns/respond.ts';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { encodeMessage } from '../../src/dns/wire/message.ts';
import { buildQuery } from '../support/dns-query.ts';
import { configOf, decode, show, zoneOf } from '../support/dns-text.ts';
import { openDoor } from '../support/dns-zone.ts';

const door = openDoor(
  configOf([
    zoneOf('example.com', [
      '@ NS ns1.provider.net.',
      '@ NS ns2.provider.net.',
      '@ NS a.b.ns2.provider.net.',
      '@ MX 10 mx1.mail',
      '@ MX 20 mx2.mail',
      '@ MX 20 mx2.mail',
      '@ MX 30 @',
      '@ A 192.0.2.1',
      'mx1.mail A 192.0.2.1',
      'mx2.mail A 192.0.2.2',
      'www CNAME web.cdn.example.net.',
      'deep.er CNAME web.deep.er',
      'web.deep.er CNAME a.web.deep.er',
      'a.web.deep.er A 192.0.2.3',
      'self MX 0 self',
      'self A 192.0.2.4',
      'del NS ns1.del',
      'del NS ns2.del',
      'del NS ns.other.del',
      'ns1.del A 192.0.2.5',
      'ns2.del A 192.0.2.6',
      'ns.other.del A 192.0.2.7',
      'r RP a.b.example.com. b.example.com.',
      's SRV 0 0 1 a.web.deep.er',
      'd DNAME a.b.d',
      'many A 192.0.2.1',
      'many A 192.0.2.2',
      'many A 192.0.2.3',
    ]),
  ]),
);

function ask(name: string, type: number): Uint8Array {
  return door.raw(buildQuery({ name, type }), { transport: TRANSPORT.TCP })!;
}

/** The answer, which is no longer than the codec makes it. */
function short(name: string, type: number) {
  const bytes = ask(name, type);
  const message = decode(bytes);
  const best = encodeMessage(message).length;
  assert.ok(bytes.length <= best, `${name} ${type}: ${bytes.length} octets, ${best} would do`);
  return message;
}

test('names end in a pointer to the longest suffix that was written before', () => {
  const asked: [string, number][] = [
    ['example.com', TYPE.NS],
    ['example.com', TYPE.MX],
    ['example.com', TYPE.SOA],
    ['www.example.com', TYPE.A],
    ['deep.er.example.com', TYPE.A],
    ['self.example.com', TYPE.MX],
    ['x.y.del.example.com', TYPE.A],
    ['nope.example.com', TYPE.A],
    ['r.example.com', TYPE.RP],
    ['s.example.com', TYPE.SRV],
    ['x.d.example.com', TYPE.A],
  ];
  for (const [name, type] of asked) short(name, type);
});

test('the case of the question stays, also where names point into it', () => {
  const bytes = ask('Self.eXample.COM', TYPE.MX);
  assert.equal(
    Buffer.from(bytes.subarray(12, 30)).toString('latin1'),
    '\x04Self\x07eXample\x03COM\0',
  );
  assert.deepEqual(show(decode(bytes).answers), ['Self.eXample.COM. 300 MX 0 Self.eXample.COM.']);
});

test('data is what the zone says, however it was compressed', () => {
  const chain = show(short('deep.er.example.com', TYPE.A).answers);
  assert.deepEqual(chain, [
    'deep.er.example.com. 300 CNAME web.deep.er.example.com.',
    'web.deep.er.example.com. 300 CNAME a.web.deep.er.example.com.',
    'a.web.deep.er.example.com. 300 A 192.0.2.3',
  ]);
  assert.deepEqual(show(short('example.com', TYPE.MX).answers).sort(), [
    'example.com. 300 MX 10 mx1.mail.example.com.',
    'example.com. 300 MX 20 mx2.mail.example.com.',
    'example.com. 300 MX 30 example.com.',
  ]);
});

const label = fc.constantFrom('a', 'b', 'c', 'dd');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const target = fc
  .tuple(name, fc.constantFrom('', '.', '.net.', '.b.net.', '.a.net.'))
  .map((parts) => parts.join(''));
const line = fc.oneof(
  fc.tuple(name, target).map(([owner, to]) => `${owner} NS ${to}`),
  fc.tuple(name, fc.nat(3), target).map(([owner, n, to]) => `${owner} MX ${n} ${to}`),
  fc.tuple(name, target).map(([owner, to]) => `${owner} CNAME ${to}`),
  fc.tuple(name, target).map(([owner, to]) => `${owner} DNAME ${to}`),
  fc.tuple(name, target).map(([owner, to]) => `${owner} SRV 0 0 1 ${to}`),
  fc.tuple(name, fc.nat(1), target).map(([owner, n, to]) => `${owner} HTTPS ${n} ${to}`),
  fc.tuple(name, fc.nat(255)).map(([owner, n]) => `${owner} A 192.0.2.${n}`),
);

test('any answer from any zone decodes, and no name in it is longer than it must be', () => {
  const types = fc.constantFrom(TYPE.A, TYPE.NS, TYPE.MX, TYPE.CNAME, TYPE.HTTPS, TYPE.ANY);
  const all = fc.array(line, { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(all, fc.array(fc.tuple(name, types), { minLength: 5 }), (lines, queries) => {
      const { raw } = openDoor(configOf([zoneOf('test', lines)]));
      for (const [owner, type] of queries) {
        const query = buildQuery({ name: `${owner}.test`, type });
        const bytes = raw(query, { transport: TRANSPORT.TCP })!;
        const best = encodeMessage(decode(bytes)).length;
        assert.ok(bytes.length <= best, `${owner} ${type}: ${bytes.length}, not ${best} octets`);
      }
    }),
    { numRuns: 300 },
  );
});

test('each answer begins with the next record of the rrset', () => {
  const seen = [0, 1, 2, 3].map(() => show(decode(ask('many.example.com', TYPE.A)).answers));
  const first = (turn: number): string => seen[turn]![0]!;
  assert.equal(new Set([first(0), first(1), first(2)]).size, 3);
  assert.equal(first(3), first(0));
  for (const one of seen) assert.deepEqual([...one].sort(), [...seen[0]!].sort());
  // Questions of other names and types in between change nothing.
  const before = first(3);
  ask('example.com', TYPE.MX);
  ask('many.example.com', TYPE.AAAA);
  assert.notEqual(show(decode(ask('many.example.com', TYPE.A)).answers)[0], before);
});
