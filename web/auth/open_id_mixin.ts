// OpenID 2.0. The user comes back with what the provider says about them in the query, signed
// with a key that only the provider has: it is asked whether that is its signature. It vouches
// for the arguments that `openid.signed` lists and for nothing else, so nothing else is used.
import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import type { Future } from "../../ioloop/mod.ts";
import { type AsyncHTTPClient, urlConcat } from "../../http/mod.ts";
import type { HandlerClass } from "../request_handler.ts";
import { AuthBase, type AuthHandler, type AuthHandlerClass } from "./_auth_base.ts";
import { AuthError } from "./auth_error.ts";
import { beginLogin, endLogin } from "./_login_cookie.ts";
import type { AuthUser } from "./oauth_mixin.ts";
import { ask, formPost } from "./_provider.ts";

const OPENID = "http://specs.openid.net/auth/2.0";
const SELECT = `${OPENID}/identifier_select`;
const EXCHANGE = "http://openid.net/srv/ax/1.0";

const AX_TYPES = {
  firstname: "http://axschema.org/namePerson/first",
  fullname: "http://axschema.org/namePerson",
  lastname: "http://axschema.org/namePerson/last",
  email: "http://axschema.org/contact/email",
  language: "http://axschema.org/pref/language",
  username: "http://axschema.org/namePerson/friendly",
} as const;

/** Is what can be asked for about a user; `name` is first, last and full name. */
export type OpenIdAttribute = "name" | "email" | "language" | "username";

/** Options of {@linkcode OpenIdHandler.authenticateRedirect}. */
export interface OpenIdRedirectOptions {
  /** Where the user is sent back to: a URL, or a path of this site; by default here. */
  callbackUri?: string;
  /**
   * What is asked for about the user.
   *
   * @default {["name", "email", "language", "username"]}
   */
  axAttrs?: readonly OpenIdAttribute[];
}

/** Is what {@linkcode OpenIdMixin} adds to a handler. */
export interface OpenIdHandler extends AuthHandler {
  /**
   * Sends the user to the provider. The answer is finished then.
   *
   * @throws {Error} when the setting `cookieSecret` is missing.
   */
  authenticateRedirect(options?: OpenIdRedirectOptions): void;
  /**
   * Ends the sign-in of a user who came back, and returns what the provider signed: `claimed_id`
   * and, as far as it tells, `name`, `first_name`, `last_name`, `email`, `locale`, `username`.
   *
   * The Future fails with {@linkcode AuthError}: 403 when the provider does not know what the
   * user brought, or it is of another sign-in, or the user said no; 503 when the provider fails.
   */
  getAuthenticatedUser(options?: { httpClient?: AsyncHTTPClient }): Future<AuthUser>;
}

/** Is the class of an {@linkcode OpenIdHandler}. */
export interface OpenIdHandlerClass extends AuthHandlerClass<OpenIdHandler> {
  /** Where the provider is. */
  OPENID_ENDPOINT: string;
}

/**
 * Makes a class of handlers that sign in users by OpenID 2.0, with attribute exchange. For its
 * successor see {@linkcode OpenIDConnectMixin}.
 *
 * @example Sign in
 * ```ts
 * import { OpenIdMixin, RequestHandler } from "@waterspout/waterspout/web";
 * import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * class Login extends OpenIdMixin(RequestHandler) {
 *   static override OPENID_ENDPOINT = "https://example.org/openid";
 *
 *   override *get(): CoroutineGenerator {
 *     if (this.getArgument("openid.mode", null) === null) {
 *       this.authenticateRedirect({ axAttrs: ["email"] });
 *       return;
 *     }
 *     const user = yield* this.getAuthenticatedUser();
 *     this.setSignedCookie("user", String(user["claimed_id"]));
 *     this.redirect("/");
 *   }
 * }
 * assertEquals(Login.OPENID_ENDPOINT, "https://example.org/openid");
 * ```
 */
