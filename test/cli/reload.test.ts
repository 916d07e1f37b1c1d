/** `isobar reload` and SIGHUP, before a real daemon. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { TYPE } from '../../src/dns/wire/codes.ts';
import { TempDeployment } from '../support/deployment.ts';
import { ask } from '../support/dns-client.ts';
import { eventually } from '../support/eventually.ts';
import { type Ended, FraProcess, isobar, type Place, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

describe('a running daemon', () => {
  const backend = new Backend();
  let health = 0;
  let copy: TempDeployment;
  let place: Place;
  let fra: FraProcess;

  before(async () => {
    health = await backend.listen('127.67.1.1', 0);
  });
  after(() => backend.close());
  beforeEach(async () => {
    copy = await TempDeployment.create();
    place = await prepareFra(copy, health);
    fra = new FraProcess(place);
    await fra.ready();
  });
  afterEach(async () => {
    await fra.kill();
    await copy.destroy();
  });

  test('isobar reload: what changed is in force when it is told', async () => {
    const at = ['--site', 'fra', '--config', copy.dir];
    const nothing = await isobar('reload', ...at);
    assert.deepEqual([nothing.code, nothing.out], [0, 'nothing has changed\n']);
    await copy.append('zones/example.com.zone', 'new IN A 192.0.2.77\n');
    await copy.edit('sites/fra.yaml', 'dns:', 'dns:\n  udp_payload_max: 1400');
    const { code, out, err } = await isobar('reload', '--api', place.api);
    assert.deepEqual([code, err], [0, '']);
    // Perhaps the watcher was quicker than the command; then it says so.
    assert.match(out, /^ {0,2}zone example\.com: changed$/m);
    assert.match(out, /^restart needed for: dns\.udp_payload_max$/m);
    assert.deepEqual(await ask(place.dns, 'new.example.com', TYPE.A, '192.0.2.0'), ['192.0.2.77']);
  });

  test('isobar reload --dry-run: other files are compared with what is in use; nothing changes', async () => {
    const candidate = await TempDeployment.create();
    for (const file of ['deployment.yaml', 'sites/fra.yaml']) {
      await candidate.write(file, await copy.read(file));
    }
    const ask = (): Promise<Ended> =>
      isobar('reload', '--dry-run', '--site', 'fra', '--config', candidate.dir);
    assert.deepEqual(await ask(), { code: 0, out: 'nothing would change\n', err: '' });
    await candidate.edit('sites/fra.yaml', 'hold_time: 9s', 'hold_time: 30s');
    await candidate.edit('sites/fra.yaml', 'workers: 1', 'udp_payload_max: 1400');
    await candidate.append('zones/example.com.zone', 'new IN A 192.0.2.77\n');
    assert.deepEqual(await ask(), {
      code: 0,
      out: [
        'zone example.com: changed',
        'site fra: changed',
        'neighbor collector of fra: changed',
        'BGP session with collector: changed hold time: its session is made anew',
        'restart needed for: dns.udp_payload_max',
        'nothing has been applied',
        '',
      ].join('\n'),
      err: '',
    });
    await candidate.edit('sites/fra.yaml', 'hold_time: 30s', 'hold_time: 30');
    const { code, err } = await ask();
    assert.equal(code, 1);
    assert.match(err, /^sites\/fra\.yaml:\d+:\d+: 30 is not a duration/);
    assert.equal((await isobar('reload', '--api', place.api)).out, 'nothing has changed\n');
    await candidate.destroy();
  });

  test('isobar reload: every problem with its place, exit code 1, and the old stays', async () => {
    const zone = await copy.read('zones/example.com.zone');
    const line = zone.split('\n').length;
    await copy.append('zones/example.com.zone', 'bad IN A 192.0.2\n');
    await copy.edit('deployment.yaml', 'hold_down: 2s', 'hold_down: 2');
    const { code, out, err } = await isobar('reload', '--api', place.api);
    assert.deepEqual([code, out], [1, '']);
    assert.match(err, /^deployment\.yaml:\d+:\d+: 2 is not a duration/m);
    assert.match(err, new RegExp(`^zones/example\\.com\\.zone:${line}:\\d+: `, 'm'));
    assert.match(err, /^2 problems$/m);
    const answer = await ask(place.dns, 'www.example.com', TYPE.A, '192.0.2.0');
    assert.deepEqual(answer, ['127.67.1.1']);
  });

  test('isobar reload: an address that cannot be had is told, the rest is in use', async () => {
    const dns = `127.0.0.1:${place.dns.port}`;
    await copy.edit('sites/fra.yaml', dns, `${dns}, 192.0.2.53:${place.dns.port}`);
    await copy.append('zones/example.com.zone', 'new IN A 192.0.2.79\n');
    for (const time of ['first', 'again']) {
      const { code, err } = await isobar('reload', '--api', place.api);
      assert.equal(code, 1, time);
      assert.equal(
        err,
        `TCP 192.0.2.53:${place.dns.port}: this machine does not have the address\n1 problem\n`,
      );
    }
    assert.deepEqual((await fra.status()).dns.listen, [dns], 'those that it has');
    assert.deepEqual(await ask(place.dns, 'new.example.com', TYPE.A, '192.0.2.0'), ['192.0.2.79']);
    await copy.edit('sites/fra.yaml', `${dns}, 192.0.2.53:${place.dns.port}`, dns);
    assert.equal((await isobar('reload', '--api', place.api)).code, 0);
  });

  test('SIGHUP: the same, told in the log', async () => {
    await copy.append('zones/example.com.zone', 'new IN A 192.0.2.78\n');
    fra.signal('SIGHUP');
    await eventually('it is logged', () => fra.log.includes('"zone example.com: changed"'));
    assert.deepEqual(await ask(place.dns, 'new.example.com', TYPE.A, '192.0.2.0'), ['192.0.2.78']);
    await copy.append('zones/example.com.zone', 'bad IN A 192.0.2\n');
    fra.signal('SIGHUP');
    await eventually('the refusal is logged', () => fra.log.includes('the old one stays'));
    assert.equal((await fra.end('SIGTERM')).code, 0);
  });
});
