/** Our speaker against OpenBGPD in a namespace of its own. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { OpenbgpdRouter } from '../../lab/bgp/openbgpd.ts';
import { BgpLab, siteOf } from '../support/bgp-lab.ts';
import { offer, withEveryRouter } from '../support/bgp-scenarios.ts';
import { need } from '../support/need.ts';

withEveryRouter('OpenBGPD as the router', {
  tag: 'bgpope',
  programs: ['bgpd', 'bgpctl'],
  keyed: 'dials',
  make: (settings) => new OpenbgpdRouter(settings),
});

describe('OpenBGPD beyond the base', {
  skip: need('root', 'ip', 'bgpctl'),
  timeout: 60_000,
}, () => {
  let lab: BgpLab;
  before(() => {
    lab = new BgpLab('bgpop2', (settings) => new OpenbgpdRouter(settings));
  });
  after(() => lab.close());

  test('has a role that fits ours, and prefers any other route to one that is about to go', async () => {
    await lab.startRouter({
      neighborLines: ['announce policy provider enforce'],
      globalLines: ['match from any community GRACEFUL_SHUTDOWN set localpref 0'],
    });
    const site = siteOf({ role: 'customer', role_strict: true });
    await lab.startSpeaker(site, [offer({ communities: ['graceful-shutdown'] })]);
    await lab.up();
    await lab.seen(
      'both VIPs as the last choice',
      (all) => all.length === 2 && all.every(({ local_pref }) => local_pref === 0),
    );
  });

  test('refuses a role that does not fit', async () => {
    await lab.startRouter({ neighborLines: ['announce policy provider enforce'] });
    await lab.startSpeaker(siteOf({ role: 'provider' }));
    await lab.wait(
      'the role to be refused',
      () => lab.speaker.told(/role mismatch.*2\/11/i),
      8_000,
    );
    assert.notEqual((await lab.status()).state, 'Established');
  });
});
