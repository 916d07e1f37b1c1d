/** What the lines of a zone file hand down to those that follow them (RFC 1035 §5.1). */

/**
 * What $ORIGIN and the last owner are, within one file: $INCLUDE does not change them for the file
 * that has it.
 */
export interface Scope {
  readonly file: string;
  /** Its place in the list of files. */
  readonly fileIndex: number;
  readonly depth: number;
  /** Wire form, lower-case. */
  origin: Uint8Array;
  /**
   * Where it lies in the columns; "broken" after an owner that could not be read: its other records
   * are read, but not kept.
   */
  owner: number | 'none' | 'broken';
}

/**
 * The TTL of records that state none: that of $TTL (RFC 2308 §4) or, without any, the last one that
 * was stated (RFC 1035 §5.1). No RFC says that $TTL ends with its file: it goes on, as in BIND.
 */
export interface ImpliedTtl {
  default_s: number | null;
  last_s: number | null;
}

/** RFC 2181 §8. */
export const TTL_MAX_S = 0x7fffffff;
