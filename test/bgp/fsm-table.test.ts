/** The session FSM does what the table of all states and events of RFC 4271 §8 says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Action, Slot } from '../../src/bgp/fsm-model.ts';
import { Bench, KEEPALIVE, SETTINGS } from '../support/fsm-bench.ts';
import { COLUMNS, type Column, TABLE } from '../support/fsm-table.ts';

/** A machine in that state, over the connection `slot`. */
function inState(column: Column, { passive = false, second = false }): [Bench, Slot] {
  const held = column.endsWith('held back');
  const bench = new Bench({ ...SETTINGS, passive, delay_open_ms: held ? 1_000 : 0 });
  const slot = second || passive || column === 'Active, OPEN held back' ? 'in' : 'out';
  const start = (): void => bench.on({ on: 'start' });
  const connection = (): void => {
    start();
    if (column === 'Active, OPEN held back' && !passive) bench.on({ on: 'tcp-failed' });
    bench.on({ on: slot === 'in' ? 'tcp-accepted' : 'tcp-connected' });
  };
  switch (column) {
    case 'Idle':
      break;
    case 'Idle, waiting':
      connection();
      bench.message(slot, KEEPALIVE);
      if (second) {
        bench.on({ on: 'tcp-connected' });
        bench.message('out', KEEPALIVE);
      }
      break;
    case 'Connect':
      start();
      break;
    case 'Active':
      start();
      if (!passive) bench.on({ on: 'tcp-failed' });
      break;
    case 'Connect, OPEN held back':
    case 'Active, OPEN held back':
    case 'OpenSent':
      connection();
      break;
    case 'OpenConfirm':
      connection();
      bench.open(slot);
      break;
    case 'Established':
      connection();
      bench.open(slot);
      bench.message(slot, KEEPALIVE);
      break;
  }
  return [bench, slot];
}

/** What the next event does, in the words of the table; timers by their names without the slot. */
function observe(bench: Bench, raise: () => void): string {
  const running = new Set(bench.timers.keys());
  const from = bench.actions.length;
  raise();
  const done = bench.actions.slice(from).flatMap((action) => actionText(action, running));
  return [bench.session, ...done].join(' ');
}

function actionText(action: Action, running: Set<string>): string[] {
  switch (action.do) {
    case 'start-timer':
      running.add(action.timer);
      return [`+${action.timer.replace(/-(out|in)$/, '')}`];
    case 'stop-timer':
      return running.delete(action.timer) ? [`-${action.timer.replace(/-(out|in)$/, '')}`] : [];
    case 'send': {
      const { message } = action;
      if (message.type !== 'notification') return [message.type.toUpperCase()];
      return [`${message.notification.code}/${message.notification.subcode}`];
    }
    default:
      return [action.do];
  }
}

describe('every pair of state and event of RFC 4271 §8', () => {
  test('the table has all of them', () => {
    const events = TABLE.map(({ event }) => event);
    assert.deepEqual(
      events,
      Array.from({ length: 28 }, (_, i) => i + 1),
    );
  });

  for (const row of TABLE) {
    for (const column of COLUMNS) {
      const cell = row.cells[column] ?? '-';
      test(`${row.event} ${row.name} in ${column}`, () => {
        if (cell === '-') assert.ok(row.why, 'says why it cannot happen');
        const { raise } = row;
        if (!raise || cell.startsWith('see ')) return;
        const [bench, slot] = inState(column, row);
        const before = bench.session;
        assert.equal(
          observe(bench, () => raise(bench, slot)),
          cell === '-' ? before : cell,
        );
      });
    }
  }
});
