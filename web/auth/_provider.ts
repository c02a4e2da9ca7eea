// What is asked of a provider while somebody signs in. A provider that does not answer, or not
// as it should, is no mistake of ours and none of the user's: 503. What it answers is for this
// code only, so nothing of it goes into an error but the name that it has for its own.
import type { CoroutineGenerator } from "../../gen/mod.ts";
import {
  type AsyncHTTPClient,
  type FetchOptions,
  HTTPClientError,
  type HTTPResponse,
} from "../../http/mod.ts";
import { AuthError } from "./auth_error.ts";

// RFC 6749 5.2, printed without what could make a log line of its own.
const ERROR_CODE_REGEXP = /^[\w.:-]{1,64}$/;
const REFUSALS: readonly string[] = ["access_denied", "invalid_grant", "login_required"];

/** Is a JSON object. */
export type JSONObject = Record<string, unknown>;

/**
 * Asks a provider; `action` is what cannot be done without its answer.
 *
 * @throws {AuthError} 403 when it refuses the user, 503 when it fails.
 */
export function* ask(
  client: AsyncHTTPClient,
  action: string,
  url: string,
  options: FetchOptions = {},
): CoroutineGenerator<HTTPResponse> {
  try {
    return yield* client.fetch(url, options);
  } catch (error) {
    if (isFailedFetch(error)) throw failure(action, error);
    throw error;
  }
}

/**
 * Asks a provider for a JSON object.
 *
 * @throws {AuthError} as {@linkcode ask} does, and 503 when it answers with anything else.
 */
export function* askForJson(
  client: AsyncHTTPClient,
  action: string,
  url: string,
  options: FetchOptions = {},
): CoroutineGenerator<JSONObject> {
  const object = toObject(yield* ask(client, action, url, options));
  if (object !== null) return object;
  throw new AuthError(`Cannot ${action}: the provider answered with no JSON object`, {
    status: 503,
  });
}

/** Waits for a look-up. That the provider failed in it is a 503; another error is the program's. */
export function* lookUp<T>(action: string, work: CoroutineGenerator<T>): CoroutineGenerator<T> {
  try {
    return yield* work;
  } catch (cause) {
    if (isFailedFetch(cause)) {
      throw new AuthError(`Cannot ${action}: ${cause.message}`, { status: 503, cause });
    }
    if (cause instanceof SyntaxError) {
      const message = `Cannot ${action}: the provider answered with no JSON`;
      throw new AuthError(message, { status: 503, cause });
    }
    throw cause;
  }
}

/** Returns the options to post a form. */
export function formPost(fields: Readonly<Record<string, string>>): FetchOptions {
  return {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json" },
    body: new URLSearchParams(fields).toString(),
    followRedirects: false, // a secret is in it
  };
}

/** Returns a provider's name for an error, if it is one; else null. */
export function errorCode(value: unknown): string | null {
  return typeof value === "string" && ERROR_CODE_REGEXP.test(value) ? value : null;
}

// Of the two kinds of error, the second is that of a TLS handshake.
function isFailedFetch(error: unknown): error is Error {
  return error instanceof HTTPClientError || error instanceof Deno.errors.InvalidData;
}

function failure(action: string, error: Error): AuthError {
  const response = error instanceof HTTPClientError ? error.response : null;
  const code = response === null ? null : errorCode(toObject(response)?.["error"]);
  return new AuthError(
    `Cannot ${action}: ${error.message}${code === null ? "" : `, ${code}`}`,
    { status: code !== null && REFUSALS.includes(code) ? 403 : 503, code, cause: error },
  );
}

function toObject(response: HTTPResponse): JSONObject | null {
  try {
    const value = response.json();
    return typeof value === "object" && !Array.isArray(value) ? value as JSONObject | null : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
