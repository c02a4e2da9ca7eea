/**
 * Says that an option is defined twice or not at all, or was given what it does not take; see
 * {@linkcode OptionParser}.
 */
export class OptionsError extends Error {
  /** Takes what went wrong, in words. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "OptionsError";
  }
}
