/** The kinds of value that only load meters have; see values.ts. */
import { z } from 'zod';
import { canonicalAddress, formatHostPort, parseHostPort } from '../net/ip.ts';
import { EXPRESSION_CHARS_MAX, parseExpression } from '../observe/metric-expression.ts';
import { COMMAND_WORDS_MAX } from './limits.ts';
import { notation } from './values.ts';

/** A name of something else's choosing, with wildcards. */
export const namePattern = () =>
  notation('a name pattern', 'a name with * and ? for what may differ, such as www-*', (text) =>
    /^[\x21-\x7e]{1,255}$/.test(text) ? text : null,
  );

/** As the meter of IPVS names them: "tcp/192.0.2.1:443", "udp/[2001:db8::1]:53", "fwmark/7". */
export const virtualService = () =>
  notation(
    'a virtual service',
    'one like tcp/192.0.2.1:443, "udp/[2001:db8::1]:53" or fwmark/7',
    (text) => {
      const mark = /^fwmark\/([1-9][0-9]{0,9})$/.exec(text);
      if (mark) return Number(mark[1]) <= 0xffffffff ? text : null;
      const [, protocol, where] = /^(tcp|udp|sctp)\/(.+)$/.exec(text) ?? [];
      const parsed = where === undefined ? null : parseHostPort(where);
      const address = parsed && canonicalAddress(parsed.address);
      return address ? `${protocol}/${formatHostPort({ address, port: parsed.port })}` : null;
    },
  );

/** The text stays as it is: what reads the meter understands it in the same way. */
export const metricExpression = () =>
  z
    .string({ error: 'not an expression: write one like sum(rate(requests_total))' })
    .max(EXPRESSION_CHARS_MAX)
    .transform((text, context): string => {
      const parsed = parseExpression(text);
      if (parsed.ok) return text;
      const { column, message } = parsed.error;
      context.issues.push({
        code: 'custom',
        message: `character ${column}: ${message}`,
        input: text,
      });
      return z.NEVER;
    })
    .meta({ format: 'an expression' });

const WORD_CHARS_MAX = 4_096;

const word = () =>
  z
    .string()
    .max(WORD_CHARS_MAX)
    .refine((text) => !text.includes('\0'), 'an argument cannot hold a zero byte: remove it');

/** A program, and its arguments one by one. */
export const commandLine = () =>
  z
    .array(word())
    .min(1)
    .max(COMMAND_WORDS_MAX)
    .refine((words) => words[0] !== '', 'the program has no name: write its path');
