import { HTTPError } from "../errors.ts";

/** Options of {@linkcode AuthError}. */
export interface AuthErrorOptions extends ErrorOptions {
  /**
   * The status to answer with if nobody catches it: 403 where a sign-in was refused or forged,
   * 503 where the provider could not be asked.
   *
   * @default {403}
   */
  status?: number;
  /** What the provider calls the error, such as `access_denied` (RFC 6749 4.1.2.1). */
  code?: string | null;
}

/**
 * Says that somebody could not be signed in. It holds no token and no secret.
 *
 * @example Tell a refusal from a failure
 * ```ts
 * import { AuthError } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new AuthError("Cannot sign in: refused", { code: "access_denied" });
 * assertEquals([error.statusCode, error.code], [403, "access_denied"]);
 * ```
 */
export class AuthError extends HTTPError {
  /** What the provider calls the error; null when the error is not the provider's. */
  readonly code: string | null;

  /** Takes what to log. */
  constructor(message: string, { status = 403, code = null, ...options }: AuthErrorOptions = {}) {
    super(status, message, options);
    this.name = "AuthError";
    this.code = code;
  }
}
