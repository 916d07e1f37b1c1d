/** The kinds of value that only checks have; see values.ts. */
import { Buffer } from 'node:buffer';
import { patternAdvice } from '../observe/text-match.ts';
import { HOST, notation } from './values.ts';

/** A name to ask a DNS server for, lower-cased, without the trailing dot; "." is the root. */
export const questionName = () =>
  notation('a name to ask for', 'a full name like www.example.com, or "." for the root', (text) => {
    if (text === '.') return text;
    return HOST.test(text) ? text.toLowerCase().replace(/\.$/, '') : null;
  });

/** Status codes of HTTP, from the first to the last. */
export const statusRange = () =>
  notation(
    'a range of status codes',
    'one like 200-299, or 2xx',
    (text): [number, number] | null => {
      const whole = /^([1-5])xx$/i.exec(text);
      if (whole) return [Number(whole[1]) * 100, Number(whole[1]) * 100 + 99];
      const match = /^([1-5][0-9]{2})-([1-5][0-9]{2})$/.exec(text);
      const [from, to] = [Number(match?.[1]), Number(match?.[2])];
      return match && from <= to ? [from, to] : null;
    },
  );

/** The name of a header field, lower-cased (RFC 9110 §5.1), none that a connection is made of. */
export const headerName = () =>
  notation('a header to set', 'a name like x-probe; host has a key of its own', (text) => {
    const name = text.toLowerCase();
    const ours = /^(host|connection|content-length|transfer-encoding|upgrade|expect|te|trailer)$/;
    return /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name) && !ours.test(name) ? name : null;
  });

export const headerValue = () =>
  notation('the value of a header', 'up to 1024 printable ASCII characters', (text) =>
    /^[\x20-\x7e]{0,1024}$/.test(text) ? text : null,
  );

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' };
const SENT_BYTES_MAX = 1_024;

/** The octets of a text with escapes, in hexadecimal. */
export const sentText = () =>
  notation(
    'a text to send',
    `one of up to ${SENT_BYTES_MAX} bytes, with \\r, \\n, \\t, \\\\ and \\xHH for other bytes`,
    (text) => {
      if (!/^(?:[^\\]|\\[rnt\\]|\\x[0-9a-fA-F]{2})*$/.test(text)) return null;
      const octets = [...text.matchAll(/\\x(..)|\\(.)|([^\\]+)/g)].map(([, hex, mark, plain]) => {
        if (hex !== undefined) return Buffer.from(hex, 'hex');
        return Buffer.from(mark === undefined ? plain! : ESCAPES[mark]!, 'utf8');
      });
      const all = Buffer.concat(octets);
      return all.length <= SENT_BYTES_MAX ? all.toString('hex') : null;
    },
  );

const EXPECTED_CHARS_MAX = 1_024;

export const expectedText = () =>
  notation('a text to expect', `1 to ${EXPECTED_CHARS_MAX} characters`, (text) =>
    text !== '' && text.length <= EXPECTED_CHARS_MAX ? text : null,
  );

/** The source of a regular expression. */
export const pattern = () =>
  notation(
    'a regular expression to use',
    (text) => patternAdvice(text) ?? `one of up to ${EXPECTED_CHARS_MAX} characters`,
    (text) =>
      text !== '' && text.length <= EXPECTED_CHARS_MAX && patternAdvice(text) === null
        ? text
        : null,
  );

/** A program or one of its arguments. */
export const argument = () =>
  notation('an argument', 'up to 4096 characters, none of them zero', (text) =>
    text.length <= 4096 && !text.includes('\0') ? text : null,
  );

/** A service of gRPC, by its full name. */
export const grpcService = () =>
  notation('a gRPC service', 'its full name, such as shop.v1.Cart', (text) =>
    /^[A-Za-z0-9_./-]{0,255}$/.test(text) ? text : null,
  );
