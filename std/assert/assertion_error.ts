/** The error that a failed assertion throws. */
export class AssertionError extends Error {
  /** Makes an error with the `message` that the test run prints. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}
