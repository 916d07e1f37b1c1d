/** `isobar status ENDPOINT` and `isobar reset-penalty`, against a daemon whose load balancer fails and returns. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TempDeployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { type Ended, FraProcess, isobar, moveOthers, prepareFra } from '../support/isobar.ts';
import { Backend } from '../support/site.ts';

const REASON = /^ {2}verdict {3}(?:not )?answered \(([a-z-]+)\)/m;

describe('an endpoint that has failed and is back', () => {
  const backend = new Backend();
  let copy: TempDeployment;
  let fra: FraProcess;

  before(async () => {
    copy = await TempDeployment.create();
    const place = await prepareFra(copy, await backend.listen('127.67.1.1', 0));
    await moveOthers(copy);
    // The guard would use the only endpoint that is up at once.
    await copy.edit(
      'deployment.yaml',
      'hold_down: 2s, damping: none',
      'hold_down: 10m, evict_max: 1, sites_min: 0',
    );
    fra = new FraProcess(place);
    await fra.ready();
  });
  after(async () => {
    await fra?.kill();
    await backend.close();
    await copy.destroy();
  });

  const run = (...args: string[]): Promise<Ended> =>
    isobar(...args, '--config', copy.dir, '--site', 'fra');
  const reasonOf = async (id: string): Promise<string | undefined> =>
    (await fra.status()).endpoints.find((one) => one.id === id)?.reason.code;

  test('waits as its status says, and no longer once its penalty is reset', async () => {
    const healthy = await run('status', 'fra-lb1');
    assert.equal(REASON.exec(healthy.out)?.[1], 'healthy');
    assert.match(healthy.out, /^ {2}penalty {3}0, 0 falls$/m);
    backend.healthy = false;
    await eventually('it fails', async () => (await reasonOf('fra-lb1/web')) === 'probe-failed');
    backend.healthy = true;
    await eventually('it waits', async () => (await reasonOf('fra-lb1/web')) === 'hold-down');
    const waiting = await run('status', 'fra-lb1/web');
    assert.match(waiting.out, /^ {2}penalty {3}\d+, 1 fall, held back for \d+ min \(hold-down\)$/m);
    assert.match(waiting.out, /^ {2}changes {3}in \d+ min, if nothing happens$/m);
    assert.match(waiting.out, /^fra +home +up +.*ago +yes/m);
    assert.deepEqual(
      [(await run('reset-penalty', 'fra-lb1')).out, await reasonOf('fra-lb1/web')],
      ['reset: fra-lb1/web\n', 'healthy'],
    );
    assert.equal((await run('reset-penalty', 'fra-lb1')).out, 'nothing was held back\n');
  });

  test('of another site is to be reset there; one that is not known is named', async () => {
    const other = await run('reset-penalty', 'iad-lb1');
    assert.equal(other.code, 1);
    assert.match(other.err, /ask the agent of iad/);
    const wrong = await run('status', 'fra-lb9');
    assert.equal(wrong.code, 1);
    assert.match(wrong.err, /no endpoint or load balancer is named "fra-lb9"/);
  });
});
