/** Our speaker against ExaBGP in a namespace of its own. */
import { ExabgpRouter } from '../../lab/bgp/exabgp.ts';
import { withEveryRouter } from '../support/bgp-scenarios.ts';

withEveryRouter('ExaBGP as the router', {
  tag: 'bgpexa',
  programs: ['exabgp'],
  words: /administrative shutdown \(6\/2\)/,
  // 4.2 fails over any words that it is sent (RFC 9003), and tells no name of what it received.
  farewell: '',
  heard: /notification received \(6,2\)/,
  keyed: 'dials',
  make: (settings) => new ExabgpRouter(settings),
});
