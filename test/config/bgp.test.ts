/** The speaker's part of a site file: groups, defaults, words for conditions, and every mistake. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { BgpSite } from '../../src/model/bgp.ts';
import type { Config } from '../../src/model/config.ts';
import { projectRoot, TempDeployment } from '../support/deployment.ts';

let demo: TempDeployment;

beforeEach(async () => {
  demo = await TempDeployment.create();
});

afterEach(() => demo.destroy());

/** Gives fra this speaker, whose first line is line 20 of the file. */
async function write(...lines: readonly string[]): Promise<void> {
  const text = await demo.read('sites/fra.yaml');
  const bgp = ['bgp:', ...lines.map((line) => `  ${line}`), '', ''].join('\n');
  await demo.write(
    'sites/fra.yaml',
    text.replace(/bgp:[\s\S]*(?=announce:)/, () => bgp),
  );
}

const SPEAKER = ['as: 65001', 'router_id: 10.0.0.1', 'next_hop6: 2001:db8:1::1'];
const ROUTER = '  - {name: router, address: 10.1.1.0, as: 65000}';

async function load(): Promise<Config> {
  const loaded = await loadConfig(demo.dir, { machineFiles: false });
  assert.deepEqual(loaded.ok ? [] : loaded.error.map(formatProblem), []);
  return (loaded as { value: Config }).value;
}

async function speaker(...lines: readonly string[]): Promise<BgpSite> {
  await write(...lines);
  return (await load()).sites.find(({ name }) => name === 'fra')!.bgp!;
}

async function problems(machineFiles = false): Promise<string[]> {
  const loaded = await loadConfig(demo.dir, { machineFiles, site: 'fra' });
  return loaded.ok ? [] : loaded.error.map(formatProblem);
}

/** What is said of the lines that come after SPEAKER: "line:column: …", the first of them line 1. */
async function assertProblems(
  lines: readonly string[],
  ...patterns: readonly RegExp[]
): Promise<void> {
  await write(...SPEAKER, ...lines);
  const found = (await problems()).map((problem) =>
    problem.replace(/^sites\/fra\.yaml:(\d+)/, (_, line) => String(Number(line) - 22)),
  );
  patterns.forEach((pattern, i) => {
    assert.match(found[i] ?? 'no problem', pattern);
  });
  assert.equal(found.length, patterns.length, found.join('\n'));
}

describe('what holds when nothing else is said', () => {
  test('a neighbour has what is usual and safe', async () => {
    const bgp = await speaker(...SPEAKER, 'neighbors:', ROUTER);
    assert.equal(bgp.dead_man_ms, 5_000);
    assert.deepEqual([bgp.listen, bgp.vip_interface, bgp.mrt], [[], null, null]);
    const unchanged = {
      med: null,
      prepend: 0,
      local_pref: null,
      communities: [],
      next_hop: null,
      next_hop6: null,
    };
    assert.deepEqual(bgp.neighbors, [
      {
        name: 'router',
        address: '10.1.1.0',
        as: 65000,
        port: 179,
        passive: false,
        source: null,
        interface: null,
        hold_time_ms: 9_000,
        connect_retry_ms: 5_000,
        delay_open_ms: 0,
        send_hold_ms: 480_000,
        idle_hold_max_ms: 60_000,
        ttl: 1,
        ttl_security: null,
        md5_key_file: null,
        ipv4: true,
        ipv6: true,
        extended_next_hop: false,
        add_path: false,
        graceful_restart_helper: true,
        role: null,
        role_strict: false,
        bfd: null,
        receive: { accept: [], prefixes_max: 10_000, watch_vips: false },
        announce: { vips: null, when: null, changes: unchanged, by_fitness: {}, by_vip: {} },
      },
    ]);
  });

  test('a neighbour in our own AS may be far away, and so BFD is multihop', async () => {
    const bgp = await speaker(
      ...SPEAKER,
      'neighbors:',
      '  - {name: inside, address: 10.1.1.0, as: 65001, bfd: {}}',
      '  - {name: outside, address: 10.1.1.1, as: 65000, bfd: {}}',
      '  - {name: far, address: 10.1.1.2, as: 65000, multihop: 3, bfd: {}}',
      '  - {name: guarded, address: 10.1.1.3, as: 65000, ttl_security: 1, bfd: {}}',
    );
    const seen = bgp.neighbors.map(({ name, ttl, bfd }) => [name, ttl, bfd!.multihop]);
    assert.deepEqual(seen, [
      ['inside', 64, true],
      ['outside', 1, false],
      ['far', 3, true],
      ['guarded', 1, false],
    ]);
    const { transmit_ms, receive_ms, multiplier, auth, strict } = bgp.neighbors[0]!.bfd!;
    assert.deepEqual(
      [transmit_ms, receive_ms, multiplier, auth, strict],
      [300, 300, 3, null, false],
    );
  });

  test('the send hold time follows a long hold time (RFC 9687)', async () => {
    const bgp = await speaker(
      ...SPEAKER,
      'neighbors:',
      '  - {name: slow, address: 10.1.1.0, as: 65000, hold_time: 10m}',
      '  - {name: never, address: 10.1.1.1, as: 65000, send_hold: 0s}',
    );
    assert.deepEqual(
      bgp.neighbors.map(({ send_hold_ms }) => send_hold_ms),
      [1_200_000, 0],
    );
  });
});

