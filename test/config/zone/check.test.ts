import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err } from '../../../src/base/result.ts';
import { readZoneFile } from '../../support/zone-file.ts';

function complain(text: string, origin = 'example.com', services: string[] = []): string[] {
  const readInclude = () => err('no files here');
  const { problems } = readZoneFile({ file: 'z', text, origin, services, readInclude });
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

/** Problems of a good zone with `body` from line 5 on. */
function bodyProblems(body: string, services: string[] = []): string[] {
  const head = '$TTL 1h\n@ SOA ns1 h 1 1h 1h 1w 60\n@ NS ns1\nns1 A 192.0.2.53\n';
  return complain(head + body, 'example.com', services);
}

function assertProblems(problems: readonly string[], ...patterns: RegExp[]): void {
  assert.equal(problems.length, patterns.length, problems.join('\n'));
  patterns.forEach((pattern, i) => {
    assert.match(problems[i]!, pattern);
  });
}

test('one SOA, at the apex, and name servers', () => {
  assertProblems(
    complain('$TTL 1\nh A 192.0.2.1'),
    /^1:1 the zone example.com. has no SOA record: write e.g./,
    /^1:1 the zone example.com. has no NS record: write e.g. "@ NS ns1"/,
  );
  assertProblems(complain('\n@ 1 SOA a. b. 1 1 1 1 1'), /^2:1 the zone example.com. has no NS/);
  assertProblems(
    bodyProblems('@ SOA ns1 h 2 1h 1h 1w 60'),
    /^5:1 a second SOA of example.com.: one is allowed, the first is in line 2/,
  );
  assertProblems(
    bodyProblems('sub SOA ns1 h 2 1h 1h 1w 60'),
    /^5:1 the SOA belongs to example.com.: write @/,
  );
});

test('the root zone and a zone of one label are zones too', () => {
  const text = '$TTL 1\n@ SOA a.x. b.x. 1 1 1 1 1\n@ NS a.x.\na.x. A 192.0.2.1';
  assert.deepEqual(complain(text, ''), []);
  assert.deepEqual(complain(text, 'x'), []);
});

test('a CNAME stands alone', () => {
  assertProblems(
    bodyProblems('w CNAME a.example.net.\nw A 192.0.2.1\nW TXT x'),
    /^5:1 a CNAME must be alone, but w.example.com. also has A \(line 6\), TXT \(line 7\): remove/,
  );
  assertProblems(
    bodyProblems('w CNAME a.example.net.\nw CNAME b.example.net.'),
    /^6:1 a second CNAME of w.example.com.: one is allowed, the first is in line 5/,
  );
  assertProblems(
    bodyProblems('w CNAME a.example.net.', ['w.example.com']),
    /^5:1 w.example.com. is a service: it cannot be a CNAME too/,
  );
});

test('a DNAME is the only one of its name, with nothing below it and no CNAME beside it', () => {
  assert.deepEqual(bodyProblems('d DNAME e.example.net.\nd TXT x\ndx A 192.0.2.1'), []);
  assertProblems(
    bodyProblems('d DNAME e.example.net.\na.b.d TXT y\na.b.d TXT z\nw.d A 192.0.2.1'),
    /^6:1 a.b.d.example.com. lies below the DNAME of d.example.com. \(line 5\): remove one/,
    /^8:1 w.d.example.com. lies below the DNAME/,
  );
  assertProblems(
    bodyProblems('d DNAME e.example.net.\nd DNAME f.example.net.\nc DNAME e.\nc CNAME f.'),
    /^6:1 a second DNAME of d.example.com.: one is allowed, the first is in line 5/,
    /^8:1 a CNAME must be alone, but c.example.com. also has DNAME \(line 7\)/,
  );
  assertProblems(
    bodyProblems('d DNAME e.example.net.\nd NS ns1'),
    /^5:1 d.example.com. has a DNAME and NS records \(line 6\): remove it, or them/,
  );
  assertProblems(
    bodyProblems('d DNAME e.example.net.', ['www.d.example.com']),
    /^5:1 the service www.d.example.com. lies below this DNAME: remove one of them/,
  );
});

test('a wildcard cannot be delegated (RFC 4592 §4.2)', () => {
  assertProblems(
    bodyProblems('*.w NS ns1\nw NS ns1'),
    /^5:1 \*.w.example.com. cannot be delegated: write NS records for each name instead/,
  );
});

test('what lies in a zone that is served here too is for that zone to answer', () => {
  const text =
    '$TTL 1h\n@ SOA ns1 h 1 1h 1h 1w 60\n@ NS ns.sub\n@ MX 1 m.sub\n@ MX 2 gone\nsub NS ns.sub\n';
  const readInclude = () => err('no files here');
  const source = { file: 'z', text, origin: 'example.com', readInclude };
  const { problems } = readZoneFile({ ...source, childApexes: ['sub.example.com'] });
  assert.equal(problems.length, 1);
  assert.match(problems[0]!.message, /^the MX target gone.example.com. has no address/);
});

test('data of other zones is refused', () => {
  assertProblems(
    bodyProblems('www.example.net. A 192.0.2.1\nwexample.com. A 192.0.2.1'),
    /^5:1 www.example.net. lies outside example.com.: move it to its own zone, or check the dot/,
    /^6:1 wexample.com. lies outside/,
  );
});

test('records that are the same, names in another case, and TTLs that differ', () => {
  assertProblems(
    bodyProblems('h A 192.0.2.1\nh A 192.0.2.1\n@ NS NS1\nh TXT a\nh TXT A'),
    /^6:1 the same record as in line 5: remove one of them/,
    /^7:1 the same record as in line 3/,
  );
  assertProblems(
    bodyProblems('h 60 A 192.0.2.1\n  61 A 192.0.2.2\nh 62 AAAA 2001:db8::1'),
    /^6:3 TTL 61, but line 5 has 60: all of h.example.com. A need one TTL/,
  );
});

test('NS, MX and SRV targets in the zone have addresses', () => {
  assertProblems(
    bodyProblems(
      '@ MX 10 mail\n_sip._udp SRV 0 0 5060 sip\n@ NS ns2.example.com\n@ MX 5 192.0.2.1',
    ),
    /^5:1 the MX target mail.example.com. has no address: add an A or AAAA record, or check the dot/,
    /^6:1 the SRV target sip.example.com. has no address/,
    /^7:1 the NS target ns2.example.com.example.com. has no address/,
    /^8:8 "192.0.2.1" is an address: write a domain name/,
  );
  const fine =
    '@ MX 10 Mail\nmail AAAA 2001:db8::1\n@ MX 20 mx.example.net.\nx MX 0 .\n@ MX 30 www';
  assert.deepEqual(bodyProblems(fine, ['www.example.com']), []);
});

test('a wildcard gives an address to names that do not exist, and to no others', () => {
  const body =
    '*.w A 192.0.2.1\n@ MX 10 any.w\n@ MX 20 here.w\nhere.w TXT x\n@ MX 30 ent.w\na.ent.w TXT x';
  assertProblems(
    bodyProblems(body),
    /^7:1 the MX target here.w.example.com. has no address/,
    /^9:1 the MX target ent.w.example.com. has no address/,
  );
});

test('glue is owed for the delegation itself, not for what lies below another one', () => {
  const body =
    'sub NS ns.sub\nsub NS ns.other\nother NS ns.other\nns.other A 192.0.2.1\n@ MX 1 m.sub';
  assertProblems(bodyProblems(body), /^5:1 the NS target ns.sub.example.com. has no address/);
  assert.deepEqual(bodyProblems(`${body}\nns.sub A 192.0.2.2`), []);
});

test('NS, MX and SRV targets are not aliases', () => {
  assertProblems(
    bodyProblems('@ MX 10 m\nm CNAME ns1\n_a._tcp SRV 0 0 1 m\nsub NS m\n*.w CNAME m\n@ MX 2 x.w'),
    /^5:1 the MX target m.example.com. is a CNAME \(line 6\): name the host itself/,
    /^7:1 the SRV target m/,
    /^8:1 the NS target m/,
    /^10:1 the MX target x.w.example.com. is a CNAME \(line 9\)/,
  );
});

test('a name with a record that cannot be read is not blamed for lacking it', () => {
  assertProblems(bodyProblems('@ MX 10 mail\nmail A 192.0.2.300'), /^6:8 "192.0.2.300"/);
  assertProblems(complain('$TTL 1\n@ SOA a. b. x 1 1 1 1\n@ NS a.'), /^2:13 "x" is not a serial/);
  assertProblems(bodyProblems('@ MX 10 mail\nma..il A 192.0.2.3'), /^6:1 an empty label/);
});

test('problems are told in the order of lines, syntax and sense together', () => {
  assertProblems(
    bodyProblems('x.net. A 192.0.2.1\nh A x\n@ MX 1 gone\nk B'),
    /^5:1 x.net. lies outside/,
    /^6:5 "x" is not/,
    /^7:1 the MX target gone/,
    /^8:3 "B" is not a record type/,
  );
});

test('the DS of a zone is not its own', () => {
  const digest = `1 8 2 ${'ab'.repeat(32)}`;
  assertProblems(
    bodyProblems(`@ DS ${digest}`),
    /^5:1 the DS of example.com. belongs to the zone above it: move it there/,
  );
  assertProblems(bodyProblems(`sub NS a.example.net.\nsub DS ${digest}`));
});
