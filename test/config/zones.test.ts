/** Which zones are read anew when a deployment is looked at again, and where that happens. */
import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { ZoneCache } from '../../src/config/zone/cache.ts';
import type { Config, Zone } from '../../src/model/config.ts';
import { TempDeployment } from '../support/deployment.ts';

const HEAD = '$TTL 1h\n@ SOA ns1 h 7 1h 1h 1w 60\n@ NS ns1\nns1 A 192.0.2.53\n';
const manyLines = Array.from({ length: 20_000 }, (_, i) => `host${i} A 192.0.2.1\n`).join('');

let demo: TempDeployment;
let cache: ZoneCache;
beforeEach(async () => {
  demo = await TempDeployment.create();
  cache = new ZoneCache();
  await demo.write('zones/other.test.zone', `${HEAD}$INCLUDE more.inc\n`);
  await demo.write('zones/more.inc', 'a A 192.0.2.1\n');
});
afterEach(() => demo.destroy());

async function load(): Promise<Config> {
  const loaded = await loadConfig(demo.dir, { machineFiles: false, zones: cache });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.value;
}

async function problems(): Promise<string[]> {
  const loaded = await loadConfig(demo.dir, { machineFiles: false, zones: cache });
  return loaded.ok ? [] : loaded.error.map(formatProblem);
}

function zone({ zones }: Config, origin: string): Zone {
  return zones.find((one) => one.origin === origin)!;
}

describe('looking at a deployment again', () => {
  test('a zone whose files are as they were is the same zone', async () => {
    const before = await load();
    const after = await load();
    for (const { origin } of before.zones) {
      assert.equal(zone(after, origin), zone(before, origin), origin);
    }
  });

  test('a changed file or include changes its zone, and no other', async () => {
    const first = await load();
    await demo.append('zones/more.inc', 'b A 192.0.2.2\n');
    const second = await load();
    assert.notEqual(zone(second, 'other.test').digest, zone(first, 'other.test').digest);
    assert.equal(zone(second, 'example.com'), zone(first, 'example.com'));
    await demo.edit('zones/other.test.zone', 'h 7 ', 'h 8 ');
    const third = await load();
    assert.equal(zone(third, 'other.test').serial, 8);
    assert.equal(zone(third, 'example.com'), zone(first, 'example.com'));
  });

  test('a file that says the same in other words leaves its zone as it is', async () => {
    const before = await load();
    await demo.append('zones/other.test.zone', '; a remark\n');
    assert.equal(zone(await load(), 'other.test'), zone(before, 'other.test'));
  });

  test('a service or a zone more changes the zone that holds it', async () => {
    const first = await load();
    await demo.write('zones/deep.other.test.zone', HEAD);
    const second = await load();
    assert.notEqual(zone(second, 'other.test').digest, zone(first, 'other.test').digest);
    assert.equal(zone(second, 'example.com'), zone(first, 'example.com'));
    await demo.remove('zones/deep.other.test.zone');
    assert.equal(zone(await load(), 'other.test').digest, zone(first, 'other.test').digest);
  });

  test('mistakes are told at every look until they are mended', async () => {
    await load();
    await demo.append('zones/more.inc', '@ MX 1 gone\n');
    for (let look = 0; look < 2; look++) {
      assert.match(
        (await problems()).join(),
        /^zones\/more\.inc:2:1: the MX target gone\.other\.test\./,
      );
    }
    await demo.write('zones/more.inc', 'a A 192.0.2.1\n');
    assert.deepEqual(await problems(), []);
  });

  test('a zone file that is no file is a problem of that file', async () => {
    await symlink('/dev/null', join(demo.dir, 'zones/null.test.zone'));
    assert.match((await problems()).join(), /^zones\/null\.test\.zone:1:1: not a regular file/);
  });
});

describe('a large zone file', () => {
  test('is read and served as a small one is', async () => {
    await demo.write('zones/large.test.zone', HEAD + manyLines);
    const { image, serial } = zone(await load(), 'large.test');
    assert.equal(serial, 7);
    assert.ok(image.bytes.buffer instanceof SharedArrayBuffer);
    assert.ok(image.bytes.length > 1_000_000);
    await demo.append('zones/large.test.zone', 'new A 192.0.2.9\n');
    const again = zone(await load(), 'large.test');
    assert.ok(again.image.bytes.length > image.bytes.length);
  });

  test('has its mistakes told with file and line', async () => {
    await demo.write('zones/large.test.zone', `${HEAD}${manyLines}bad A 192.0.2.300\n`);
    assert.match((await problems()).join(), /^zones\/large\.test\.zone:20005:7: "192\.0\.2\.300"/);
  });
});
