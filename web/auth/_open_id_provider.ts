// What a provider publishes about itself (OpenID Connect Discovery 1.0) and its keys. Both are
// kept for an hour, and the keys are asked for again when a token names one that is not among
// them: providers change their keys. That a stranger's token names no key either must not make
// us ask each time, so this happens once in a while only.
import type { JSONWebKeySet, JWTPayload, JWTVerifyResult } from "jose";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { Future } from "../../ioloop/mod.ts";
import type { AsyncHTTPClient } from "../../http/mod.ts";
import { AuthError } from "./auth_error.ts";
import { askForJson, type JSONObject } from "./_provider.ts";

const LIFETIME = 3_600_000;
const KEY_COOLDOWN = 30_000;
const CLOCK_TOLERANCE = 30; // in seconds: clocks differ

// Signatures that only the provider can make: no HMAC, whose key the site has too, and not none.
const ALGORITHMS: readonly string[] = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

/** Is what a token must be. */
export interface Expectation {
  readonly clientId: string;
  /** Null for a token that may have any, or none. */
  readonly nonce: string | null;
  /** The token that came with it; null for one that is not to be compared. */
  readonly accessToken: string | null;
}

/** Is a provider, as far as it was asked. */
export class OpenIDProvider {
  readonly issuer: string;
  #metadata: JSONObject | null = null;
  #metadataEnds = 0; // on the scale of Date.now()
  #keys: JSONWebKeySet | null = null;
  #keysAt = 0;

  constructor(issuer: string) {
    this.issuer = issuer;
  }

  /** Asks what it publishes, unless that is known. */
  *discover(client: AsyncHTTPClient): CoroutineGenerator<JSONObject> {
    if (this.#metadata !== null && Date.now() < this.#metadataEnds) return this.#metadata;
    const url = `${this.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const metadata = yield* askForJson(client, "discover the provider", url);
    if (metadata["issuer"] !== this.issuer) {
      throw new AuthError("Cannot discover the provider: it says that it is another one", {
        status: 503,
      });
    }
    this.#metadata = metadata;
    this.#metadataEnds = Date.now() + LIFETIME;
    return metadata;
  }

  /** Returns one of its URLs. */
  *endpoint(client: AsyncHTTPClient, name: string): CoroutineGenerator<string> {
    const url = (yield* this.discover(client))[name];
    if (typeof url === "string" && /^https?:/.test(url) && URL.canParse(url)) return url;
    throw new AuthError(`Cannot ask the provider: it has no ${name}`, { status: 503 });
  }

  /**
   * Returns the claims of an ID token (OpenID Connect Core 3.1.3.7).
   *
   * @throws {AuthError} 403 when it is not what was expected.
   */
  *verify(
    client: AsyncHTTPClient,
    token: string,
    { clientId, nonce, accessToken }: Expectation,
  ): CoroutineGenerator<JWTPayload> {
    const { payload, protectedHeader } = yield* this.#verifySignature(client, token, clientId);
    const { aud, azp } = payload;
    if ((azp !== undefined || Array.isArray(aud) && aud.length > 1) && azp !== clientId) {
      throw refused("it is for another site");
    }
    if (nonce !== null && payload["nonce"] !== nonce) throw refused("it is of another sign-in");
    const hash = payload["at_hash"];
    if (accessToken !== null && hash !== undefined) {
      const expected = yield* Future.from(halfHash(protectedHeader.alg, accessToken));
      if (expected !== null && hash !== expected) throw refused("it came with another token");
    }
    return payload;
  }

  *#verifySignature(
    client: AsyncHTTPClient,
    token: string,
    clientId: string,
  ): CoroutineGenerator<JWTVerifyResult> {
    // Loaded here, since most programs sign in nobody.
    const { createLocalJWKSet, errors, jwtVerify } = yield* Future.from(import("jose"));
    const offered = (yield* this.discover(client))["id_token_signing_alg_values_supported"];
    const options = {
      issuer: this.issuer,
      audience: clientId,
      algorithms: Array.isArray(offered)
        ? ALGORITHMS.filter((algorithm) => offered.includes(algorithm))
        : ["RS256"],
      clockTolerance: CLOCK_TOLERANCE,
      requiredClaims: ["sub", "iat", "exp"],
    };
    try {
      try {
        const keys = createLocalJWKSet(yield* this.#fetchKeys(client, LIFETIME));
        return yield* Future.from(jwtVerify(token, keys, options));
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        const keys = createLocalJWKSet(yield* this.#fetchKeys(client, KEY_COOLDOWN));
        return yield* Future.from(jwtVerify(token, keys, options));
      }
    } catch (cause) {
      if (cause instanceof errors.JOSEError) throw refused(cause.code, cause);
      throw cause;
    }
  }

  *#fetchKeys(client: AsyncHTTPClient, maxAge: number): CoroutineGenerator<JSONWebKeySet> {
    if (this.#keys !== null && Date.now() < this.#keysAt + maxAge) return this.#keys;
    const url = yield* this.endpoint(client, "jwks_uri");
    const keys = yield* askForJson(client, "get the keys of the provider", url);
    if (!Array.isArray(keys["keys"])) {
      throw new AuthError("Cannot get the keys of the provider: it has none", { status: 503 });
    }
    this.#keys = keys as unknown as JSONWebKeySet;
    this.#keysAt = Date.now();
    return this.#keys;
  }
}

function refused(why: string, cause?: Error): AuthError {
  return new AuthError(`Cannot take the ID token: ${why}`, cause === undefined ? {} : { cause });
}

// Core 3.1.3.6; null for a signature that does not name its hash.
async function halfHash(algorithm: string, accessToken: string): Promise<string | null> {
  const size = /^[RPE]S(256|384|512)$/.exec(algorithm)?.[1];
  if (size === undefined) return null;
  const bytes = new TextEncoder().encode(accessToken);
  const digest = new Uint8Array(await crypto.subtle.digest(`SHA-${size}`, bytes));
  return digest.subarray(0, digest.length / 2).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}
