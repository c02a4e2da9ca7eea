// A sign-in begins at this site and comes back through the user's browser. That it is the same
// browser, and the same sign-in, is told by a cookie, without which anybody could make a victim
// open a callback URL and be signed in as somebody else (RFC 6819 4.4.1.8).
//
// The cookie is signed and kept from scripts, it ends after ten minutes, and it is taken away as
// soon as it was used. SameSite is Lax, because the way back is a link on the provider's site.
// It names the provider, so that one cannot send the user to the callback of another (RFC 9700
// 4.4). The last sign-in that a browser began is the one that can end.
import { createHash, timingSafeEqual } from "node:crypto";
import type { RequestHandler } from "../request_handler.ts";
import type { CookieOptions } from "../_set_cookie.ts";
import { AuthError } from "./auth_error.ts";
import { errorCode } from "./_provider.ts";

const COOKIE = "_auth_login";
const LIFETIME = 600; // in seconds: long enough to find a password, too short to be left lying
const SECRET_BYTES = 32;

/** Is what is kept of a sign-in until its user comes back. */
export interface Login {
  /** What comes back with the user. */
  readonly state: string;
  /** What proves that the code was asked for here (RFC 7636). */
  readonly verifier: string;
  /** What the ID token must hold. */
  readonly nonce: string;
}

/** Options of the cookies of a sign-in. */
export function loginCookieOptions(handler: RequestHandler): CookieOptions {
  return {
    httpOnly: true,
    sameSite: "Lax",
    ...handler.request.protocol === "https" ? { secure: true } : {},
  };
}

/** Begins a sign-in at `provider`. */
export function beginLogin(handler: RequestHandler, provider: string): Login {
  const login = { state: makeSecret(), verifier: makeSecret(), nonce: makeSecret() };
  handler.setSignedCookie(
    COOKIE,
    JSON.stringify([provider, login.state, login.verifier, login.nonce]),
    { ...loginCookieOptions(handler), maxAge: LIFETIME, expiresDays: null },
  );
  return login;
}

/**
 * Returns the sign-in that ends with this request.
 *
 * @throws {AuthError} 403 when none began in this browser, or it was another one, or the
 *   provider says that it was refused.
 * @throws {HTTPError} 400 when the state is missing.
 */
export function endLogin(handler: RequestHandler, provider: string): Login {
  const given = handler.getArgument("state");
  const bytes = handler.getSignedCookie(COOKIE, {
    maxAgeDays: LIFETIME / 86_400,
    minVersion: 2,
  });
  if (bytes === null) {
    throw new AuthError("Cannot end the sign-in: this browser began none, or too long ago");
  }
  const [home, state, verifier, nonce] = JSON.parse(new TextDecoder().decode(bytes)) as string[];
  if (home !== provider || !sameText(given, state!)) {
    throw new AuthError("Cannot end the sign-in: it is not the one that this browser began");
  }
  handler.clearCookie(COOKIE, loginCookieOptions(handler));
  const error = handler.getArgument("error", null);
  if (error !== null) {
    const code = errorCode(error);
    throw new AuthError(`Cannot sign in: the provider says ${code ?? "no"}`, { code });
  }
  return { state: state!, verifier: verifier!, nonce: nonce! };
}

/** Returns what is sent in place of a verifier (RFC 7636 4.2). */
export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

function makeSecret(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function sameText(one: string, other: string): boolean {
  const encoder = new TextEncoder();
  const bytes = encoder.encode(one);
  const others = encoder.encode(other);
  return bytes.length === others.length && timingSafeEqual(bytes, others);
}
