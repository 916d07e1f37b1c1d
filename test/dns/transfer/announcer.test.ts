import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VirtualClock } from '../../../src/base/clock.ts';
import { type Log, silentLog } from '../../../src/base/log.ts';
import { HealthWriter } from '../../../src/dns/health-table.ts';
import { makeSnapshot } from '../../../src/dns/snapshot.ts';
import { Announcer } from '../../../src/dns/transfer/announcer.ts';
import { type DatagramPort, Notifier } from '../../../src/dns/transfer/notifier.ts';
import { Keyring } from '../../../src/dns/transfer/signing.ts';
import type { Config } from '../../../src/model/config.ts';
import { formatHostPort, type HostPort } from '../../../src/net/ip.ts';
import { type TestConfig, withZones } from '../../support/config.ts';
import { readMessage } from '../../support/dns-query.ts';
import { geoOf, planOf, policyOf, zoneConfig } from '../../support/dns-zone.ts';
import { SECRETS, transferConfig } from '../../support/transfer.ts';
import { assertSigned, signatureOf } from '../../support/tsig.ts';

const PLAIN: HostPort = { address: '192.0.2.5', port: 53 };
const SIGNED: HostPort = { address: '2001:db8::5', port: 5300 };

interface Sent {
  readonly at: number;
  readonly to: string;
  readonly packet: Uint8Array;
}

class World implements DatagramPort {
  readonly clock = new VirtualClock(0, Date.UTC(2026, 5, 1));
  readonly sent: Sent[] = [];
  readonly warnings: object[] = [];
  readonly told: string[] = [];
  closed = false;
  #config: Config;
  #health: HealthWriter;
  readonly #announcer: Announcer;
  /** Called when a snapshot is in use, but not all threads answer from it. */
  whileSwapping = (): void => {};
  #arrive: (packet: Uint8Array, from: HostPort) => void = () => {};

  constructor(config: Config) {
    const log: Log = {
      ...silentLog,
      warn: (fields, text) => {
        this.warnings.push(fields);
        this.told.push(text);
      },
    };
    let id = 0;
    const notifier = new Notifier(this.clock, log, this, () => ++id);
    this.#announcer = new Announcer(this.clock, notifier);
    this.#config = config;
    this.#health = new HealthWriter(config.endpoints);
    this.#health.apply(planOf(config, () => true));
    this.#use();
  }

  send(packet: Uint8Array, to: HostPort): void {
    this.sent.push({ at: this.clock.now(), to: formatHostPort(to), packet });
  }

  receive(receiver: (packet: Uint8Array, from: HostPort) => void): void {
    this.#arrive = receiver;
  }

  close(): void {
    this.closed = true;
  }

  stop(): void {
    this.#announcer.close();
  }

  eligible(ids: (id: string) => boolean): void {
    this.#health.apply(planOf(this.#config, ids));
    this.#announcer.healthMoved();
  }

  reload(config: Config): void {
    this.#config = config;
    this.#health = new HealthWriter(config.endpoints, this.#health);
    this.#use();
  }

  /** A secondary's answer to a packet, changed as the test wants. */
  answer({ packet }: Sent, from: HostPort, change: (bytes: Uint8Array) => void = () => {}): void {
    const bytes = Uint8Array.from(packet);
    bytes[2] = bytes[2]! | 0x80;
    change(bytes);
    this.#arrive(bytes, from);
  }

  raw(packet: Uint8Array, from: HostPort): void {
    this.#arrive(packet, from);
  }

  #use(): void {
    const { buffer } = this.#health;
    const config = this.#config;
    const transfers = this.#announcer.transfers(config, SECRETS);
    const snapshot = makeSnapshot(config, geoOf(config), buffer, 1232, policyOf(config), transfers);
    this.#announcer.use(snapshot);
    this.whileSwapping();
    this.#announcer.announce();
  }
}

const notifying = (...notify: { address: HostPort; key: string | null }[]): TestConfig =>
  transferConfig({ notify });
const toPlain = (): TestConfig => notifying({ address: PLAIN, key: null });

const serialIn = ({ packet }: Sent): number =>
  Number(readMessage(packet).answers[0]!.text.split(' ')[2]);
/** Of the zone file, and seconds between 2026-01-01 and the start of the clock. */
const START_SERIAL = 7 + 151 * 86_400;

