/**
 * Tells secondaries of new serials: keeps one NOTIFY state (notify.ts) for each pair of zone and
 * secondary, and carries out what it says. What secondaries send back is only ever an end to the
 * telling; garbage, and answers from others, are dropped.
 */
import { randomInt } from 'node:crypto';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { formatHostPort, type HostPort } from '../../net/ip.ts';
import { RCODE } from '../wire/codes.ts';
import type { Message } from '../wire/message.ts';
import { lowerName } from '../wire/name.ts';
import {
  type NotifyEvent,
  type NotifyState,
  notifyMessage,
  readNotifyAnswer,
  step,
} from './notify.ts';
import { Keyring } from './signing.ts';
import type { PlainRecord } from './source.ts';

/** Secondaries told at once; the next so many follow after the pause. */
export const BURST_MAX = 64;
const BURST_PAUSE_MS = 100;

/** How packets leave and arrive; the implementation over the kernel's sockets is NotifySocket. */
export interface DatagramPort {
  send(packet: Uint8Array, to: HostPort): void;
  /** At most one receiver. */
  receive(receiver: (packet: Uint8Array, from: HostPort) => void): void;
  close(): void;
}

/** One secondary to be told of one zone. */
export interface Notice {
  readonly zone: string;
  readonly address: HostPort;
  /** Name of the key to sign with; null: not signed. */
  readonly key: string | null;
  /** As it is served now. */
  readonly soa: PlainRecord;
  readonly serial: number;
}

interface Secondary {
  notice: Notice;
  state: NotifyState;
  timer: Timer | null;
  /** MAC of the last packet sent; null: it was not signed. */
  mac: Uint8Array | null;
  /** The last answer was not rightly signed: the secondary may have another secret. */
  doubted: boolean;
}

export class Notifier {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #port: DatagramPort;
  readonly #id: () => number;
  #keys = new Keyring([]);
  readonly #secondaries = new Map<string, Secondary>();

  /** `id` gives message ids, which nobody else should be able to guess. */
  constructor(
    clock: Clock,
    log: Log,
    port: DatagramPort,
    id: () => number = () => randomInt(0x10000),
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#port = port;
    this.#id = id;
    port.receive((packet, from) => this.#received(packet, from));
  }

  /**
   * Takes all that secondaries are to know: who has been told of this serial, or is being told, is
   * left alone; who is no longer listed is forgotten.
   */
  use(notices: readonly Notice[], keys: Keyring): void {
    this.#keys = keys;
    const listed = new Set(notices.map(nameOf));
    for (const [name, { timer }] of this.#secondaries) {
      if (listed.has(name)) continue;
      timer?.cancel();
      this.#secondaries.delete(name);
    }
    let fresh = 0;
    for (const notice of notices) {
      const known = this.#secondaries.get(nameOf(notice));
      if (known && known.notice.serial === notice.serial) continue;
      const secondary = known ?? { notice, state: null, timer: null, mac: null, doubted: false };
      secondary.notice = notice;
      secondary.doubted = false;
      this.#secondaries.set(nameOf(notice), secondary);
      const delay_ms = Math.floor(fresh++ / BURST_MAX) * BURST_PAUSE_MS;
      const { serial } = notice;
      this.#step(secondary, { kind: 'risen', serial, id: this.#id(), delay_ms });
    }
  }

  close(): void {
    for (const { timer } of this.#secondaries.values()) timer?.cancel();
    this.#secondaries.clear();
    this.#port.close();
  }

  #step(secondary: Secondary, event: NotifyEvent): void {
    const [state, effects] = step(secondary.state, event);
    secondary.state = state;
    for (const effect of effects) {
      if (effect.kind === 'send') this.#send(secondary, effect.id);
      else if (effect.kind === 'ended') this.#ended(secondary, effect.rcode);
      else {
        secondary.timer?.cancel();
        secondary.timer = null;
        if (effect.kind === 'stop-waiting') continue;
        secondary.timer = this.#clock.timer(effect.ms, () => this.#step(secondary, TIMER));
      }
    }
  }

  #send(secondary: Secondary, id: number): void {
    const { key, soa, address } = secondary.notice;
    const message = notifyMessage(id, soa);
    const signer = key === null ? null : this.#keys.begin(key);
    const packet = signer ? signer.sign(message, this.#now_s()) : message;
    secondary.mac = signer ? signer.mac : null;
    this.#port.send(packet, address);
  }

  /** Anyone can send packets here: nothing is decoded but what may be an answer that is waited for. */
  #received(packet: Uint8Array, from: HostPort): void {
    if (packet.length < 2) return;
    const id = (packet[0]! << 8) | packet[1]!;
    for (const secondary of this.#secondaries.values()) {
      const { notice, state, mac } = secondary;
      if (state?.id !== id || formatHostPort(notice.address) !== formatHostPort(from)) continue;
      const answer = readNotifyAnswer(packet);
      if (!answer || !isAbout(answer, notice)) continue;
      const { key } = notice;
      const verified =
        key === null || mac === null || this.#keys.answered(key, packet, mac, this.#now_s());
      secondary.doubted = !verified;
      if (!verified) continue;
      this.#step(secondary, { kind: 'answered', id, rcode: answer.rcode });
      return;
    }
  }

  #ended({ notice, doubted }: Secondary, rcode: number | null): void {
    const { zone, address, serial } = notice;
    const fields = { zone, secondary: formatHostPort(address), serial };
    if (rcode === RCODE.NOERROR) this.#log.debug(fields, 'the secondary knows the new serial');
    else if (rcode !== null) this.#log.warn({ ...fields, rcode }, 'the secondary refuses NOTIFY');
    else if (!doubted) this.#log.warn(fields, 'the secondary does not answer NOTIFY');
    else this.#log.warn(fields, 'what the secondary answers to NOTIFY is not signed with the key');
  }

  #now_s(): number {
    return Math.floor(this.#clock.wall() / 1000);
  }
}

const TIMER = { kind: 'timer' } as const;

/** RFC 1996 §3.7: an answer repeats the question. */
function isAbout({ questions }: Message, { soa }: Notice): boolean {
  const [question] = questions;
  return question !== undefined && Buffer.compare(lowerName(question.name), soa.owner) === 0;
}

function nameOf({ zone, address, key }: Notice): string {
  return `${zone} ${formatHostPort(address)} ${key ?? ''}`;
}
