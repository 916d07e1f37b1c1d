/** Our speaker against GoBGP in a namespace of its own. */
import { GobgpRouter } from '../../lab/bgp/gobgp.ts';
import { withEveryRouter } from '../support/bgp-scenarios.ts';

withEveryRouter('GoBGP as the router', {
  tag: 'bgpgob',
  programs: ['gobgpd', 'gobgp'],
  lacks: ['refresh'],
  // The words of `gobgp neighbor … disable --reason` do not arrive.
  words: /administrative shutdown \(6\/2\)/,
  make: (settings) => new GobgpRouter(settings),
});
