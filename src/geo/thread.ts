/** Entry of the thread that makes a large geo map. */
import { serveThread } from '../base/thread.ts';
import { makeTables } from './load.ts';

serveThread(makeTables);
