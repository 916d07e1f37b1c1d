/**
 * Zones by hand, of what chance hardly ever makes: aliases that go round, that grow, that lead
 * through zones and back, and names at the edges of what a zone may hold.
 */
import type { Corpus, CorpusQuery, CorpusZone } from './dns-corpus.ts';

const apex = (
  origin: string,
): string => `${origin}. 300 SOA ns.${origin}. host.${origin}. 1 2 3 4 60
${origin}. 300 NS ns.${origin}.
`;

const CHAIN = Array.from(
  { length: 10 },
  (_, i) => `c${i}.hard.test. 300 CNAME c${i + 1}.hard.test.`,
);

const ZONES: readonly CorpusZone[] = [
  {
    origin: 'hard.test',
    text: `${apex('hard.test')}ns.hard.test. 300 A 192.0.2.1
grow.hard.test. 300 DNAME x.grow.hard.test.
shrink.x.hard.test. 300 DNAME x.hard.test.
self.hard.test. 300 CNAME self.hard.test.
ping.hard.test. 300 CNAME pong.hard.test.
pong.hard.test. 300 CNAME ping.hard.test.
*.round.hard.test. 300 CNAME a.round.hard.test.
*.txt.hard.test. 300 TXT "text"
*.mx.hard.test. 300 MX 10 host.lent.hard.test.
*.lent.hard.test. 300 A 192.0.2.3
*.cut.hard.test. 300 A 192.0.2.4
sub.cut.hard.test. 300 NS ns.sub.cut.hard.test.
ns.sub.cut.hard.test. 300 A 192.0.2.5
*.*.stars.hard.test. 300 A 192.0.2.6
to-apex.hard.test. 300 CNAME hard.test.
to-other.hard.test. 300 CNAME www.moved.test.
to-back.hard.test. 300 CNAME back.moved.test.
to-cut.hard.test. 300 CNAME www.sub.cut.hard.test.
to-child.hard.test. 300 CNAME www.child.hard.test.
to-child-ds.hard.test. 300 CNAME child.hard.test.
to-outside.hard.test. 300 CNAME www.example.
to-root.hard.test. 300 CNAME .
dname-outside.hard.test. 300 DNAME example.
dname-root.hard.test. 300 DNAME .
dname-wild.hard.test. 300 DNAME txt.hard.test.
dname-cut.hard.test. 300 DNAME sub.cut.hard.test.
dname-child.hard.test. 300 DNAME child.hard.test.
child.hard.test. 300 NS ns.child.hard.test.
child.hard.test. 300 DS 1 13 2 ${'00'.repeat(32)}
ns.child.hard.test. 300 A 192.0.2.7
${CHAIN.join('\n')}
c10.hard.test. 300 A 192.0.2.8
`,
  },
  {
    origin: 'child.hard.test',
    text: `${apex('child.hard.test')}ns.child.hard.test. 300 A 192.0.2.7
www.child.hard.test. 300 A 192.0.2.9
up.child.hard.test. 300 CNAME c9.hard.test.
`,
  },
  {
    origin: 'moved.test',
    text: `moved.test. 300 SOA ns.hard.test. host.moved.test. 1 2 3 4 60
moved.test. 300 NS ns.hard.test.
moved.test. 300 DNAME hard.test.
moved.test. 300 MX 10 ns.hard.test.
`,
  },
];

const NAMES = [
  ...['hard.test', 'moved.test', 'child.hard.test', 'www.child.hard.test', 'up.child.hard.test'],
  ...[
    'ns.moved.test',
    'ping.moved.test',
    'a.txt.moved.test',
    'www.child.moved.test',
    'q.moved.test',
  ],
  ...ZONES.flatMap(({ text }) => text.match(/^[a-z0-9*.-]+(?=\.hard\.test\. )/gm) ?? []).map(
    (name) => `${name}.hard.test`,
  ),
  ...['a.grow', 'a.b.grow', 'a.shrink.x', 'shrink.shrink.x', 'x', 'q.round', 'a.b.round', 'a.txt'],
  ...['*.a.txt', 'a.*.txt', 'txt', 'a.mx', 'a.cut', 'sub.sub.cut', 'a.a.stars', 'a.*.stars'],
  ...['*.stars', 'a.dname-outside', 'a.dname-root', 'a.b.dname-wild', 'a.dname-cut', 'a.ns.child'],
  ...['www.dname-child', 'up.dname-child', 'absent.child', 'absent.dname-child', 'absent'],
].map((name) => `${name.endsWith('.test') ? name : `${name}.hard.test`}.`);

const TYPES = [1, 2, 5, 6, 15, 16, 28, 39, 43];

const QUERIES: readonly CorpusQuery[] = [...new Set(NAMES)].flatMap((name) =>
  TYPES.map((type) => ({ zone: 'hard.test', name, type })),
);

export const HARD: Corpus = { zones: ZONES, queries: QUERIES };
