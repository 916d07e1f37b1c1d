/**
 * Zones put together at random from every kind of record: each is refused with problems at places
 * that exist, or it is served, and then whatever is asked gets a well-formed answer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Prng, prng } from '../../src/base/prng.ts';
import { ok } from '../../src/base/result.ts';
import { compileZone } from '../../src/config/zone/compile.ts';
import { RCODE, TYPE } from '../../src/dns/wire/codes.ts';
import type { Config } from '../../src/model/config.ts';
import { testConfig } from '../support/config.ts';
import { openDoor } from '../support/dns-zone.ts';

const ZONES = 3_000;
const QUERIES_PER_ZONE = 15;
const LABELS = ['a', 'b', '*', 'ns', 'w', 'dn', 'ent', 'host', 'www'];
const HEAD = '$TTL 1h\n@ SOA ns.x. h 1 1h 1h 1w 60\n@ NS ns.x.\n';
const TYPES = Object.values(TYPE).filter(
  (type) => type !== TYPE.OPT && (type < TYPE.TKEY || type >= TYPE.ANY),
);

const one = <T>(random: Prng, list: readonly T[]): T => list[random.int(list.length)]!;

function name(random: Prng): string {
  const labels = Array.from({ length: random.int(4) }, () => one(random, LABELS));
  return labels.length === 0 ? '@' : labels.join('.');
}

const target = (random: Prng): string =>
  one(random, [name(random), 'x.example.net.', '.', 'Www.EXAMPLE.com.', 'deep.er.example.net.']);

/** A record's type and data. */
const DATA: readonly ((random: Prng) => string)[] = [
  (random) => `A 192.0.2.${random.int(4)}`,
  (random) => `AAAA 2001:db8::${random.int(4)}`,
  (random) => `TXT ${'"x" '.repeat(1 + random.int(3))}`,
  (random) => `NS ${target(random)}`,
  (random) => `CNAME ${target(random)}`,
  (random) => `DNAME ${target(random)}`,
  (random) => `PTR ${target(random)}`,
  (random) => `MX ${random.int(3)} ${target(random)}`,
  (random) => `SRV 0 0 ${random.int(3)} ${target(random)}`,
  (random) => `SOA ${target(random)} ${target(random)} 1 1 1 1 1`,
  (random) => `TYPE65280 \\# ${random.int(2) === 0 ? '0' : '2 0001'}`,
  () => 'DS 1 8 2 00',
];

test(`${ZONES} zones at random are refused in good order, or served`, () => {
  const random = prng(7);
  const config: Config = testConfig();
  let served = 0;
  for (let i = 0; i < ZONES; i++) {
    const lines = Array.from({ length: 1 + random.int(6) }, () => {
      return `${name(random)} ${one(random, DATA)(random)}\n`;
    });
    const text = HEAD + lines.join('');
    const { zone, problems } = compileZone({
      file: 'z',
      bytes: Buffer.from(text),
      origin: 'example.com',
      readInclude: () => ok({ file: 'none', bytes: new Uint8Array(0) }),
      services: random.int(2) === 0 ? [] : ['www.example.com'],
      childApexes: random.int(3) > 0 ? [] : ['b.example.com'],
    });
    assert.equal(zone === null, problems.length > 0, text);
    for (const { file, line } of problems) {
      assert.ok(file === 'z' && line >= 1 && line <= lines.length + 3, text);
    }
    if (!zone) continue;
    served++;
    const door = openDoor({ ...config, zones: [zone] });
    for (let j = 0; j < QUERIES_PER_ZONE; j++) {
      const asked = name(random).replace('@', '').replace(/.$/, '$&.');
      const more = random.int(2) === 0 ? {} : { edns: {} };
      const { rcode } = door.ask(`${asked}example.com`, one(random, TYPES), more);
      const known: readonly number[] = [RCODE.NOERROR, RCODE.NXDOMAIN, RCODE.YXDOMAIN];
      assert.ok(known.includes(rcode), `${asked} in ${text}`);
    }
  }
  // Otherwise the half of this that asks has not been tried.
  assert.ok(served > ZONES / 10, `${served} zones served`);
});
