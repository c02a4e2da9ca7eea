const encoder = new TextEncoder();

/**
 * Joins user name and password for basic authentication: NFC, in UTF-8, a colon between (RFC 7617).
 *
 * @example Make an Authorization field
 * ```ts
 * import { encodeUsernamePassword } from "@waterspout/waterspout/http";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeUsernamePassword("Aladdin", "open sesame");
 * assertEquals(`Basic ${bytes.toBase64()}`, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
 * ```
 */
export function encodeUsernamePassword(
  username: string,
  password: string,
): Uint8Array {
  return encoder.encode(
    `${username.normalize("NFC")}:${password.normalize("NFC")}`,
  );
}

/** Gives the value of an Authorization field for basic authentication. */
export function basicCredentials(username: string, password: string): string {
  return `Basic ${encodeUsernamePassword(username, password).toBase64()}`;
}