describe('NOTIFY (RFC 1996)', () => {
  test('is sent to each secondary at the start, with the SOA as it is served', () => {
    const world = new World(
      notifying({ address: PLAIN, key: null }, { address: SIGNED, key: 'transfer.key' }),
    );
    world.clock.advance(0);
    const to = world.sent.map((sent) => sent.to);
    assert.deepEqual(to, ['192.0.2.5:53', '[2001:db8::5]:5300']);
    for (const { packet } of world.sent) {
      const { flags, question, answers } = readMessage(packet);
      assert.equal(flags, 0x2400, 'opcode NOTIFY, AA, not a response');
      assert.equal(question, 'example.com. 6');
      assert.deepEqual(
        answers.map(({ name, type }) => [name, type]),
        [['example.com.', 6]],
      );
    }
    assert.equal(serialIn(world.sent[0]!), START_SERIAL);
    assert.equal(readMessage(world.sent[0]!.packet).additional.length, 0);
    assertSigned([world.sent[1]!.packet], SECRETS[0]!, null);
  });

  test('is repeated with growing pauses five times in all, then given up with a warning', () => {
    const world = new World(toPlain());
    world.clock.advance(120_000);
    const times = world.sent.map(({ at }) => at);
    assert.deepEqual(times, [0, 1_000, 3_000, 7_000, 15_000]);
    assert.equal(world.warnings.length, 1);
    assert.equal(world.clock.pending, 0);
  });

  test('an acknowledgement ends it, an error too', () => {
    for (const rcode of [0, 4]) {
      const world = new World(toPlain());
      world.clock.advance(1_500);
      world.answer(world.sent[1]!, PLAIN, (bytes) => {
        bytes[3] = rcode;
      });
      world.clock.advance(60_000);
      assert.equal(world.sent.length, 2);
      assert.equal(world.warnings.length, rcode === 0 ? 0 : 1);
    }
  });

  test('garbage, other ids, other senders and what is no answer change nothing', () => {
    const world = new World(toPlain());
    world.clock.advance(0);
    const sent = world.sent[0]!;
    world.raw(new Uint8Array(0), PLAIN);
    world.raw(new Uint8Array(700).fill(0xff), PLAIN);
    world.raw(sent.packet, PLAIN);
    world.answer(sent, { ...PLAIN, port: 54 });
    world.answer(sent, { ...PLAIN, address: '192.0.2.6' });
    world.answer(sent, PLAIN, (bytes) => {
      bytes[1] = bytes[1]! ^ 1;
    });
    world.answer(sent, PLAIN, (bytes) => {
      bytes[2] = 0x84; // opcode QUERY
    });
    world.answer(sent, PLAIN, (bytes) => {
      bytes[13] = bytes[13]! ^ 1; // another zone
    });
    world.clock.advance(120_000);
    assert.equal(world.sent.length, 5);
  });

  test('with a key, only an answer signed for the request counts', () => {
    const world = new World(notifying({ address: SIGNED, key: 'transfer.key' }));
    world.clock.advance(0);
    const sent = world.sent[0]!;
    const { message } = signatureOf(sent.packet);
    const unsigned = Uint8Array.from(message);
    unsigned[2] = unsigned[2]! | 0x80;
    world.raw(unsigned, SIGNED);
    world.answer(sent, SIGNED);
    world.clock.advance(1_000);
    assert.equal(world.sent.length, 2);
    const verdict = new Keyring(SECRETS).verify(
      world.sent[1]!.packet,
      Math.floor(world.clock.wall() / 1000),
    );
    assert.ok(verdict.kind === 'good');
    const good = verdict.signer.sign(unsigned, Math.floor(world.clock.wall() / 1000));
    world.raw(good, SIGNED);
    world.clock.advance(60_000);
    assert.equal(world.sent.length, 2);
  });

  test('with a key, it is told when what comes back is not signed with it', () => {
    for (const answers of [true, false]) {
      const world = new World(notifying({ address: SIGNED, key: 'transfer.key' }));
      world.clock.advance(0);
      const { message } = signatureOf(world.sent[0]!.packet);
      message[2] = message[2]! | 0x80;
      if (answers) world.raw(message, SIGNED);
      world.clock.advance(120_000);
      const [warning] = world.told;
      assert.match(warning!, answers ? /is not signed with the key/ : /does not answer/);
    }
  });

  test('many secondaries are told in bursts of 64', () => {
    const many = Array.from({ length: 150 }, (_, i) => ({
      address: { address: `198.18.0.${i}`, port: 53 },
      key: null,
    }));
    const world = new World(notifying(...many));
    const counts = [0, 100, 100].map((ms) => {
      world.clock.advance(ms);
      return world.sent.length;
    });
    assert.deepEqual(counts, [64, 128, 150]);
  });

  test('nobody waits for his turn for ever while the serial rises each second', () => {
    const many = Array.from({ length: 1500 }, (_, i) => ({
      address: { address: `198.18.${i >> 8}.${i & 255}`, port: 53 },
      key: null,
    }));
    const world = new World(notifying(...many));
    for (let i = 0; i < 40; i++) {
      world.eligible((id) => id !== 'fra-lb1/web' || i % 2 === 1);
      world.clock.advance(100);
    }
    assert.equal(new Set(world.sent.map(({ to }) => to)).size, many.length);
  });

  test('a reload that ends after the end tells nobody', () => {
    const world = new World(toPlain());
    world.clock.advance(0);
    world.whileSwapping = () => world.stop();
    world.reload(notifying({ address: SIGNED, key: null }));
    world.eligible(() => true);
    world.clock.advance(60_000);
    assert.deepEqual([world.sent.length, world.clock.pending], [1, 0]);
  });

  test('nothing is sent after the end', () => {
    const world = new World(toPlain());
    world.clock.advance(0);
    world.eligible(() => false);
    world.stop();
    world.clock.advance(60_000);
    assert.deepEqual([world.sent.length, world.closed, world.clock.pending], [1, true, 0]);
  });
});

