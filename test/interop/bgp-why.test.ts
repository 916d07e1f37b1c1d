/**
 * The mistakes that keep sessions from coming up, made for real against BIRD: what `isobar bgp why`
 * then says first must name each.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Finding } from '../../src/bgp/why.ts';
import { bird, Pair, protocol } from '../support/bgp-pair.ts';
import { need } from '../support/need.ts';

describe('why', { skip: need('root', 'ip', 'ss', 'bird'), timeout: 180_000 }, () => {
  const pair = new Pair('bwy');
  before(() => pair.open());
  afterEach(() => pair.stop());
  after(() => pair.close());

  const KEYED = () => ({ md5_key_file: pair.key('key', 'one secret') });
  const PASSWORD = 'password "one secret";';

  const first = (): Finding | undefined => pair.line.bird?.why?.findings[0];
  const named = async (code: string, text: RegExp): Promise<void> => {
    const says = (): boolean => first()?.code === code && text.test(first()!.text);
    await pair.until(`"${code}" is named, as ${text}`, says);
    assert.doesNotMatch(JSON.stringify(pair.line), /secret/);
  };

  test('the MD5 keys differ, and it dials', async () => {
    await pair.bird(protocol('password "another one";'));
    pair.speaker([bird({ ...KEYED(), passive: true })], ['0.0.0.0']);
    await named('md5-differs', /the neighbour's MD5 key differs: TCPMD5Failure has risen by \d+/);
  });

  test('the MD5 keys differ, and we dial', async () => {
    await pair.bird(protocol('password "another one"; passive;'));
    pair.speaker([bird(KEYED())]);
    // What BIRD sends between opening its port and setting its key tells by the counter, too.
    const counted = 'TCPMD5Failure has risen by';
    await named('md5-differs', new RegExp(`answers neither with our MD5 key|${counted}`));
  });

  test('a key here, none there, and we dial', async () => {
    await pair.bird(protocol('passive;'));
    pair.speaker([bird(KEYED())]);
    await named('md5-missing-there', /answers without TCP MD5 and not with it/);
  });

  test('a key here, none there, and it dials', async () => {
    await pair.bird(protocol());
    pair.speaker([bird({ ...KEYED(), passive: true })], ['0.0.0.0']);
    await named('md5-missing-there', /does not sign what it sends \(TCPMD5NotFound: \d+\)/);
  });

  test('a key there, none here', async () => {
    await pair.bird(protocol(PASSWORD));
    pair.speaker([bird()], ['0.0.0.0']);
    await named('md5-missing-here', /no key is configured for it here \(TCPMD5Unexpected: \d+\)/);
  });

  test('TTL security there, an ordinary TTL here', async () => {
    await pair.bird(protocol('ttl security on; passive;'));
    pair.speaker([bird()]);
    await named(
      'ttl-security-there',
      /we send TTL 64 and the neighbour seems to check it \(GTSM\)/,
    );
  });

  test('TTL security here, an ordinary TTL there', async () => {
    await pair.bird(protocol());
    pair.speaker([bird({ ttl_security: 1 })], ['0.0.0.0']);
    await named('ttl-security-here', /TTL below 255 and is dropped \(TCPMinTTLDrop: \d+\)/);
  });

  test('its AS is not the one configured here', async () => {
    await pair.bird(protocol('passive;'));
    pair.speaker([bird({ as: 65010 })]);
    await named('as-mismatch', /configured as AS 65010 here .*65000/);
  });

  test('our AS is not the one configured there', async () => {
    await pair.bird(protocol('passive;'));
    pair.speaker([bird()], [], { as: 65002 });
    await named('as-mismatch', /we are AS 65002 and the neighbour expects another/);
  });

  test('both say that they are the customer', async () => {
    await pair.bird(protocol('local role customer; passive;'));
    pair.speaker([bird({ role: 'customer', role_strict: true })]);
    await named('role', /role mismatch/);
  });

  test('it takes fewer prefixes than we announce', async () => {
    const few = protocol('passive;').replace(
      'import all;',
      'import all; import limit 1 action disable;',
    );
    await pair.bird(few);
    const plans = ['198.18.80.80/32', '198.18.80.81/32', '198.18.80.82/32'];
    pair.speaker([bird()], [], {}, plans);
    await named('prefixes-there', /fewer prefixes than we announce: raise its limit/);
  });

  test('BFD is wanted here and not run there', async () => {
    await pair.bird(protocol('passive;'));
    const times = { transmit_ms: 100, receive_ms: 100, multiplier: 3 };
    pair.speaker([bird({ bfd: { multihop: false, ...times, auth: null, strict: true } })]);
    await named('bfd-down', /BFD is down, and the session waits for it: no packet has come/);
  });

  test('BFD has another key there', async () => {
    const key = 'authentication keyed sha1; password "another one" { id 1; };';
    const bfd = `protocol bfd { interface "them0" { interval 100 ms; ${key} }; }`;
    await pair.bird(bfd, protocol('passive; bfd on;'));
    const auth = { kind: 'sha1', key_id: 1, key_file: pair.key('bfd', 'one secret') } as const;
    const times = { transmit_ms: 100, receive_ms: 100, multiplier: 3 };
    pair.speaker([bird({ bfd: { multihop: false, ...times, auth, strict: true } })]);
    await named(
      'bfd-down',
      /its packets are discarded, \d+ so far \(the peer has another key\): compare keys/,
    );
  });

  test('nothing listens there', async () => {
    pair.speaker([bird()]);
    await named('nothing-listens', /nothing listens on 10\.9\.0\.2 port 179/);
  });

  test('nothing listens there, and a key is configured', async () => {
    pair.speaker([bird(KEYED())]);
    await named('nothing-listens', /nothing listens on 10\.9\.0\.2 port 179/);
  });

  test('no route', async () => {
    pair.speaker([bird({ address: '198.51.100.1' })]);
    await named('no-route', /no route to 198\.51\.100\.1: there is no route/);
  });

  test('nobody has the address', async () => {
    pair.speaker([bird({ address: '10.9.0.77' })]);
    await named('no-arp', /10\.9\.0\.77 does not answer ARP on us0/);
  });

  test('it does not know us', async () => {
    await pair.bird(protocol('passive;', '10.9.0.2', '10.9.0.99'));
    pair.speaker([bird()]);
    await named('not-known-there', /does not know us|rejects the connection/);
  });

  test('its operator has shut it down, with words', async () => {
    await pair.bird(protocol('passive;'));
    pair.speaker([bird()]);
    await pair.established();
    await pair.birdc('disable', 'site', '"new line card"');
    await pair.until('it is down', () => pair.line.bird?.status.state !== 'Established');
    const heard = (): Finding | undefined =>
      pair.line.bird?.why?.findings.find(({ code }) => code === 'shutdown');
    await pair.until('"shutdown" is named', () => heard() !== undefined);
    assert.match(heard()!.text, /was shut down: .*new line card/);
  });

  test('the interface is down', async () => {
    await pair.us.ip('link set dev us0 down');
    try {
      pair.speaker([bird({ interface: 'us0' })]);
      await named('interface-down', /us0 is down/);
    } finally {
      await pair.us.ip('link set dev us0 up');
    }
  });
});
