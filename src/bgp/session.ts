/**
 * One Established session: pulls UPDATEs from the Adj-RIB-Out while the socket takes them, answers
 * route refreshes, hands received routes on, and keeps the guard's copy of the withdrawals true.
 * It lives from Established to the close of its connection.
 */
import { networkInterfaces } from 'node:os';
import type { Log } from '../base/log.ts';
import { formatAddress, formatHostPort, parseAddress, unmapAddress } from '../net/ip.ts';
import type { AdjRibOut } from './adj-rib-out.ts';
import type { Slot } from './fsm-model.ts';
import type { Link } from './link.ts';
import { outSession } from './next-hop.ts';
import type { Agreement } from './open-check.ts';
import type { OutSession } from './out-form.ts';
import type { PeerRecord, SessionEnds } from './peer-record.ts';
import type { PeerSettings } from './peer-settings.ts';
import type { Guard, GuardedSession } from './ports.ts';
import type { RestartHelper } from './restart-helper.ts';
import { AFI, REFRESH, SAFI } from './wire/codes.ts';
import type { Message, RouteRefresh } from './wire/message.ts';

export interface SessionParts {
  readonly slot: Slot;
  readonly link: Link;
  readonly agreement: Agreement;
  readonly rib: AdjRibOut;
  readonly helper: RestartHelper | null;
  readonly record: PeerRecord;
  readonly guard: Guard | null;
  readonly log: Log;
  readonly send: (message: Message) => void;
}

function endText(address = '', port = 0): string {
  const parsed = parseAddress(address);
  const text = parsed ? formatAddress(unmapAddress(parsed)) : address;
  return formatHostPort({ address: text, port });
}

const familyOf = ({ afi, safi }: RouteRefresh): 4 | 6 | null => {
  if (safi !== SAFI.UNICAST) return null;
  return afi === AFI.IPV4 ? 4 : afi === AFI.IPV6 ? 6 : null;
};

export class Session {
  readonly slot: Slot;
  readonly link: Link;
  readonly agreement: Agreement;
  readonly #parts: SessionParts;
  #settings: PeerSettings;
  readonly #guarded: GuardedSession | null;
  /** True until the initial table has been written. */
  #initial = true;
  /** Families that are being told again, since the peer has asked. */
  readonly #refreshing = new Set<4 | 6>();
  /** True while the guard does not know yet what was written. */
  #behind = false;
  #closed = false;

  constructor(parts: SessionParts, settings: PeerSettings) {
    this.slot = parts.slot;
    this.link = parts.link;
    this.agreement = parts.agreement;
    this.#parts = parts;
    this.#settings = settings;
    parts.rib.open(this.#outSession());
    this.#guarded = parts.guard?.protect(parts.link.socket, () => this.#fired()) ?? null;
  }

  /** For people. */
  get ends(): SessionEnds {
    const { localAddress, localPort, remoteAddress, remotePort } = this.link.socket;
    return {
      agreement: this.agreement,
      local: endText(localAddress, localPort),
      remote: endText(remoteAddress, remotePort),
      dialled_by: this.slot === 'out' ? 'us' : 'peer',
      guarded: this.#guarded !== null,
    };
  }

  /** Writes UPDATEs while the socket takes them; to be called again when it has drained. */
  pump(): void {
    const { rib, link, record } = this.#parts;
    let wrote = false;
    while (!link.full) {
      const bytes = rib.next();
      if (!bytes) {
        this.#complete();
        break;
      }
      link.send(bytes);
      record.sentUpdate();
      wrote = true;
    }
    if (wrote && !this.#behind) {
      // Not at once: the other neighbours are told first. Until then the guard must not begin a message.
      this.#behind = true;
      queueMicrotask(() => this.#catchUp());
    }
  }

  /** Before anything is written: the guard must not begin a message while we do. */
  sending(): void {
    this.#guarded?.mark(false);
  }

  /** After a message that changes no route: tells the guard whether it can begin one. */
  sent(): void {
    if (!this.#behind) this.#guarded?.mark(this.link.clean);
  }

  /** Tells the guard what there is to withdraw now, and whether it can begin a message. */
  #catchUp(): void {
    this.#behind = false;
    if (!this.#closed) this.#guarded?.update(this.#parts.rib.withdrawals(), this.link.clean);
  }

  /** All that was pending is written. */
  #complete(): void {
    for (const family of this.#refreshing) {
      // RFC 7313 §4.1: a refresh does not begin before the End-of-RIB of the initial table.
      if (this.#initial) this.#begin(family);
      else this.#mark(family, REFRESH.END);
    }
    const waited = this.#initial && this.#refreshing.size > 0;
    this.#initial = false;
    if (waited) this.pump();
    else this.#refreshing.clear();
  }

  #begin(family: 4 | 6): void {
    this.#mark(family, REFRESH.BEGIN);
    this.#parts.rib.refresh(family);
  }

  #mark(family: 4 | 6, subtype: number): void {
    if (this.agreement.refresh !== 'enhanced') return;
    const afi = family === 4 ? AFI.IPV4 : AFI.IPV6;
    this.#parts.send({ type: 'route-refresh', refresh: { afi, subtype, safi: SAFI.UNICAST } });
  }

  refresh(refresh: RouteRefresh): void {
    const family = familyOf(refresh);
    // RFC 7313 §5: what was not agreed on is ignored.
    if (family === null || !(family === 4 ? this.agreement.ipv4 : this.agreement.ipv6)) return;
    const enhanced = this.agreement.refresh === 'enhanced';
    if (refresh.subtype === REFRESH.REQUEST) {
      // Of many requests in a row each is answered by the end of the same refresh.
      const begun = this.#refreshing.has(family);
      this.#refreshing.add(family);
      if (this.#initial) return;
      if (begun) this.#parts.rib.refresh(family);
      else this.#begin(family);
      this.pump();
    } else if (enhanced && refresh.subtype === REFRESH.BEGIN) {
      this.#parts.helper?.begin(family);
    } else if (enhanced && refresh.subtype === REFRESH.END) {
      this.#parts.helper?.complete(family);
    }
  }

  /** Asks the peer to tell all of its routes again; nothing where it cannot. */
  ask(): void {
    if (this.agreement.refresh === 'none') return;
    for (const [afi, agreed] of [
      [AFI.IPV4, this.agreement.ipv4],
      [AFI.IPV6, this.agreement.ipv6],
    ] as const) {
      if (!agreed) continue;
      const refresh = { afi, subtype: REFRESH.REQUEST, safi: SAFI.UNICAST };
      this.#parts.send({ type: 'route-refresh', refresh });
    }
  }

  /** Settings that need no new session. */
  update(settings: PeerSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    const { next_hop, next_hop6 } = settings;
    if (next_hop === before.next_hop && next_hop6 === before.next_hop6) return;
    this.#parts.rib.update(this.#outSession());
    this.pump();
  }

  close(): void {
    this.#closed = true;
    this.#guarded?.release();
    this.#parts.rib.close();
  }

  /** The guard has withdrawn everything meanwhile: the peer has nothing from us and is told anew. */
  #fired(): void {
    const { rib, log } = this.#parts;
    log.error({ peer: this.#settings.name }, 'the guard had withdrawn every route');
    rib.open(this.#outSession());
    this.pump();
  }

  #outSession(): OutSession {
    const { localAddress: local, remoteAddress: remote } = this.link.socket;
    const parts = { settings: this.#settings, agreement: this.agreement, local, remote };
    return outSession(parts, networkInterfaces());
  }
}
