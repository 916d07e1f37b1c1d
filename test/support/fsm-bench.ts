/** One session FSM on a virtual clock, for tests that say what happens to it. */
import assert from 'node:assert/strict';
import { type Timer, VirtualClock } from '../../src/base/clock.ts';
import { step } from '../../src/bgp/fsm.ts';
import {
  type Action,
  type FsmEvent,
  type FsmSettings,
  type FsmTimer,
  initialState,
  type Slot,
  sessionState,
} from '../../src/bgp/fsm-model.ts';
import { ourOpen } from '../../src/bgp/open-check.ts';
import type { Message } from '../../src/bgp/wire/message.ts';
import type { Open } from '../../src/bgp/wire/open.ts';
import type { BfdSettings } from '../../src/model/bgp.ts';
import { neighbor } from './bgp.ts';

export const SETTINGS: FsmSettings = {
  ...neighbor({ address: '192.0.2.2', port: 179 }),
  local_as: 65001,
  router_id: 0x0a000001,
  remote_as: 65002,
  connect_retry_ms: 5_000,
  idle_hold_max_ms: 5_000,
};
export const STRICT_BFD: BfdSettings = {
  multihop: false,
  transmit_ms: 300,
  receive_ms: 300,
  multiplier: 3,
  auth: null,
  strict: true,
};
export const MIRRORED: FsmSettings = {
  ...SETTINGS,
  local_as: 65002,
  router_id: 0x0a000002,
  remote_as: 65001,
};
export const KEEPALIVE: Message = { type: 'keepalive' };
export const UPDATE: Message = {
  type: 'update',
  update: { withdrawn: [], announced: [], attributes: {} },
};

/** One FSM with its timers on a virtual clock; what it asks for is written down. */
export class Bench {
  readonly clock: VirtualClock;
  readonly timers = new Map<FsmTimer, Timer>();
  readonly sent: { at: number; slot: Slot; message: Message }[] = [];
  readonly actions: Action[] = [];
  state;
  chance = 0.999999;
  onAction: (action: Action) => void = () => {};

  constructor(settings = SETTINGS, clock = new VirtualClock()) {
    this.clock = clock;
    this.state = initialState(settings);
  }

  on(event: FsmEvent): void {
    const { state, actions } = step(this.state, event, this.clock.now(), this.chance);
    this.state = state;
    for (const action of actions) {
      this.actions.push(action);
      if (action.do === 'start-timer' || action.do === 'stop-timer') {
        this.timers.get(action.timer)?.cancel();
        this.timers.delete(action.timer);
      }
      if (action.do === 'start-timer') {
        const { timer, ms } = action;
        const fire = (): void => {
          this.timers.delete(timer);
          this.on({ on: 'timer', timer });
        };
        this.timers.set(timer, this.clock.timer(ms, fire));
      }
      if (action.do === 'send') {
        this.sent.push({ at: this.clock.now(), slot: action.slot, message: action.message });
      }
      this.onAction(action);
    }
  }

  message(slot: Slot, message: Message): void {
    this.on({ on: 'message', slot, message, fault: null, at_ms: this.clock.now() });
  }

  open(slot: Slot, changes: Partial<Open> = {}): void {
    this.message(slot, { type: 'open', open: { ...ourOpen(MIRRORED), ...changes } });
  }

  /** Dials and goes all the way up. */
  establish(): void {
    this.on({ on: 'start' });
    this.on({ on: 'tcp-connected' });
    this.open('out');
    this.message('out', KEEPALIVE);
    assert.equal(this.session, 'Established');
  }

  get session(): string {
    return sessionState(this.state);
  }

  /** "code/subcode" of the NOTIFICATIONs sent, with their slots. */
  get notifications(): string[] {
    return this.sent.flatMap(({ slot, message }) =>
      message.type === 'notification'
        ? [`${slot} ${message.notification.code}/${message.notification.subcode}`]
        : [],
    );
  }

  dials(): number {
    return this.actions.filter((action) => action.do === 'dial').length;
  }
}
