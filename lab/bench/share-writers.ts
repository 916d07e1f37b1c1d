/**
 * The sites of `bench -- share` that are only simulated: each writes its report once a second, as its
 * agent would. Run with the deployment's folder, the scene as JSON and the number of the first of these
 * sites.
 */
import process from 'node:process';
import { SystemClock } from '../../src/base/clock.ts';
import { quietReport, type ShareScene } from './share-scene.ts';
import { configIn, storeFor } from './share-store.ts';

const [, , dir, text, from] = process.argv;
const scene = JSON.parse(text!) as ShareScene;
const first = Number(from);
const INTERVAL_MS = 1_000;

// One connection for all of them, and nothing that is read: only what they write is of interest.
const store = storeFor(await configIn(dir!), new SystemClock(), false);
const writing = scene.sites - first;
let sequence = 0;

/** One site after the other, spread over the second: the store keeps one report to write at a time. */
setInterval(() => {
  store.publish(quietReport(scene, first + (sequence % writing), ++sequence));
}, INTERVAL_MS / writing);
