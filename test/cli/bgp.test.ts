/** `isobar bgp` and what is behind it, before a real daemon with a neighbour that is there and one that is not. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { BgpWhy } from '../../src/agent/bgp-desk.ts';
import type { BgpNeighbors, BgpRoutes } from '../../src/api/bgp.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { prng } from '../../src/base/prng.ts';
import { Collector } from '../../src/bgp/collector.ts';
import { TempDeployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { FraProcess, isobar, type Place, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

const NOBODY = '127.67.2.9';

describe('a daemon with two neighbours', () => {
  const backend = new Backend();
  const collector = new Collector({
    listen: { address: '127.67.2.1', port: 0 },
    as: 65_000,
    router_id: '10.0.0.254',
    hold_time_ms: 90_000,
    clock: new SystemClock(),
    prng: prng(7),
    log: silentLog,
  });
  let copy: TempDeployment;
  let place: Place;
  let fra: FraProcess;

  const bgp = (...args: string[]) => isobar('bgp', ...args, '--api', place.api);
  const get = async <Answer>(path: string): Promise<Answer> =>
    (await (await fetch(`${place.api}/v1/bgp/${path}`)).json()) as Answer;

  before(async () => {
    const health = await backend.listen('127.67.2.1', 0);
    await collector.start();
    copy = await TempDeployment.create();
    place = await prepareFra(copy, health);
    await copy.edit('sites/fra.yaml', '127.67.1.1', '127.67.2.1');
    const { port } = collector.address;
    await copy.edit(
      'sites/fra.yaml',
      'address: 127.0.0.1\n      port: 1\n',
      `address: 127.67.2.1\n      port: ${port}\n`,
    );
    const away = `    - {name: away, address: ${NOBODY}, port: 1, as: 65009, announce: {vips: []}}\n`;
    await copy.edit('sites/fra.yaml', '\nannounce:', `${away}\nannounce:`);
    await copy.edit(
      'sites/fra.yaml',
      'connect_retry: 1s',
      'announce: {med: 7, communities: [no-export]}',
    );
    fra = new FraProcess(place);
    await fra.ready();
    await eventually('the collector has both routes', () => collector.routes().length === 2);
  });
  after(async () => {
    await fra.kill();
    await collector.stop();
    await backend.close();
    await copy.destroy();
  });

  test('neighbors: a line for each session', async () => {
    const { code, out } = await bgp('neighbors');
    assert.equal(code, 0);
    assert.match(out, /^NEIGHBOR +ADDRESS +AS +STATE +FOR +BFD +OUT +IN +LAST FAILURE$/m);
    assert.match(out, /^collector +127\.67\.2\.1 +65000 +Established +.+ +- +2 +0 +-$/m);
    assert.match(out, /^away +127\.67\.2\.9 +65009 +(Connect|Active|Idle) .+ECONNREFUSED|refused/m);
  });

  test('neighbors NAME: all about one; a name that is none is told the others', async () => {
    const { out } = await bgp('neighbors', 'collector');
    assert.match(out, /^ {2}STATE +Established for /m);
    assert.match(
      out,
      /^ {2}SESSION +router id 10\.0\.0\.254, hold time 9\.0 s, keepalive 3\.0 s, IPv4 and IPv6$/m,
    );
    assert.match(out, /^ {2}THEY CAN .*route refresh/im);
    assert.match(out, /^ {2}WE CAN .*route refresh/im);
    assert.match(out, /^ {2}ROUTES OUT +2$/m);
    assert.match(out, /^ {2}THEIR LAST ERROR +-$/m);
    const none = await bgp('neighbors', 'nobody');
    assert.equal(none.code, 1);
    assert.match(none.err, /: no neighbour is named "nobody"; there are: collector, away\n$/);
    const named = async (...args: string[]): Promise<string[]> => {
      const { neighbors } = JSON.parse((await bgp('neighbors', ...args)).out) as BgpNeighbors;
      return neighbors.map(({ name }) => name);
    };
    assert.deepEqual(await named('--json'), ['collector', 'away']);
    assert.deepEqual(
      await named('away', '--json'),
      ['away'],
      'JSON is of the one that was asked for',
    );
  });

  test('routes: what each is told and why, with the attributes that were sent', async () => {
    const { out } = await bgp('routes', '--neighbor', 'collector');
    assert.match(
      out,
      /^collector +web +198\.18\.80\.80\/32 +announced +\w+ +10\.1\.1\.1 +path 65001, MED 7, 65000:80 no-export +\S/m,
    );
    const { routes } = await get<BgpRoutes>('routes');
    const away = routes.filter(({ neighbor }) => neighbor === 'away');
    assert.deepEqual(
      away.map(({ reason }) => reason.code),
      ['not-for-neighbor', 'not-for-neighbor'],
    );
    assert.equal((await bgp('routes', '--neighbor', 'x')).code, 1);
  });

  test('received: what is kept, here nothing', async () => {
    assert.match((await bgp('received', 'collector')).out, /^collector sends no route that/);
    assert.equal((await bgp('received', 'x')).code, 1);
  });

  test('why: the likely mistake, and many who ask are not many programs', async () => {
    const { code, out } = await bgp('why', 'away');
    assert.equal(code, 0);
    assert.match(out, /^away: \w+ for \d+ s$/m);
    assert.match(out, /refused|listens/);
    const why = await get<BgpWhy>('why/away');
    assert.equal(why.neighbor.name, 'away');
    assert.ok(why.findings.length > 0);
    const asked = await Promise.all(
      Array.from({ length: 20 }, () => fetch(`${place.api}/v1/bgp/why/away`)),
    );
    assert.ok(asked.every(({ status }) => status === 200));
    assert.equal((await bgp('why', 'x')).code, 1);
  });

  test('reset: the neighbour reads the reason, and the routes come back', async () => {
    const needs = await bgp('reset', 'collector');
    assert.deepEqual([needs.code, /--reason/.test(needs.err)], [2, true]);
    const { code, out } = await bgp('reset', 'collector', '--reason', 'new key');
    assert.equal(code, 0, out);
    await eventually('the session is back', async () => {
      const { neighbors } = await get<BgpNeighbors>('neighbors');
      return neighbors[0]!.sessions === 2 && collector.routes().length === 2;
    });
    const { neighbors } = await get<BgpNeighbors>('neighbors');
    const said = neighbors[0]!.last_error_out!;
    assert.deepEqual([said.code, said.subcode], [6, 4], 'Cease, Administrative Reset');
    assert.match(said.text, /new key/);
    assert.match(
      (await bgp('neighbors', 'collector')).out,
      /OUR LAST ERROR +.* ago: cease, [a-z ]+ \(6\/4\): .*new key$/m,
    );
    assert.match(fra.log, /session reset by .*: new key/);
    assert.equal((await bgp('reset', 'x', '--reason', 'y')).code, 1);
  });

  test('reset-penalty: of one VIP or of all', async () => {
    assert.equal((await bgp('reset-penalty')).out, 'nothing was held back\n');
    assert.equal((await bgp('reset-penalty', 'web')).code, 0);
    const { code, err } = await bgp('reset-penalty', 'mail');
    assert.deepEqual([code, /announces no VIP "mail"/.test(err)], [1, true]);
  });

  test('metrics: each neighbour and VIP', async () => {
    const text = await (await fetch(`${place.api}/metrics`)).text();
    for (const line of [
      'isobar_bgp_established{neighbor="collector"} 1',
      'isobar_bgp_established{neighbor="away"} 0',
      'isobar_bgp_state{neighbor="collector",state="Established"} 1',
      'isobar_bgp_routes_out{neighbor="collector",state="announced"} 2',
      'isobar_bgp_prefixes_in{neighbor="collector",family="ipv6"} 0',
      'isobar_route_announced{vip="web"} 1',
      'isobar_route_neighbors{vip="web"} 1',
      'isobar_route_penalty{vip="web"} 0',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    assert.match(text, /^isobar_bgp_up_seconds\{neighbor="collector"\} [0-9.]+$/m);
    assert.doesNotMatch(text, /^isobar_bgp_up_seconds\{neighbor="away"\}/m);
    assert.match(
      text,
      /^isobar_bgp_messages_total\{neighbor="collector",direction="out",type="open"\} [12]$/m,
    );
    assert.match(text, /^isobar_bgp_sessions_lost_total\{neighbor="collector"\} [01]$/m);
    assert.match(text, /^isobar_route_fitness\{vip="web",fitness="\w+"\} 1$/m);
  });
});