describe('a group', () => {
  test('says what its neighbours and ranges do not say themselves, key by key', async () => {
    const bgp = await speaker(
      ...SPEAKER,
      'listen: ["10.1.0.1:179", "[::1]:1790"]',
      'groups:',
      '  spines:',
      '    as: 65000',
      '    port: 1179',
      '    md5_key_file: keys/spines',
      '    bfd: {transmit: 50ms, receive: 60ms, multiplier: 5}',
      '    receive: {accept: [10.0.0.0/8, 192.0.2.0/24], prefixes_max: 7}',
      '    announce: {med: 10, prepend: 2, by_vip: {web: {med: 11}}, by_fitness: {degraded: {med: 12}}}',
      'neighbors:',
      '  - {name: spine1, group: spines, address: 10.1.1.0}',
      '  - name: spine2',
      '    group: spines',
      '    address: 10.1.2.0',
      '    as: 65099',
      '    bfd: {interval: 100ms}',
      '    receive: {accept: [198.51.100.0/24]}',
      '    announce: {prepend: 0, by_fitness: {draining: {announce: false}}}',
      'ranges:',
      '  - {name: rack, group: spines, prefix: 10.1.3.0/24, sessions_max: 2}',
    );
    assert.deepEqual(bgp.listen, [
      { address: '10.1.0.1', port: 179 },
      { address: '::1', port: 1790 },
    ]);
    const [one, two] = bgp.neighbors;
    assert.deepEqual([one!.as, one!.port, two!.as, two!.port], [65000, 1179, 65099, 1179]);
    assert.equal(two!.md5_key_file, `${demo.dir}/keys/spines`);
    const times = [one, two].map((each) => {
      const { transmit_ms, receive_ms, multiplier } = each!.bfd!;
      return [transmit_ms, receive_ms, multiplier];
    });
    assert.deepEqual(times, [
      [50, 60, 5],
      [100, 100, 5],
    ]);
    assert.deepEqual(two!.receive, {
      accept: ['198.51.100.0/24'],
      prefixes_max: 7,
      watch_vips: false,
    });
    assert.deepEqual([one!.announce.changes.prepend, two!.announce.changes.prepend], [2, 0]);
    assert.equal(two!.announce.changes.med, 10);
    assert.equal(two!.announce.by_vip.web!.changes.med, 11);
    assert.equal(two!.announce.by_fitness.degraded!.changes.med, 12);
    assert.equal(two!.announce.by_fitness.draining!.announce, false);
    assert.deepEqual(one!.announce.by_fitness.draining, undefined);
    const [rack] = bgp.ranges;
    assert.deepEqual(
      [rack!.as, rack!.prefix, rack!.sessions_max, rack!.bfd!.transmit_ms],
      [65000, '10.1.3.0/24', 2, 50],
    );
  });

  test('has its mistakes told once and in the group, a neighbour its own', async () => {
    await assertProblems(
      [
        'groups:',
        '  spines: {as: 65001, ttl_security: 1, multihop: 2, role: peer, hold_time: 0s}',
        'neighbors:',
        '  - {name: one, group: spines, address: 10.1.1.0}',
        '  - {name: two, group: spines, address: 10.1.1.1}',
        '  - {name: three, group: spines, address: 10.1.1.2, hold_time: 0s}',
        '  - {name: four, group: spine, address: 10.1.1.3, as: 65000}',
      ],
      /^2:39: `ttl_security` sends with TTL 255, .*remove one of the two/,
      /^2:61: roles are between different ASes \(RFC 9234\)/,
      /^2:78: without keepalives nobody notices/,
      /^6:66: without keepalives nobody notices/,
      /^7:27: no group is named "spine": did you mean "spines"\?/,
    );
  });
});

