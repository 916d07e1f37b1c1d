/**
 * Random small zones and the questions to ask about them, from a seed: zone file text that every
 * name server reads, so that their answers can be compared. The zones are good ones (no checker has
 * an error to tell) of the kinds where servers go wrong: wildcards, empty non-terminals, cuts with
 * all sorts of glue, occluded data, DNAME and CNAME chains across zones, parents beside children,
 * and names with odd octets. Names are absolute and escaped as in a zone file (RFC 1035 §5.1).
 */
import type { Prng } from '../../src/base/prng.ts';

export interface CorpusZone {
  /** Without the final dot. */
  readonly origin: string;
  readonly text: string;
}

export interface CorpusQuery {
  /** Origin of the zone that the question was made for. */
  readonly zone: string;
  readonly name: string;
  readonly type: number;
}

export interface Corpus {
  readonly zones: readonly CorpusZone[];
  readonly queries: readonly CorpusQuery[];
}

/** Numbers of the types in the zones; TYPE65280 and TYPE65281 are known to nobody (RFC 6895). */
const NUMBERS: Readonly<Record<string, number>> = {
  ...{ A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, MX: 15, TXT: 16, RP: 17, AAAA: 28 },
  ...{ LOC: 29, SRV: 33, NAPTR: 35, DNAME: 39, DS: 43, SSHFP: 44, DNSKEY: 48, TLSA: 52 },
  ...{ SVCB: 64, HTTPS: 65, SPF: 99, URI: 256, CAA: 257, TYPE65280: 65280, TYPE65281: 65281 },
};
/** What is asked for: every type, and addresses more often. */
const TYPES = [...Object.values(NUMBERS), 1, 1, 1, 28, 28, 2, 43];

const LABELS = [
  'a',
  'b',
  'c',
  'www',
  'ent',
  '_tcp',
  'MiXed',
  'x\\.y',
  'sp\\032ace',
  '\\200\\255',
  'at\\@',
  'semi\\;',
  'quo\\"te',
  'back\\\\slash',
  'nul\\000',
  '\\$ORIGIN',
  'n'.repeat(63),
];

type Kind = 'host' | 'alias' | 'cut' | 'dname' | 'mail' | 'other';
const KINDS: readonly Kind[] = [
  ...(['host', 'host', 'host', 'alias', 'alias', 'alias', 'cut', 'cut'] as const),
  ...(['dname', 'mail', 'mail', 'other', 'other'] as const),
];
const WILD_KINDS: readonly Kind[] = ['host', 'host', 'alias', 'mail', 'other'];

const HEX = '0123456789abcdef';

/** One zone in the making. */
class ZoneMaker {
  readonly origin: string;
  readonly #random: Prng;
  readonly #foreign: readonly string[];
  /** Lines by lower-cased owner and type. */
  readonly #rrsets = new Map<string, Map<string, readonly string[]>>();
  readonly #kinds = new Map<string, Kind>();
  #hosts: string[] = [];

  /** `foreign` are names outside the zone that its aliases may lead to. */
  constructor(random: Prng, origin: string, foreign: readonly string[]) {
    this.#random = random;
    this.origin = `${origin}.`;
    this.#foreign = foreign;
  }

