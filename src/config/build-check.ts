/** Checks, from a file that has no problems. */
import type { Check, CheckTiming, TextMatch, TlsTerms } from '../model/check.ts';
import { expectedRecord } from './check-probes.ts';
import { resolvePath } from './files.ts';
import type { CheckEntry } from './schema-check.ts';

function buildTiming(name: string, check: CheckEntry): CheckTiming {
  const { interval, interval_failing, timeout, rise, fall, jitter, source, source6 } = check;
  return {
    name,
    interval_ms: interval,
    interval_failing_ms: interval_failing ?? interval,
    timeout_ms: timeout,
    rise,
    fall,
    jitter,
    source4: source ?? null,
    source6: source6 ?? null,
  };
}

function buildMatch(contains: string | undefined, matches: string | undefined): TextMatch | null {
  if (contains === undefined && matches === undefined) return null;
  return { contains: contains ?? null, matches: matches ?? null };
}

type TlsEntry = Extract<CheckEntry, { kind: 'tls' }>;

function buildTls(
  check: Pick<TlsEntry, 'server_name' | 'verify' | 'ca_file' | 'certificate_days_min'>,
  dir: string,
): TlsTerms {
  const { server_name, verify, ca_file, certificate_days_min } = check;
  return {
    server_name: server_name ?? null,
    verify,
    ca_file: ca_file === undefined ? null : resolvePath(dir, ca_file),
    certificate_days_min: certificate_days_min ?? null,
  };
}

function buildHttp(check: Extract<CheckEntry, { kind: 'http' | 'https' }>) {
  const { method, path, host, headers, expect, body_contains, body_matches, body_max } = check;
  const statuses = expect.flatMap((each) => {
    const [from, to] = typeof each === 'number' ? [each, each] : each;
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return {
    method,
    path,
    host: host ?? null,
    headers,
    expect: [...new Set(statuses)],
    body: buildMatch(body_contains, body_matches),
    body_bytes_max: body_max,
  };
}

/** A program by its path is found from the deployment's directory, one by its name from PATH. */
function buildCommand([program, ...rest]: readonly string[], dir: string): string[] {
  return [program!.includes('/') ? resolvePath(dir, program!) : program!, ...rest];
}

/** `dir`: the deployment's directory, absolute. */
export function buildCheck(name: string, check: CheckEntry, dir: string): Check {
  const timing = buildTiming(name, check);
  const { kind } = check;
  switch (kind) {
    case 'http':
      return { ...timing, kind, ...buildHttp(check) };
    case 'https':
      return { ...timing, kind, ...buildHttp(check), ...buildTls(check, dir) };
    case 'tcp': {
      const { send, expect_contains, expect_matches, read_max: read_bytes_max } = check;
      return {
        ...timing,
        kind,
        send,
        expect: buildMatch(expect_contains, expect_matches),
        read_bytes_max,
      };
    }
    case 'tls':
      return { ...timing, kind, ...buildTls(check, dir) };
    case 'dns': {
      const { transport, name: question, type, rcode } = check;
      const answers = check.answers.map((answer) => expectedRecord(type, answer)!);
      return { ...timing, kind, transport, question, type, rcode, answers };
    }
    case 'icmp':
      return { ...timing, kind };
    case 'grpc': {
      const { service, host, tls } = check;
      return {
        ...timing,
        kind,
        service,
        host: host ?? null,
        tls: tls ? buildTls(check, dir) : null,
      };
    }
    case 'command':
      return { ...timing, kind, command: buildCommand(check.command, dir) };
  }
}

/** The port that is probed; 0 for a kind of check that has none. */
export function portOf(check: CheckEntry): number {
  return check.kind === 'icmp' ? 0 : (check.port ?? 0);
}
