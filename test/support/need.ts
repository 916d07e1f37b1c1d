/**
 * What a suite needs beyond Node. On a bare machine the suite is skipped with one clear line; with
 * CI=true a missing part is a failure, since CI installs everything (`lab/setup`).
 */
import process from 'node:process';
import { isThere } from '../../lab/tools.ts';

/**
 * For `describe(name, { skip: need('root', 'bird', 'nft') }, …)`: false when everything is there,
 * else the reason. "root" means user id 0; anything else is a program's name.
 */
export function need(...parts: string[]): string | false {
  const missing = parts.filter((part) =>
    part === 'root' ? process.getuid?.() !== 0 : !isThere(part),
  );
  if (missing.length === 0) return false;
  const reason = `needs ${missing.join(', ')} (lab/setup installs what Debian has)`;
  if (process.env.CI === 'true') throw new Error(`in CI nothing may be missing: ${reason}`);
  return reason;
}
