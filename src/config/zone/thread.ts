/** Entry of the thread that reads zones whose files are large. */
import { serveThread } from '../../base/thread.ts';
import { readZone, type ZoneRequest } from './read.ts';

serveThread((requests: readonly ZoneRequest[]) => requests.map(readZone));
