/**
 * `npm start -- --exercise`: the seven things that isobar is for, done to the running demo and
 * judged from outside only: by DNS answers, by routes at the BGP collector, by HTTP requests.
 *
 * Must hold: every row of the table was seen, not assumed; a step that fails ends the exercise,
 * because what comes after it would be judged on a scene that is not as it should be.
 */
import type { SiteEvent } from '../../model/event.ts';
import { record, type Scene, type Step, Stopped } from './outside.ts';
import { FAILURE_STEPS } from './steps-failure.ts';
import { OPERATION_STEPS } from './steps-operation.ts';
import { type Row, tableHead, tableRow } from './table.ts';

/** Events of a failed step that are shown for finding out why. */
const EVENTS_SHOWN = 20;

const STEPS: readonly Step[] = [...FAILURE_STEPS, ...OPERATION_STEPS];

/** Plays all steps; true if every row is as expected. `print` gets whole lines. */
export async function runExercise(scene: Scene, print: (text: string) => void): Promise<boolean> {
  const started = scene.clock.now();
  print(tableHead());
  for (const [index, step] of STEPS.entries()) {
    const events = record(scene.events);
    const ok = await playStep(scene, `${index + 1} ${step.title}`, step, print);
    events.stop();
    if (ok) continue;
    print(`\nstep ${index + 1} failed; the last events of it were:`);
    for (const event of events.all.slice(-EVENTS_SHOWN)) print(`  ${brief(event, started)}`);
    return false;
  }
  const seconds = ((scene.clock.now() - started) / 1_000).toFixed(1);
  print(`\nall ${STEPS.length} steps as expected, in ${seconds} s`);
  return true;
}

async function playStep(
  scene: Scene,
  title: string,
  step: Step,
  print: (text: string) => void,
): Promise<boolean> {
  const rows: Row[] = [];
  const add = (row: Omit<Row, 'step'>): void => {
    rows.push({ step: rows.length === 0 ? title : '', ...row });
    print(tableRow(rows.at(-1)!));
  };
  const region = 0;
  const victim = scene.config.sites[scene.config.regions[region]!.order[0]!]!.name;
  try {
    await step.play({
      scene,
      victim,
      region,
      check: (ok, expected, seen, ms = null) => add({ ok, expected, seen, ms }),
    });
  } catch (error) {
    if (error instanceof Stopped) throw error;
    const { message } = error as Error;
    add({ ok: false, expected: 'no error', seen: message, ms: null });
  }
  return rows.length > 0 && rows.every((row) => row.ok);
}

function brief(event: SiteEvent, started: number): string {
  const seconds = ((event.at_ms - started) / 1_000).toFixed(3);
  const why = event.reason ? ` (${event.reason.text})` : '';
  return `${seconds} s ${event.site} ${event.kind} ${event.subject}: ${event.text}${why}`;
}
