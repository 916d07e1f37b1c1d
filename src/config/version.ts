/** Which commit a deployment's directory is at, for display; the configuration itself is its files. */
import { execFile } from 'node:child_process';
import process from 'node:process';

const GIT_TIMEOUT_MS = 2000;

/**
 * The commit that is checked out in `dir`, abbreviated, with "-dirty" if tracked files differ from
 * it. Null if there is no git, no work tree, no commit, or no answer in time.
 */
export function configVersion(dir: string): Promise<string | null> {
  // Nothing in the arguments comes from outside, and a monitor program that the work tree's own
  // settings may name is not started.
  const describe = ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'];
  const args = ['-c', 'core.fsmonitor=false', ...describe];
  const env = { PATH: process.env.PATH, LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0' };
  const options = { cwd: dir, env, timeout: GIT_TIMEOUT_MS, maxBuffer: 4096 };
  return new Promise((resolve) => {
    execFile('git', args, options, (error, stdout) => {
      const text = stdout.trim();
      resolve(!error && /^[0-9a-f]{7,64}(-dirty)?$/.test(text) ? text : null);
    });
  });
}
