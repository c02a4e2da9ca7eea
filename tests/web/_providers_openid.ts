// A provider of OpenID Connect, that of the package oidc-provider, whose users sign in without
// a form: Ada always is who comes, and a sign-in is refused when a test wants it so.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { stub } from "@std/testing/mock";
import { Provider } from "oidc-provider"; // it comes without types

/** What a provider is made with. */
export interface OpenIDProviderOptions {
  /** How the site says who it is; `none` is a public client. */
  readonly method?: "client_secret_basic" | "client_secret_post" | "none";
  /** Where users are sent back to. */
  readonly redirectUri: string;
  /** How many seconds an access token lives; 600 by default. */
  readonly accessTokenLives?: number;
}

/** A provider that runs, on a port of its own. */
export class RealProvider implements AsyncDisposable {
  static readonly CLIENT_ID = "us: 100%";
  static readonly CLIENT_SECRET = "our secret, 100% + sure: long enough to be taken";

  readonly issuer: string;
  /** Whether the next users are refused. */
  refusing = false;
  /** What it is asked, method and path. */
  readonly seen: string[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(options: OpenIDProviderOptions): Promise<RealProvider> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const real = new RealProvider(server);
    // It warns of keys and of HTTP, which are for development only, as this is.
    using _info = stub(console, "info");
    using _warn = stub(console, "warn");
    const provider = new Provider(real.issuer, configuration(options));
    const answer = provider.callback();
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      real.seen.push(`${request.method} ${request.url!.split("?")[0]}`);
      if (!request.url!.startsWith("/interaction/")) {
        answer(request, response);
        return;
      }
      const result = real.refusing
        ? { error: "access_denied", error_description: "not today" }
        : { login: { accountId: "ada" } };
      provider.interactionFinished(request, response, result);
    });
    return real;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

// What it keeps; each warns unless it is told for how long.
const KINDS = ["Interaction", "Grant", "Session", "AccessToken", "RefreshToken", "IdToken"];

interface Grant {
  addOIDCScope(scope: string): void;
  save(): Promise<unknown>;
}

interface Context {
  readonly oidc: {
    readonly provider: { Grant: new (of: { clientId: string; accountId: string }) => Grant };
    readonly client: { readonly clientId: string };
    readonly session: { readonly accountId: string };
  };
}

function configuration(
  { redirectUri, method = "client_secret_basic", accessTokenLives = 600 }: OpenIDProviderOptions,
): object {
  const client = {
    "client_id": RealProvider.CLIENT_ID,
    "redirect_uris": [redirectUri],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": method,
    ...method === "none" ? {} : { client_secret: RealProvider.CLIENT_SECRET },
  };
  return {
    clients: [client],
    clientAuthMethods: [method],
    cookies: { keys: ["a key for tests"] },
    ttl: {
      ...Object.fromEntries(KINDS.map((kind) => [kind, 600])),
      AccessToken: accessTokenLives,
    },
    pkce: { required: () => true },
    claims: { openid: ["sub"], profile: ["name"], email: ["email"] },
    conformIdTokenClaims: true,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, name: "Ada", email: "ada@example.org" }),
    }),
    // What a form would ask is granted.
    async loadExistingGrant({ oidc }: Context): Promise<Grant> {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  };
}
