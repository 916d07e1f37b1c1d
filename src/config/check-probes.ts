/** Values of one check that are each possible but not together. */
import { canonicalAddress } from '../net/ip.ts';
import { patternBytesMax } from '../observe/text-match.ts';
import type { Path } from './document.ts';
import { mentions, type YamlFile } from './parse.ts';
import type { CheckEntry } from './schema-check.ts';
import type { DeploymentFile } from './schema-deployment.ts';
import { formatDuration, formatSize, HOST } from './values.ts';

type Report = (path: Path, message: string) => void;

const TLS_KEYS = ['server_name', 'verify', 'ca_file', 'certificate_days_min'] as const;

export function checkProbes(
  file: YamlFile<DeploymentFile>,
  checks: DeploymentFile['checks'],
  report: Report,
): void {
  for (const [name, check] of Object.entries(checks)) {
    if ('of' in check) continue;
    const at = (...path: Path): Path => ['checks', name, ...path];
    checkTimes(check, (key, message) => report(at(key), message));
    if (check.kind === 'dns') checkAnswers(check, (path, message) => report(at(...path), message));
    if (check.kind === 'http' || check.kind === 'https') {
      const { body_matches, body_max } = check;
      checkPattern(body_matches, body_max, (why) => {
        report(at('body_matches'), `${why}, or lower body_max`);
      });
      const key = check.body_contains === undefined ? 'body_matches' : 'body_contains';
      if (check.method === 'HEAD' && check[key] !== undefined) {
        report(at(key), 'an answer to HEAD has no body: write another method, or remove this');
      }
    }
    if (check.kind === 'tcp') {
      const { send, expect_contains, expect_matches, read_max } = check;
      checkPattern(expect_matches, read_max, (why) => {
        report(at('expect_matches'), `${why}, or lower read_max`);
      });
      if (send !== '' && expect_contains === undefined && expect_matches === undefined) {
        const message = 'what is sent changes nothing without an expected answer';
        report(at('send'), `${message}: add expect_contains or expect_matches`);
      }
    }
    if (check.kind !== 'grpc' || check.tls) continue;
    for (const key of TLS_KEYS) {
      if (!mentions(file, 'checks', name, key)) continue;
      report(at(key), 'this is only for TLS: write tls: true, or remove it');
    }
  }
}

function checkTimes(check: CheckEntry, report: (key: string, message: string) => void): void {
  const { interval, interval_failing = interval, timeout } = check;
  if (timeout <= interval && timeout <= interval_failing) return;
  const key = interval_failing < interval ? 'interval_failing' : 'interval';
  const least = formatDuration(Math.min(interval, interval_failing));
  report('timeout', `the timeout is above the ${key}: write at most ${least}, or raise the ${key}`);
}

function checkPattern(
  source: string | undefined,
  text_bytes_max: number,
  report: (why: string) => void,
): void {
  if (source === undefined) return;
  const most = Math.floor(patternBytesMax(source) / 1_000) * 1_000;
  if (text_bytes_max <= most) return;
  const sizes = `${formatSize(text_bytes_max)} of text: it is small enough for ${formatSize(most)}`;
  report(`this expression is too large for ${sizes}; write lower counts or fewer characters`);
}

type DnsEntry = Extract<CheckEntry, { kind: 'dns' }>;

const WANTED: Readonly<Record<DnsEntry['type'], string>> = {
  A: 'an IPv4 address',
  AAAA: 'an IPv6 address',
  NS: 'the name of a name server',
  SOA: 'the name of the primary server',
  CNAME: 'a name',
  MX: 'a preference and a name, such as "10 mail.example.com"',
  TXT: 'a text',
  PTR: 'a name',
};

/** An expected record in canonical form; null if it is none of that type. */
export function expectedRecord(type: DnsEntry['type'], text: string): string | null {
  if (type === 'TXT') return text;
  if (type === 'A' || type === 'AAAA') {
    return text.includes(':') === (type === 'AAAA') ? canonicalAddress(text) : null;
  }
  const mx = /^([0-9]{1,5}) +(\S+)$/.exec(text);
  const name = type === 'MX' ? mx?.[2] : text;
  if (name === undefined || !HOST.test(name)) return null;
  const canonical = name.toLowerCase().replace(/\.$/, '');
  return type === 'MX' ? `${Number(mx![1])} ${canonical}` : canonical;
}

function checkAnswers(check: DnsEntry, report: (path: Path, message: string) => void): void {
  check.answers.forEach((answer, i) => {
    if (expectedRecord(check.type, answer) !== null) return;
    report(['answers', i], `"${answer}" is no ${check.type} record: write ${WANTED[check.type]}`);
  });
  if (check.rcode !== 'NOERROR' && check.answers.length > 0) {
    report(['answers'], `no answers come with ${check.rcode}: remove one of the two`);
  }
}