describe('the serial rises', () => {
  /** Acknowledges whatever is sent, and tells the serials as they come. */
  const serialsOver = (world: World, ms: number): [number, number][] => {
    const first = world.sent.length;
    for (let left = ms; left > 0; left -= 100) {
      const seen = world.sent.length;
      world.clock.advance(100);
      for (const sent of world.sent.slice(seen)) world.answer(sent, PLAIN);
    }
    return world.sent.slice(first).map((sent) => [sent.at, serialIn(sent)]);
  };
  const quiet = (): World => {
    const world = new World(toPlain());
    serialsOver(world, 10_000);
    return world;
  };

  test('a second after the answers of a health-aware name have changed', () => {
    const world = quiet();
    world.eligible((id) => !id.startsWith('fra'));
    assert.deepEqual(serialsOver(world, 5_000), [[11_000, START_SERIAL + 11]]);
  });

  test('not when health changes that no answer in the default region shows', () => {
    const world = quiet();
    // www is nearest, backup prefers sin, weighted has only fra.
    world.eligible((id) => !id.startsWith('iad'));
    assert.deepEqual(serialsOver(world, 5_000), []);
  });

  test('also when the change was undone at once: a secondary may have copied it', () => {
    const world = quiet();
    world.eligible((id) => id !== 'fra-lb1/web');
    world.eligible(() => true);
    assert.deepEqual(serialsOver(world, 5_000), [[11_000, START_SERIAL + 11]]);
  });

  test('once a second at most while answers flap', () => {
    const world = quiet();
    const all: number[] = [];
    for (let i = 0; i < 30; i++) {
      world.eligible((id) => id !== 'fra-lb1/web' || i % 2 === 1);
      all.push(...serialsOver(world, 100).map(([at]) => at));
    }
    assert.deepEqual(all, [11_000, 12_000, 13_000]);
    assert.deepEqual(serialsOver(world, 5_000), []);
  });

  test('at a reload with another zone file or service, and not at one without', () => {
    const world = quiet();
    const config = toPlain();
    world.reload(config);
    assert.deepEqual(serialsOver(world, 5_000), []);

    const [zone, ...others] = config.zones;
    const [soa, ...records] = zone!.records;
    const rdata = Uint8Array.from(soa!.rdata);
    new DataView(rdata.buffer).setUint32(rdata.length - 20, 1007);
    const edited = { ...zone!, records: [{ ...soa!, rdata }, ...records] };
    const changed = withZones(config, [edited, ...others]);
    world.reload(changed);
    assert.deepEqual(serialsOver(world, 5_000), [[15_000, START_SERIAL + 1000]]);

    const services = config.services.map((service) => ({ ...service, ttl_s: 9 }));
    world.reload({ ...changed, services });
    assert.deepEqual(serialsOver(world, 5_000), [[21_000, START_SERIAL + 1000 + 21]]);
  });

  test('a change while a reload is under way is seen, and told when it is over', () => {
    const world = quiet();
    const known = world.sent.length;
    world.whileSwapping = () => {
      world.eligible((id) => !id.startsWith('fra'));
      world.clock.advance(2_000);
      assert.equal(world.sent.length, known);
    };
    world.reload(toPlain());
    assert.deepEqual(serialsOver(world, 5_000), [[12_000, START_SERIAL + 11]]);
  });

  test('a secondary that is no longer listed is left alone; a new one is told', () => {
    const world = new World(toPlain());
    world.clock.advance(0);
    world.reload(notifying({ address: SIGNED, key: null }));
    world.clock.advance(120_000);
    assert.deepEqual(
      world.sent.slice(1).map(({ to }) => to),
      Array.from({ length: 5 }, () => '[2001:db8::5]:5300'),
    );
  });

  test('a zone without health-aware names is announced with the serial of its file', () => {
    const config = transferConfig(
      { notify: [{ address: PLAIN, key: null }] },
      zoneConfig({ services: [] }),
    );
    const world = new World(config);
    world.clock.advance(0);
    assert.deepEqual(world.sent.map(serialIn), [7]);
  });
});
