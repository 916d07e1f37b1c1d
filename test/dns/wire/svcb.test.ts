import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TYPE } from '../../../src/dns/wire/codes.ts';
import { wireName } from '../../../src/dns/wire/name.ts';
import { parseRdata, printRdata, validRdata } from '../../../src/dns/wire/rdata.ts';
import type { Token } from '../../../src/dns/wire/text.ts';

const ORIGIN = wireName('example.com');
const FOO = '03666f6f076578616d706c6503636f6d00';
const FOO_ORG = '03666f6f076578616d706c65036f726700';
const raw = String.raw;

/** Words as a zone file gives them: `key="a b"` is one, its quotes kept. */
function words(text: string): Token[] {
  return [...text.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => ({
    text: word.startsWith('"') ? word.slice(1, -1) : word,
    quoted: word.startsWith('"'),
  }));
}

function parse(text: string): string {
  const parsed = parseRdata(TYPE.SVCB, words(text), ORIGIN);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.error.message}`);
  return Buffer.from(parsed.value).toString('hex');
}

function refusal(text: string): string {
  const parsed = parseRdata(TYPE.HTTPS, words(text), ORIGIN);
  assert.ok(!parsed.ok, `${text} was accepted`);
  return `${parsed.error.word}: ${parsed.error.message}`;
}

test('the vectors of RFC 9460 appendix D', () => {
  const cases: [string, string][] = [
    ['0 foo.example.com.', `0000${FOO}`],
    ['1 .', '000100'],
    ['16 foo.example.com. port=53', `0010${FOO}000300020035`],
    ['1 foo.example.com. key667=hello', `0001${FOO}029b000568656c6c6f`],
    [raw`1 foo.example.com. key667="hello\210qoo"`, `0001${FOO}029b000968656c6c6fd2716f6f`],
    [
      '1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"',
      `0001${FOO}0006002020010db800000000000000000000000120010db8000000000000000000530001`,
    ],
    [
      '1 example.com. ipv6hint="2001:db8:122:344::192.0.2.33"',
      '0001076578616d706c6503636f6d000006001020010db8012203440000'.concat('0000c0000221'),
    ],
    [
      '16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1',
      `0010${FOO_ORG}000000040001000400010009026832${'0568332d313900040004c0000201'}`,
    ],
    [
      raw`16 foo.example.org. alpn="f\\\\oo\\,bar,h2"`,
      `0010${FOO_ORG}0001000c08665c6f6f2c626172026832`,
    ],
    [
      raw`16 foo.example.org. alpn=f\\\092oo\092,bar,h2`,
      `0010${FOO_ORG}0001000c08665c6f6f2c626172026832`,
    ],
  ];
  for (const [text, hex] of cases) assert.equal(parse(text), hex, text);
});

test('the failures of RFC 9460 appendix D.3', () => {
  const at = '1 foo.example.com.';
  assert.match(refusal(`${at} key123=abc key123=def`), /^3: key123 a second time/);
  for (const key of ['mandatory', 'alpn', 'port', 'ipv4hint', 'ipv6hint']) {
    assert.match(refusal(`${at} ${key}`), new RegExp(`^2: ${key} needs a value`));
  }
  assert.match(refusal(`${at} no-default-alpn=abc`), /^2: .*write it as without a value/);
  assert.match(refusal(`${at} mandatory=key123`), /^2: mandatory names key123, which is not there/);
  assert.match(refusal(`${at} mandatory=mandatory`), /^2: this value is not good for mandatory/);
  assert.match(refusal(`${at} mandatory=key123,key123 key123=abc`), /^2: this value is not good/);
});

test('mistakes that operators make are told with their word', () => {
  assert.match(refusal('1 . alpm=h2'), /^2: "alpm" is not a service parameter/);
  assert.match(refusal('1 . key65535=a'), /^2: "key65535" is not a service parameter/);
  assert.match(refusal('1 . key01=a'), /^2: "key01" is not/);
  assert.match(refusal('1 . alpn=h2 "port=53"'), /^3: write only the value/);
  assert.match(refusal('1 . port=65536'), /^2: "65536" is not good for port: .*0–65535/);
  assert.match(refusal('1 . port=1,2'), /^2: this value is not good for port/);
  assert.match(refusal('1 . alpn=h2,'), /^2: .*a list of protocols/);
  assert.match(refusal('1 . ipv4hint=192.0.2.300'), /^2: .*a list of IPv4 addresses/);
  assert.match(refusal('1 . ech=x'), /^2: .*base64/);
  assert.match(refusal('1 . dohpath=/dns-query'), /^2: this value is not good for dohpath/);
  assert.match(refusal('1 . port=53 no-default-alpn'), /^3: no-default-alpn needs alpn/);
  assert.match(refusal('1 . key1=h2'), /^2: this value is not good for key1/);
});

test('what is parsed prints in the order of keys, names of keys and all', () => {
  const cases: [string, string][] = [
    ['0 web', '0 web.example.com.'],
    ['1 . port=443 alpn=h2,h3', '1 . alpn="h2,h3" port=443'],
    [raw`1 . alpn="a\\,b,c\\\\d"`, raw`1 . alpn="a\\,b,c\\\\d"`],
    ['1 . no-default-alpn alpn=x', '1 . alpn="x" no-default-alpn'],
    [raw`1 . key1=\002h2 key4=\192\000\002\001`, '1 . alpn="h2" ipv4hint=192.0.2.1'],
    ['1 . ech="AQID" mandatory=ech,alpn alpn=h2', '1 . mandatory=alpn,ech alpn="h2" ech=AQID'],
    ['1 . dohpath="/q{?dns}" key9 key8="a b"', '1 . dohpath="/q{?dns}" key8="a b" key9'],
  ];
  for (const [text, shown] of cases) {
    const rdata = Buffer.from(parse(text), 'hex');
    assert.equal(printRdata(TYPE.SVCB, rdata), shown);
    assert.equal(parse(shown), parse(text));
  }
});

test('octets out of order, twice, cut short or malformed are not rdata', () => {
  const valid = (hex: string): boolean =>
    validRdata(TYPE.HTTPS, Buffer.from(`000100${hex}`, 'hex'));
  assert.ok(valid('00010003026832000300020035'));
  assert.ok(!valid('00030002003500010003026832'));
  assert.ok(!valid('000300020035000300020035'));
  assert.ok(!valid('0003000200'));
  assert.ok(!valid('0003000100'));
  assert.ok(!valid('0001000000'));
  assert.ok(!valid('000100020568'));
  assert.ok(!valid('ffff0000'));
});
