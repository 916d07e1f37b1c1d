/** A mistake of the operator's: printed as it is, without a stack, and the exit code is `code`. */
export class CommandError extends Error {
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}
