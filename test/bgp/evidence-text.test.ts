/** What `ip -j` and `ss` print about the way to a neighbour. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  linkFrom,
  neighborFrom,
  refusedRoute,
  routeFrom,
  socketsFrom,
} from '../../src/bgp/evidence-text.ts';

describe('what the tools print', () => {
  test('ip route get', () => {
    const direct = '[{"dst":"192.0.2.1","dev":"eth0","prefsrc":"192.0.2.2","flags":[],"uid":0}]';
    assert.deepEqual(routeFrom(direct), { kind: 'route', device: 'eth0', gateway: null });
    const far = '[{"dst":"10.1.1.1","gateway":"192.0.2.7","dev":"eth0","prefsrc":"192.0.2.2"}]';
    assert.deepEqual(routeFrom(far), { kind: 'route', device: 'eth0', gateway: '192.0.2.7' });
    const six = '[{"dst":"10.1.1.1","via":{"family":"inet6","host":"fe80::7"},"dev":"eth0"}]';
    assert.deepEqual(routeFrom(six), { kind: 'route', device: 'eth0', gateway: 'fe80::7' });
    const own = '[{"type":"local","dst":"192.0.2.2","dev":"lo","prefsrc":"192.0.2.2"}]';
    assert.deepEqual(routeFrom(own), { kind: 'own' });
    assert.equal(routeFrom('nonsense'), null);
    const none = refusedRoute(new Error('ip: RTNETLINK answers: Network is unreachable'));
    assert.deepEqual(none, { kind: 'none', text: 'there is no route' });
    assert.equal(refusedRoute(new Error('ip: it is not installed')), null);
  });

  test('ip link and ip neigh', () => {
    const flags = (...names: string[]): string =>
      JSON.stringify([{ ifname: 'eth0', flags: names }]);
    assert.equal(linkFrom('eth0', flags('UP', 'LOWER_UP'))?.state, 'up');
    assert.equal(linkFrom('eth0', flags('NO-CARRIER', 'UP'))?.state, 'no-carrier');
    assert.equal(linkFrom('eth0', flags('BROADCAST'))?.state, 'down');
    assert.equal(linkFrom('eth0', '[]'), null);
    assert.equal(neighborFrom('[{"dst":"192.0.2.1","state":["INCOMPLETE"]}]'), 'INCOMPLETE');
    assert.equal(neighborFrom('[]'), null);
  });

  test('ss', () => {
    const sockets = socketsFrom(
      'ESTAB 0 45 192.0.2.2:48230 192.0.2.1:179 timer:(on,200ms,2)\n' +
        'ESTAB 0 0 192.0.2.2:48231 192.0.2.1:179\n' +
        'SYN-SENT 0 1 [fe80::2]%eth0:59272 [fe80::1]%eth0:179 timer:(on,932ms,0)\n',
    );
    assert.deepEqual(sockets, [
      { state: 'ESTAB', port: 179, unacknowledged: 45, retransmits: 2 },
      { state: 'ESTAB', port: 179, unacknowledged: 0, retransmits: 0 },
      { state: 'SYN-SENT', port: 179, unacknowledged: 1, retransmits: 0 },
    ]);
  });
});
