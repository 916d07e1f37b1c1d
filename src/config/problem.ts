/** A mistake in the configuration, told so that it can be found and mended without a manual. */

export interface Problem {
  /** Relative to the deployment's directory. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** What is wrong, and what to write instead. */
  readonly message: string;
}

/** A message quotes what is wrong, which may be a whole file without a blank. */
const SHOWN_CHARS_MAX = 1000;

/** "file:line:column: message", as editors and terminals link it. */
export function formatProblem({ file, line, column, message }: Problem): string {
  // One line whatever the names and values hold, and nothing that a terminal obeys.
  const text = `${file}:${line}:${column}: ${message}`;
  const cut = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
  return cut.replace(/\p{Cc}/gu, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/** The order in which problems are shown: by file, then by place. */
export function compareProblems(a: Problem, b: Problem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