export function OpenIdMixin<B extends HandlerClass>(Base: B): B & OpenIdHandlerClass {
  class OpenId extends AuthBase(Base) implements OpenIdHandler {
    static OPENID_ENDPOINT = "";

    authenticateRedirect(
      {
        callbackUri = this.request.uri,
        axAttrs = ["name", "email", "language", "username"],
      }: OpenIdRedirectOptions = {},
    ): void {
      const { state } = beginLogin(this, this.#endpoint);
      const home = new URL(callbackUri, this.request.fullUrl());
      home.searchParams.set("state", state);
      const args: Record<string, string> = {
        "openid.ns": OPENID,
        "openid.claimed_id": SELECT,
        "openid.identity": SELECT,
        "openid.return_to": home.href,
        "openid.realm": new URL("/", home).href,
        "openid.mode": "checkid_setup",
        ...exchangeArguments(axAttrs),
      };
      this.redirect(urlConcat(this.#endpoint, args));
    }

    getAuthenticatedUser(
      { httpClient = this.getAuthHttpClient() }: { httpClient?: AsyncHTTPClient } = {},
    ): Future<AuthUser> {
      return coroutine(() => this.#getUser(httpClient))();
    }

    *#getUser(client: AsyncHTTPClient): CoroutineGenerator<AuthUser> {
      endLogin(this, this.#endpoint);
      const given: Record<string, string> = {};
      for (const name of Object.keys(this.request.arguments)) {
        if (name.startsWith("openid.")) given[name] = this.getArgument(name, "", { strip: false });
      }
      if (given["openid.mode"] !== "id_res") {
        const refused = given["openid.mode"] === "cancel";
        throw new AuthError(
          `Cannot sign in: ${refused ? "the user said no" : "the provider did not"}`,
          { code: refused ? "access_denied" : null },
        );
      }
      const response = yield* ask(
        client,
        "verify the user",
        this.#endpoint,
        formPost({ ...given, "openid.mode": "check_authentication" }),
      );
      if (!response.text().split(/\r?\n/).includes("is_valid:true")) {
        throw new AuthError("Cannot sign in: the provider does not know this answer");
      }
      return readUser(this.#signed(given));
    }

    // Returns what the provider vouches for, without the prefix.
    #signed(given: Readonly<Record<string, string>>): Map<string, string> {
      const signed = new Map<string, string>();
      for (const name of (given["openid.signed"] ?? "").split(",")) {
        const value = given[`openid.${name}`];
        if (value !== undefined) signed.set(name, value);
      }
      const here = new URL(this.request.fullUrl());
      const target = signed.get("return_to") ?? "";
      const home = URL.canParse(target) ? new URL(target) : null;
      if (home?.host !== here.host || home.pathname !== here.pathname) {
        throw new AuthError("Cannot sign in: the answer is for another page");
      }
      if (home.searchParams.get("state") !== this.getArgument("state")) {
        throw new AuthError("Cannot sign in: the answer is for another sign-in");
      }
      return signed;
    }

    get #endpoint(): string {
      return (this.constructor as typeof OpenId).OPENID_ENDPOINT;
    }
  }
  return OpenId as unknown as B & OpenIdHandlerClass;
}

function exchangeArguments(axAttrs: readonly OpenIdAttribute[]): Record<string, string> {
  if (axAttrs.length === 0) return {};
  const wanted = [...new Set(axAttrs)].flatMap((name) =>
    name === "name" ? ["firstname", "fullname", "lastname"] as const : [name]
  );
  return {
    "openid.ns.ax": EXCHANGE,
    "openid.ax.mode": "fetch_request",
    ...Object.fromEntries(wanted.map((name) => [`openid.ax.type.${name}`, AX_TYPES[name]])),
    "openid.ax.required": wanted.join(","),
  };
}

function readUser(signed: ReadonlyMap<string, string>): AuthUser {
  const alias = keyOf(signed, "ns.", EXCHANGE);
  const attribute = (type: keyof typeof AX_TYPES) => {
    const name = alias === null ? null : keyOf(signed, `${alias}.type.`, AX_TYPES[type]);
    return name === null ? "" : signed.get(`${alias}.value.${name}`) ?? "";
  };
  const [first, last, email] = [attribute("firstname"), attribute("lastname"), attribute("email")];
  const parts = [first, last].filter((part) => part !== "");
  const user = {
    "first_name": first,
    "last_name": last,
    "name": attribute("fullname") || parts.join(" ") || email.split("@")[0]!,
    "email": email,
    "locale": attribute("language").toLowerCase(),
    "username": attribute("username"),
    "claimed_id": signed.get("claimed_id") ?? "",
  };
  return Object.fromEntries(Object.entries(user).filter(([, value]) => value !== ""));
}

// Returns what stands behind `prefix` in the name of the entry with that value.
function keyOf(
  signed: ReadonlyMap<string, string>,
  prefix: string,
  value: string,
): string | null {
  for (const [name, found] of signed) {
    if (found === value && name.startsWith(prefix)) return name.slice(prefix.length);
  }
  return null;
}
