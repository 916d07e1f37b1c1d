/** What lies in the files that `store` names, read anew for each connection to a Redis server. */
import { err, ok, type Result } from '../base/result.ts';
import type { RedisServerConfig } from '../model/config.ts';
import type { RedisSecrets } from '../share/redis-connector.ts';
import { readText } from './files.ts';
import { readSecret } from './load.ts';

/** A bundle with the authorities of a whole system. */
const PEM_BYTES_MAX = 4_194_304;

/** The error names the file. */
export async function readRedisSecrets(
  server: RedisServerConfig,
): Promise<Result<RedisSecrets, string>> {
  const problems: string[] = [];
  const read = async (
    file: string | null | undefined,
    reader: (path: string) => Promise<Result<string, string>>,
  ): Promise<string | null> => {
    if (file === null || file === undefined) return null;
    const text = await reader(file);
    if (text.ok) return text.value;
    problems.push(`${file}: ${text.error}`);
    return null;
  };
  const pem = (path: string): Promise<Result<string, string>> => readText(path, PEM_BYTES_MAX);
  const { tls } = server;
  const secrets = {
    password: await read(server.password_file, readSecret),
    sentinel_password: await read(server.sentinel_password_file, readSecret),
    ca: await read(tls?.ca_file, pem),
    certificate: await read(tls?.certificate, pem),
    key: await read(tls?.key, pem),
  };
  return problems.length === 0 ? ok(secrets) : err(problems[0]!);
}