  /** `children` are zones below on the same servers, which this one delegates. */
  make(children: readonly string[]): CorpusZone {
    this.#plan(children);
    this.#apex();
    for (const [name, kind] of this.#kinds) this.#node(name, kind);
    for (const child of children) this.#cut(child, 'ns');
    const lines = [...this.#rrsets.values()].flatMap((rrsets) => [...rrsets.values()].flat());
    return { origin: this.origin.slice(0, -1), text: `${lines.join('\n')}\n` };
  }

  queries(count: number): CorpusQuery[] {
    return Array.from({ length: count }, () => {
      const name = this.#asked();
      const there = [...(this.#rrsets.get(name)?.keys() ?? [])].map((type) => NUMBERS[type]!);
      // An alias answers every question, and its own type last of all.
      const direct = there.length === 0 ? 0 : there[0] === NUMBERS.CNAME ? 5 : 40;
      const type = this.#chance(direct) ? this.#one(there) : this.#one(TYPES);
      return { zone: this.origin.slice(0, -1), name: this.#case(name), type };
    });
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random.int(list.length)]!;
  }

  #chance(percent: number): boolean {
    return this.#random.int(100) < percent;
  }

  /** Random case of letters, as resolvers do that look for forgeries; escapes stay. */
  #case(name: string): string {
    if (this.#chance(50)) return name;
    return name.replace(/[a-z]/g, (letter) => (this.#chance(30) ? letter.toUpperCase() : letter));
  }

  #label(): string {
    return this.#chance(60) ? this.#one(LABELS.slice(0, 6)) : this.#one(LABELS);
  }

  #plan(children: readonly string[]): void {
    const names = [this.origin];
    const count = 12 + this.#random.int(12);
    this.#kinds.set(`ns.${this.origin}`, 'host');
    for (let i = 0; i < count; i++) {
      const wild = this.#chance(20);
      let name = this.#chance(40) ? this.origin : this.#one(names);
      if (this.#chance(25)) name = `${this.#label()}.${name}`;
      name = `${wild ? '*' : this.#label()}.${name}`;
      const key = name.toLowerCase();
      const taken = this.#kinds.has(key) || children.some((child) => isBelow(key, child));
      if (taken || wireLength(name) > 200 || this.#below(key, 'dname')) continue;
      let kind = this.#one(wild ? WILD_KINDS : KINDS);
      const isParent = [...this.#kinds.keys()].some((other) => isBelow(other, key));
      if (kind === 'dname' && isParent) kind = 'host';
      this.#kinds.set(key, kind);
      names.push(key);
    }
    if (this.#chance(30)) this.#kinds.set(longName(this.origin), 'host');
    this.#hosts = [...this.#kinds]
      .filter(([name, kind]) => kind === 'host' && !name.startsWith('*') && !this.#hidden(name))
      .map(([name]) => name);
  }

  #below(name: string, kind: Kind): boolean {
    return [...this.#kinds].some(([other, its]) => its === kind && isBelow(name, other));
  }

  #hidden(name: string): boolean {
    return this.#below(name, 'cut') || this.#below(name, 'dname');
  }

  /** One TTL for all (RFC 2181 §5.2), nothing twice, and nothing beside a CNAME. */
  #rrset(owner: string, type: string, rdatas: readonly string[]): void {
    const rrsets = this.#rrsets.get(owner) ?? new Map<string, readonly string[]>();
    if (rrsets.has(type) || rrsets.has('CNAME')) return;
    if (type === 'CNAME' && rrsets.size > 0) return;
    this.#rrsets.set(owner, rrsets);
    const ttl_s = 60 + this.#random.int(50) * 60;
    const name = this.#case(owner);
    const different = new Map(rdatas.map((rdata) => [rdata.toLowerCase(), rdata]));
    rrsets.set(
      type,
      [...different.values()].map((rdata) => `${name} ${ttl_s} IN ${type} ${rdata}`),
    );
  }

  #apex(): void {
    const { origin } = this;
    const minimum = this.#one([30, 300, 86400]);
    this.#rrset(origin, 'SOA', [
      `ns.${origin} host\\.master.${origin} 7 7200 900 86400 ${minimum}`,
    ]);
    const servers = [`ns.${origin}`, this.#one(this.#hosts), 'ns.elsewhere.example.'];
    this.#rrset(origin, 'NS', servers.slice(0, 1 + this.#random.int(3)));
    if (this.#chance(50)) this.#mail(origin);
    if (this.#chance(30)) this.#addresses(origin);
    if (this.#chance(30)) this.#other(origin);
  }

  #node(name: string, kind: Kind): void {
    if (kind === 'host') this.#addresses(name, !name.startsWith('*'));
    else if (kind === 'alias') this.#rrset(name, 'CNAME', [this.#target()]);
    else if (kind === 'cut') this.#cut(name, this.#label());
    else if (kind === 'mail') this.#mail(name);
    else if (kind === 'other') this.#other(name);
    else {
      this.#rrset(name, 'DNAME', [this.#target()]);
      if (this.#chance(40)) this.#addresses(name);
      if (this.#chance(20)) this.#mail(name);
    }
  }

  #addresses(name: string, surely = true): void {
    const random = this.#random;
    const four = (): string => `192.0.2.${random.int(256)}`;
    const six = (): string => `2001:db8::${HEX[random.int(16)]}:${HEX[1 + random.int(15)]}`;
    const which = random.int(surely ? 3 : 4);
    if (which !== 1) this.#rrset(name, 'A', [four(), four()].slice(random.int(2)));
    if (which !== 0) this.#rrset(name, 'AAAA', [six(), six()].slice(random.int(2)));
    if (this.#chance(15)) this.#rrset(name, 'TXT', ['"of a host"']);
  }

  /** Where an alias leads: anywhere, with a preference for what exists. */
  #target(): string {
    const target = this.#anyTarget();
    return wireLength(target) <= 255 ? target : this.origin;
  }

  #anyTarget(): string {
    const kind = this.#random.int(10);
    if (kind < 5) return this.#case(this.#one([...this.#kinds.keys()]).replace(/^\*/, 'lent'));
    if (kind < 6) return `${this.#label()}.${this.#one([...this.#kinds.keys()])}`;
    if (kind < 9) return this.#case(this.#one(this.#foreign));
    return `${this.#label()}.${this.origin}`;
  }

  /** A host with addresses, here or elsewhere. */
  #host(): string {
    const foreign = this.#foreign.filter((name) => !isBelow(name, this.origin));
    return this.#chance(75) ? this.#one(this.#hosts) : this.#one(foreign);
  }

  #cut(name: string, label: string): void {
    const kind = this.#kinds.get(`${label}.${name}`.toLowerCase()) ?? 'host';
    const inside = kind === 'host' ? `${label}.${name}`.toLowerCase() : `ns.${name}`;
    const servers = [inside];
    if (this.#chance(30)) servers.push(this.#host());
    if (this.#chance(30)) servers.push('ns.nowhere.example.');
    if (this.#chance(30)) servers.push(this.#sibling(name));
    if (this.#chance(15)) servers.splice(0, 1, 'ns.elsewhere.example.');
    this.#rrset(name, 'NS', servers);
    this.#addresses(inside);
    if (this.#chance(40)) this.#rrset(name, 'DS', [this.#ds(), this.#ds()]);
    if (this.#chance(25)) this.#rrset(name, 'TXT', ['"hidden at the cut"']);
    if (this.#chance(25)) this.#rrset(`occluded.${name}`, 'TXT', ['"hidden below the cut"']);
  }

  /** A name server below another cut of this zone, with its address there (RFC 9471 §2.2). */
  #sibling(name: string): string {
    const others = [...this.#kinds].filter(([other, kind]) => kind === 'cut' && other !== name);
    const highest = others.filter(([other]) => !this.#below(parentOf(other), 'cut'));
    if (highest.length === 0) return this.#host();
    const sibling = `sib.${this.#one(highest)[0]}`;
    this.#addresses(sibling);
    return sibling;
  }

  #ds(): string {
    return `${this.#random.int(65536)} 13 2 ${this.#hex(32)}`;
  }

  #hex(octets: number): string {
    return Array.from({ length: octets * 2 }, () => HEX[this.#random.int(16)]).join('');
  }

  /** Types whose targets are given with their addresses (RFC 1035 §3.3.9, RFC 2782, RFC 9460 §4.1). */
  #mail(name: string): void {
    const rrsets: [string, () => string][] = [
      ['MX', () => `${this.#random.int(100)} ${this.#host()}`],
      ['SRV', () => `1 ${this.#random.int(9)} 5060 ${this.#host()}`],
      ['SVCB', () => `${1 + this.#random.int(9)} ${this.#host()} alpn=h2,h3 port=8443`],
      ['HTTPS', () => `${1 + this.#random.int(9)} ${this.#chance(30) ? '.' : this.#host()}`],
      ['HTTPS', () => `0 ${this.#host()}`],
      ['NAPTR', () => `10 ${this.#random.int(9)} "s" "SIP+D2U" "" ${this.#host()}`],
      ['PTR', () => this.#target()],
    ];
    const used = new Set<string>();
    for (let i = 0; i < 2; i++) {
      const [type, rdata] = this.#one(rrsets);
      if (used.has(type)) continue;
      used.add(type);
      this.#rrset(name, type, type === 'HTTPS' ? [rdata()] : [rdata(), rdata()]);
    }
  }

  #other(name: string): void {
    const rrsets: [string, string][] = [
      ['TXT', '"one" "two \\"quoted\\" \\200" three'],
      ['TXT', Array.from({ length: 3 }, () => `"${'t'.repeat(255)}"`).join(' ')],
      ['CAA', '0 issue "ca.example; policy=ev"'],
      ['TLSA', `3 1 1 ${this.#hex(32)}`],
      ['SSHFP', `4 2 ${this.#hex(32)}`],
      ['LOC', '52 22 23.000 N 4 53 32.000 E -2.00m 1m 10000m 10m'],
      ['LOC', '42 21 54 S 71 06 18 W 24m'],
      ['HINFO', '"PDP-11/70" "UNIX"'],
      ['RP', `admin.${this.origin} ${this.#host()}`],
      ['SPF', '"v=spf1 -all"'],
      ['URI', '10 1 "https://www.example/path"'],
      [
        'DNSKEY',
        '257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==',
      ],
      ['TYPE65280', '\\# 4 c000ff41'],
      ['TYPE65281', '\\# 0'],
      ['NAPTR', '100 10 "u" "E2U+sip" "!^.*$!sip:a@example!" .'],
    ];
    const used = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const [type, rdata] = this.#one(rrsets);
      if (!used.has(type)) this.#rrset(name, type, [rdata]);
      used.add(type);
    }
  }

  #asked(): string {
    const names = [...this.#kinds.keys()];
    const name = this.#one(names);
    const kind = this.#random.int(100);
    let asked = name;
    if (kind < 10) asked = name.replace(/^\*/, this.#label());
    else if (kind < 28) asked = `${this.#label()}.${name}`;
    else if (kind < 36) asked = `${this.#label()}.${name.replace(/^\*/, this.#label())}`;
    else if (kind < 40) asked = `p.q.${name}`;
    else if (kind < 48) asked = parentOf(name);
    else if (kind < 51) asked = `${this.#label()}.${this.origin}`;
    else if (kind < 54) asked = this.origin;
    else if (kind < 56) asked = parentOf(this.origin);
    else if (kind < 58) asked = longName(name);
    else if (kind < 62) asked = this.#one(this.#foreign);
    return wireLength(asked) <= 255 ? asked : name;
  }
}

/** `count` families of zones with `each` questions for every zone. */
export function makeCorpus(random: Prng, count: number, each: number): Corpus {
  const origins = Array.from({ length: count }, (_, i) => `z${i}.test`);
  const foreign = origins.flatMap((origin) =>
    ['www', 'ns', 'a.b', 'kid', 'www.kid', 'absent'].map((label) => `${label}.${origin}.`),
  );
  foreign.push(...origins.map((origin) => `${origin}.`), 'www.elsewhere.example.');
  const zones: CorpusZone[] = [];
  const queries: CorpusQuery[] = [];
  origins.forEach((origin, i) => {
    const nearby = foreign.filter((_, at) => random.int(4) === 0 || at % 7 === i % 7);
    // Of four families one has a delegated child on the same servers, and one an undelegated.
    const kid = i % 4 === 0 ? [`kid.${origin}`] : i % 4 === 1 ? [`ent.deep.${origin}`] : [];
    const makers = [origin, ...kid].map((one) => new ZoneMaker(random, one, nearby));
    makers.forEach((maker, at) => {
      const children = at === 0 && i % 4 === 0 ? kid.map((one) => `${one}.`) : [];
      zones.push(maker.make(children));
      queries.push(...maker.queries(each));
    });
  });
  return { zones, queries };
}

/** A name at or below another one; both lower-case. */
function isBelow(name: string, other: string): boolean {
  return name === other || name.endsWith(`.${other}`);
}

const LABEL = /^(?:\\[0-9]{3}|\\.|[^.\\])*\./;

function parentOf(name: string): string {
  return name.replace(LABEL, '') || '.';
}

function wireLength(name: string): number {
  return name === '.' ? 1 : name.replace(/\\[0-9]{3}|\\./g, 'x').length + 1;
}

/** A name of exactly 255 octets below `name` (RFC 1035 §3.1). */
function longName(name: string): string {
  let long = name;
  for (let left = 255 - wireLength(name); left > 1; left = 255 - wireLength(long)) {
    // A label never leaves one octet over, which no label could fill.
    const size = left === 65 ? 62 : Math.min(63, left - 1);
    long = `${'l'.repeat(size)}.${long}`;
  }
  return long;
}
