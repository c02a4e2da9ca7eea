// Digest authentication (RFC 7616): the server gives a challenge, the client proves with the
// next request that it knows the password.
import { createHash, randomBytes } from "node:crypto";

/** Is what a server wants to be answered. */
export interface Challenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | null;
  readonly algorithm: Algorithm;
  /** Whether the answer holds a nonce of the client (qop "auth"), or the body too. */
  readonly qop: "auth" | "auth-int" | null;
}

/** Is the request that carries the answer. */
export interface ChallengedRequest {
  readonly method: string;
  /** The request-target, as it is sent. */
  readonly uri: string;
  /** Null: it is not known in advance. */
  readonly body: Uint8Array | null;
}

type Algorithm = keyof typeof HASHES;

// By what they are worth, the best first.
const HASHES = {
  "SHA-512-256": "sha512-256",
  "SHA-512-256-sess": "sha512-256",
  "SHA-256": "sha256",
  "SHA-256-sess": "sha256",
  "MD5": "md5",
  "MD5-sess": "md5",
} as const;

const NONCE_COUNT = "00000001"; // each challenge is answered once

// A scheme, and parameters with commas between them; values are tokens or quoted.
const PART_REGEXP =
  /\s*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*)|([^\s,=]+)(?=\s|,|$))\s*,?/gy;

/**
 * Picks the best Digest challenge of all WWW-Authenticate (or Proxy-Authenticate) values; null
 * when there is none that can be answered.
 */
export function parseChallenge(values: readonly string[]): Challenge | null {
  const challenges = values.flatMap(digestChallenges).map(challengeOf).filter((each) =>
    each !== null
  );
  const ranks = Object.keys(HASHES);
  const rank = ({ algorithm }: Challenge) => ranks.indexOf(algorithm);
  return challenges.sort((one, other) => rank(one) - rank(other))[0] ?? null;
}

/** Makes the value of an Authorization (or Proxy-Authorization) field. */
export function answerChallenge(
  { realm, nonce, opaque, algorithm, qop }: Challenge,
  username: string,
  password: string,
  { method, uri, body }: ChallengedRequest,
  cnonce: string = randomBytes(16).toString("hex"),
): string {
  const hash = (data: string | Uint8Array) =>
    createHash(HASHES[algorithm]).update(data).digest("hex");
  const user = username.normalize("NFC");
  let secret = hash(`${user}:${realm}:${password.normalize("NFC")}`);
  if (algorithm.endsWith("-sess")) secret = hash(`${secret}:${nonce}:${cnonce}`);
  const asked = qop === "auth-int"
    ? hash(`${method}:${uri}:${hash(body ?? "")}`)
    : hash(`${method}:${uri}`);
  const response = qop === null
    ? hash(`${secret}:${nonce}:${asked}`)
    : hash(`${secret}:${nonce}:${NONCE_COUNT}:${cnonce}:${qop}:${asked}`);
  const parameters = [
    // RFC 7616 3.4: what is not ASCII goes as UTF-8 with percent signs, under another name.
    /^[\x20-\x7e]*$/.test(user)
      ? `username=${quoted(user)}`
      : `username*=UTF-8''${encodeURIComponent(user)}`,
    `realm=${quoted(realm)}`,
    `nonce=${quoted(nonce)}`,
    `uri=${quoted(uri)}`,
    `response="${response}"`,
    `algorithm=${algorithm}`,
  ];
  if (opaque !== null) parameters.push(`opaque=${quoted(opaque)}`);
  if (qop !== null) parameters.push(`qop=${qop}`, `nc=${NONCE_COUNT}`, `cnonce="${cnonce}"`);
  return `Digest ${parameters.join(", ")}`;
}

// One field may hold several challenges: a word without "=" begins the next.
function digestChallenges(value: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  let current: Map<string, string> | null = null;
  for (const [, name, raw, scheme] of value.matchAll(PART_REGEXP)) {
    if (scheme !== undefined) {
      current = scheme.toLowerCase() === "digest" ? new Map() : null;
      if (current !== null) found.push(current);
    } else current?.set(name!.toLowerCase(), unquoted(raw!));
  }
  return found;
}

function challengeOf(parameters: Map<string, string>): Challenge | null {
  const realm = parameters.get("realm");
  const nonce = parameters.get("nonce");
  const wanted = parameters.get("algorithm")?.toLowerCase() ?? "md5";
  const algorithm = (Object.keys(HASHES) as Algorithm[]).find((name) =>
    name.toLowerCase() === wanted
  );
  if (realm === undefined || nonce === undefined || algorithm === undefined) return null;
  const offered = parameters.get("qop")?.toLowerCase().split(",").map((each) => each.trim());
  const qop = (["auth", "auth-int"] as const).find((each) => offered?.includes(each));
  if (offered !== undefined && qop === undefined) return null;
  const opaque = parameters.get("opaque") ?? null;
  return { realm, nonce, opaque, algorithm, qop: qop ?? null };
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

function unquoted(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replaceAll(/\\(.)/g, "$1") : text;
}
