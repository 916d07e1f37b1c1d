/** Calls into the rooms: one that fails is logged, and never stops the others. */
import type { Log } from '../base/log.ts';

/** False if it failed. */
export async function contain(
  log: Log,
  room: string,
  work: () => Promise<void> | undefined,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    log.error({ room, error: String(error) }, 'a room failed');
    return false;
  }
}

/** As `contain`, for what takes effect before it returns. */
export function act(log: Log, room: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.error({ room, error: String(error) }, 'a room failed');
  }
}
