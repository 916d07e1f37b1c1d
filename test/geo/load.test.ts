import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildGeoMap } from '../../src/geo/build.ts';
import { loadGeoMap } from '../../src/geo/load.ts';
import { testConfig } from '../support/config.ts';

const { geo, regions } = testConfig();
/** More than are taken on the main thread. */
const many = Array.from({ length: 20_000 }, (_, i) => ({
  prefix: `10.${i >> 8}.${i & 255}.0/24`,
  region: (i * 7) % regions.length,
}));

test('few prefixes and many make the map that buildGeoMap makes of them', async () => {
  for (const prefixes of [geo.prefixes, many]) {
    const loaded = await loadGeoMap({ ...geo, prefixes }, regions);
    const built = buildGeoMap({ ...geo, prefixes }, regions);
    assert.ok(loaded.ok && built.ok);
    assert.deepEqual(loaded.value.tables, built.value.tables);
    assert.ok(loaded.value.tables.start4.buffer instanceof SharedArrayBuffer);
  }
});

test('a database that is missing or none is told with its file, small or large', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'isobar-geo-'));
  try {
    const mmdb = join(dir, 'x.mmdb');
    for (const octets of [-1, 10, 400_000]) {
      if (octets >= 0) writeFileSync(mmdb, new Uint8Array(octets));
      const loaded = await loadGeoMap({ ...geo, mmdb }, regions);
      assert.ok(!loaded.ok);
      assert.ok(loaded.error.startsWith(`${mmdb}: `), loaded.error);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});