describe('a condition', () => {
  test('is made of services, states and combinations of them', async () => {
    const bgp = await speaker(
      ...SPEAKER,
      'neighbors:',
      '  - name: router',
      '    address: 10.1.1.0',
      '    as: 65000',
      '    announce:',
      '      when:',
      '        all:',
      '          - WWW.example.com.',
      '          - {any: [{service: www.example.com}, {not: {site: last_site_kept}}]}',
      '          - {at_least: 1, of: [{site: [healthy, degraded]}, www.example.com]}',
    );
    const service = { kind: 'service', service: 'www.example.com' };
    assert.deepEqual(bgp.neighbors[0]!.announce.when, {
      kind: 'all',
      of: [
        service,
        {
          kind: 'any',
          of: [service, { kind: 'not', of: { kind: 'site', states: ['last-site-kept'] } }],
        },
        {
          kind: 'at-least',
          count: 1,
          of: [{ kind: 'site', states: ['healthy', 'degraded'] }, service],
        },
      ],
    });
  });

  const MISTAKES: readonly (readonly [string, RegExp])[] = [
    ['ww.example.com', /:30: no service is named "ww\.example\.com": did you mean "www\./],
    ['{all: [www.example.com, w.example.org]}', /:54: no service is named "w\.example\.org"/],
    ['{al: [www.example.com]}', /:30: unknown key "al": did you mean "all"\?/],
    ['{all: []}', /:36: a list holds no conditions: write a list of at least one/],
    [
      '{all: [www.example.com], any: [www.example.com]}',
      /:30: a condition has one key, this has 2/,
    ],
    ['{at_least: 3, of: [www.example.com]}', /:41: 3 cannot be counted: .* from 1 to 1/],
    ['{at_least: 3}', /:30: an empty value holds no conditions/],
    ['{site: [helthy]}', /:38: "helthy" is not a state of a site: did you mean "healthy"\?/],
    ['7', /:30: 7 is not a condition: write the name of a service, or a mapping/],
    [`${'{not: '.repeat(9)}www.example.com${'}'.repeat(9)}`, /:78: nested more than 8 deep/],
  ];
  for (const [text, message] of MISTAKES) {
    test(`says what is wrong with ${text.slice(0, 40)}`, async () => {
      await assertProblems(
        [
          'neighbors:',
          '  - name: router',
          '    address: 10.1.1.0',
          '    as: 65000',
          '    announce:',
          `      when:                ${text}`,
        ],
        new RegExp(`^6${message.source}`),
      );
    });
  }
});

describe('a mistake of the speaker', () => {
  const neighbors = (...keys: readonly string[]): string[] => [
    'neighbors:',
    ...keys.map((each, i) => `  - {name: n${i}, address: 10.1.1.${i}, as: 65000, ${each}}`),
  ];

  const MISTAKES: readonly (readonly [string, readonly string[], readonly RegExp[]])[] = [
    ['nobody to tell', [], [/^-2:3: nobody to tell the routes: add `neighbors` or `ranges`/]],
    [
      'a neighbour without an AS',
      ['neighbors:', '  - {name: router, address: 10.1.1.0}'],
      [/^2:7: "as" is missing: add it here or to the group/],
    ],
    [
      'an AS that is none is not missing as well',
      ['neighbors:', '  - {name: router, address: 10.1.1.0, as: x}'],
      [/^2:45: "x" is not a number/],
    ],
    [
      'passive neighbours and ranges without an address',
      [...neighbors('passive: true'), 'ranges:', '  - {name: rack, prefix: 10.2.0.0/16}'],
      [
        /^2:57: a passive neighbour needs an address to connect to: add `listen` to bgp/,
        /^4:7: neighbours of a range connect to us: add `listen` to bgp/,
      ],
    ],
    [
      'two ranges of one prefix',
      [
        'listen: 10.1.0.1:179',
        'ranges:',
        '  - {name: rack, prefix: 10.2.0.0/16}',
        '  - {name: one, prefix: 10.2.3.0/24}',
        '  - {name: row, prefix: 10.2.0.0/16}',
      ],
      [/^5:27: the range "rack" has the prefix 10\.2\.0\.0\/16, too: write another/],
    ],
    [
      'sessions without a key where a listening socket wants one',
      [
        'listen: 10.1.0.1:179',
        'groups:',
        '  signed: {md5_key_file: keys/rack}',
        'neighbors:',
        '  - {name: inside, address: 10.2.3.4, as: 65000}',
        '  - {name: signs, group: signed, address: 10.2.3.5, as: 65000}',
        '  - {name: outside, address: 10.3.0.1, as: 65000}',
        'ranges:',
        '  - {name: rack, group: signed, prefix: 10.2.0.0/16}',
        '  - {name: one, prefix: 10.2.3.0/24}',
        '  - {name: all, prefix: 10.0.0.0/8}',
      ],
      [
        /^5:31: all who connect from there must have the MD5 key of "rack": add `md5_key_file`/,
        /^10:27: all who connect from there must have the MD5 key of "rack"/,
      ],
    ],
    [
      'what is only for dialling, in a range',
      ['listen: 10.1.0.1:179', 'ranges:', '  - {name: rack, prefix: 10.2.0.0/16, port: 1179}'],
      [/^3:41: unknown key "port"/],
    ],
    [
      'a link-local neighbour without its link',
      ['neighbors:', '  - {name: leaf, address: "fe80::1", as: 65000, extended_next_hop: true}'],
      [/^2:29: a link-local address is one of each link: add `interface`/],
    ],
    [
      'an interface that Linux would not have',
      neighbors('interface: a/b'),
      [/^2:59: "a\/b" is not the name of an interface: write one like eth0/],
    ],
    [
      'a source of the other family',
      neighbors('source: 2001:db8::1'),
      [/^2:56: the neighbour is IPv4, the source is not: write one that is/],
    ],
    [
      'a send hold time below the hold time (RFC 9687)',
      neighbors('hold_time: 30s, send_hold: 10s'),
      [/^2:75: shorter than the hold time: write at least 30s/],
    ],
    [
      'a strict role without one',
      neighbors('role_strict: true'),
      [/^2:61: `role_strict` needs a role of our own: add `role`/],
    ],
    [
      'BFD with three intervals',
      neighbors('bfd: {interval: 1s, transmit: 1s, receive: 1s}'),
      [/^2:64: `transmit` and `receive` leave nothing for `interval`: remove it/],
    ],
    [
      'BFD authentication without its key',
      neighbors('bfd: {auth: {kind: sha1, key_id: 1}}'),
      [/^2:\d+: "key_file" is missing: add it \(File with the key, alone in one line\)/],
    ],
    [
      'IPv6 next hops for IPv4 routes that are not told',
      [
        'neighbors:',
        '  - {name: v4, address: 10.1.1.0, as: 65000}',
        '  - {name: v6, address: 2001:db8::1, as: 65000, families: [ipv6], extended_next_hop: true}',
      ],
      [/^3:88: this is for IPv4 routes, .*add ipv4 to `families`/],
    ],
    [
      'a local preference towards another AS',
      neighbors('announce: {local_pref: 50, by_vip: {web: {local_pref: 60}}}'),
      [
        /^2:71: only neighbours in our own AS 65001 get it, this one is in 65000: remove it/,
        /^2:102: only neighbours in our own AS/,
      ],
    ],
    [
      'a VIP that the site does not announce',
      neighbors('announce: {vips: [wep], by_vip: {mail: {med: 1}}}'),
      [
        /^2:66: the site does not announce a VIP "wep": add it to .* \(did you mean "web"\?\)/,
        /^2:\d+: the site does not announce a VIP "mail"/,
      ],
    ],
    [
      'the address of our own listener as the neighbour',
      ['listen: "10.1.1.0:179"', ...neighbors('hold_time: 9s')],
      [/we listen on 10\.1\.1\.0 ourselves: write the address of the neighbour/],
    ],
    [
      'our AS too often before the path',
      neighbors('announce: {prepend: 17}'),
      [/^2:68: 17 is too large: write at most 16/],
    ],
    [
      'two neighbours at one address and port, and two of one name',
      [
        'neighbors:',
        '  - {name: a, address: 10.1.1.0, as: 65000}',
        '  - {name: b, address: 10.1.1.0, as: 65000}',
        '  - {name: a, address: 10.1.1.0, as: 65000, port: 1179}',
      ],
      [
        /^3:\d+: the neighbour at "10\.1\.1\.0:179" is already in line 24/,
        /^4:\d+: the neighbour "a" is already in line 24/,
      ],
    ],
    [
      'a dead man who is quicker than the reports',
      ['dead_man: 100ms', ...neighbors('port: 179')],
      [/^1:13: a decision that is a little late would withdraw all: write at least 500ms/],
    ],
    [
      'a dump of a size without a unit',
      ['mrt: {file: /tmp/bgp.mrt, max: 64}', ...neighbors('port: 179')],
      [/^1:34: 64 is not a size: write a whole number and its unit, such as "64MB"/],
    ],
    [
      'a family that nobody takes',
      neighbors('families: [ipv4]'),
      [/^4:12: no neighbour takes IPv6 routes such as 2001:db8:80::80\/128 of "web": add ipv6/],
    ],
  ];
  for (const [what, lines, patterns] of MISTAKES) {
    test(what, async () => {
      await assertProblems(lines, ...patterns);
    });
  }

  test('link-local neighbours of two links may have the same address', async () => {
    const bgp = await speaker(
      ...SPEAKER,
      'neighbors:',
      '  - {name: a, address: "fe80::1", interface: eth0, as: 65000, extended_next_hop: true}',
      '  - {name: b, address: "fe80::1", interface: eth1, as: 65000, extended_next_hop: true}',
    );
    assert.equal(bgp.neighbors.length, 2);
  });

  test('a key file that is not there is told where it is named', async () => {
    await write(
      ...SPEAKER,
      'groups:',
      '  spines: {md5_key_file: keys/spines}',
      'neighbors:',
      '  - name: router',
      '    group: spines',
      '    address: 10.1.1.0',
      '    as: 65000',
      '    bfd: {auth: {kind: md5, key_id: 1, key_file: keys/bfd}}',
    );
    const found = await problems(true);
    assert.match(found[0]!, /^sites\/fra\.yaml:24:28: "keys\/spines": /);
    assert.match(found[1]!, /^sites\/fra\.yaml:30:52: "keys\/bfd": /);
    assert.equal(found.length, 2);
    assert.deepEqual(await problems(), []);
  });
});

describe('how routes follow the fitness of a site', () => {
  test('is the policy of the deployment', async () => {
    await demo.edit(
      'deployment.yaml',
      '  routes: {hold_down: 0s, damping: none}\n',
      [
        '  routes:',
        '    fitness:',
        '      degraded: {med: 50, communities: [no-export, "65000:1:2", "target:65000:1"]}',
        '      last_site_kept: {announce: false}',
        '    drain_load: 0.1',
        '    settle: 2s',
        '    hold_down: 3s',
        '    damping: {half_life: 10s}',
        '',
      ].join('\n'),
    );
    const { routes } = (await load()).policy;
    assert.equal(routes.fitness.degraded.changes.med, 50);
    assert.deepEqual(routes.fitness.degraded.changes.communities, [
      'no-export',
      '65000:1:2',
      'target:65000:1',
    ]);
    assert.equal(routes.fitness['last-site-kept'].announce, false);
    assert.deepEqual([routes.drain_load, routes.settle_ms, routes.hold_down_ms], [0.1, 2000, 3000]);
    assert.equal(routes.damping!.half_life_ms, 10_000);
  });

  test('damping must be able to begin and to end', async () => {
    await demo.edit(
      'deployment.yaml',
      '{hold_down: 0s, damping: none}',
      '{damping: {suppress: 500}}',
    );
    assert.match((await problems())[0]!, /reuse must be below suppress \(500\)/);
    await demo.edit('deployment.yaml', '{damping: {suppress: 500}}', '{damping: {half_life: 10m}}');
    const [problem] = await problems();
    const text = 'no penalty would ever reach suppress (2500): write at least 1043s, or a lower';
    assert.ok(problem?.includes(text), problem);
    await demo.edit('deployment.yaml', '{half_life: 10m}', '{half_life: 10m, suppress_max: 1043s}');
    assert.deepEqual(await problems(), []);
  });
});

test('the examples of docs/configuration.md are good', async () => {
  const page = readFileSync(join(projectRoot, 'docs', 'configuration.md'), 'utf8');
  const section = page.slice(page.indexOf('## bgp, in'), page.indexOf('## zones/ZONE.yaml'));
  const examples = [...section.matchAll(/```yaml\n([^`]+)```/g)].map(([, text]) => text!);
  assert.equal(examples.length, 3);
  await demo.edit('deployment.yaml', ', 2001:db8:80::80/128]', ']');
  for (const name of ['api', 'img']) {
    const service = `  - {name: ${name}, check: web, pool: all}\n`;
    await demo.append('zones/example.com.yaml', service);
  }
  for (const text of examples) {
    const lines = text.startsWith('bgp:')
      ? text.split('\n').slice(1)
      : ['  as: 65001', '  router_id: 10.0.0.1', '  neighbors:', ...text.split('\n')];
    const bgp = await speaker(...lines.map((line) => line.slice(2)));
    assert.ok(bgp.neighbors.length > 0);
  }
});
