/** The logging port. Rooms take a `Log`; only the composition root knows that it is pino. */
import { type DestinationStream, type Logger, pino } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A log whose every line carries `fields` as well. */
  child(fields: object): Log;
}

/** Structured JSON lines, to standard output unless `destination` is given. */
export function pinoLog(level: LogLevel, fields: object, destination?: DestinationStream): Log {
  const options = { level, base: fields, timestamp: pino.stdTimeFunctions.isoTime };
  const logger: Logger = destination ? pino(options, destination) : pino(options);
  return logger as Log;
}

/** Says nothing: for tests and for the offline commands. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};
