import type { Future } from "../ioloop/mod.ts";
import type { SslContext, SslOptions } from "../iostream/mod.ts";
import {
  AsyncHTTPClient,
  type FetchOptions,
  type HTTPResponse,
  HTTPServer,
  type HTTPServerApp,
  type HTTPServerOptions,
} from "../http/mod.ts";
import { AsyncTestCase } from "./async_test_case.ts";
import { bindUnusedPort } from "./bind_unused_port.ts";
import { selfSigned } from "./_self_signed.ts";

/**
 * Is a class of tests that have an HTTP server and a client each; see {@linkcode AsyncTestCase}
 * for the rest. The server runs what {@linkcode getApp} returns, on a free port of 127.0.0.1.
 *
 * @example
 * ```ts
 * import { AsyncHTTPTestCase } from "@waterspout/waterspout/testing";
 * import { Application, RequestHandler } from "@waterspout/waterspout/web";
 * import { assertEquals } from "@std/assert";
 *
 * class Hello extends RequestHandler {
 *   override get() {
 *     this.write("hello");
 *   }
 * }
 *
 * class HelloTest extends AsyncHTTPTestCase {
 *   override getApp() {
 *     return new Application([["/", Hello]]);
 *   }
 *
 *   *testHello() {
 *     const response = yield* this.fetch("/");
 *     assertEquals([response.code, response.text()], [200, "hello"]);
 *   }
 *
 *   async testNothingThere() {
 *     assertEquals((await this.fetch("/nowhere")).code, 404);
 *   }
 * }
 *
 * // HelloTest.register() makes a Deno.test of each method, which does this:
 * await new HelloTest().run("testHello");
 * ```
 */
export abstract class AsyncHTTPTestCase extends AsyncTestCase {
  /** What the server runs. */
  protected app!: HTTPServerApp;
  /** The server. */
  httpServer!: HTTPServer;
  /** The client. */
  httpClient!: AsyncHTTPClient;

  #port = 0;

  /** Returns what the server runs: an Application, or a function that is given requests. */
  abstract getApp(): HTTPServerApp;

  /** Makes the client. */
  getHttpClient(): AsyncHTTPClient {
    return AsyncHTTPClient.create({ ioLoop: this.ioLoop });
  }

  /** Makes the server. */
  getHttpServer(): HTTPServer {
    return new HTTPServer(this.app, { ioLoop: this.ioLoop, ...this.getHttpserverOptions() });
  }

  /** Returns options for the server. */
  getHttpserverOptions(): HTTPServerOptions {
    return {};
  }

  /** Returns the port of the server. */
  getHttpPort(): number {
    return this.#port;
  }

  /** Returns what URLs of the server begin with. */
  getProtocol(): "http" | "https" {
    return "http";
  }

  /** Returns the URL of a path of the server. */
  getUrl(path: string): string {
    return `${this.getProtocol()}://127.0.0.1:${this.#port}${path}`;
  }

  /** Starts server and client. */
  override setUp(): unknown {
    super.setUp();
    const { listener, port } = bindUnusedPort();
    this.#port = port;
    try {
      this.httpClient = this.getHttpClient();
      this.app = this.getApp();
      this.httpServer = this.getHttpServer();
    } catch (error) {
      listener.close();
      throw error;
    }
    this.httpServer.addListener(listener);
    return undefined;
  }

  /**
   * Fetches a path of the server, or a full URL. A status that is no success is an error only
   * with `raiseError: true`.
   */
  fetch(
    path: string,
    { raiseError = false, ...options }: FetchOptions = {},
  ): Future<HTTPResponse> {
    const url = /^https?:\/\//i.test(path) ? path : this.getUrl(path);
    return this.httpClient.fetch(url, { ...options, raiseError });
  }

  /** See {@linkcode AsyncTestCase}. @ignore */
  override _release(): unknown {
    super._release();
    (this.httpClient as AsyncHTTPClient | undefined)?.close();
    const server = this.httpServer as HTTPServer | undefined;
    server?.stop();
    return server?.closeAllConnections();
  }
}

/**
 * Is an {@linkcode AsyncHTTPTestCase} over TLS. The certificate of the server signs itself, and
 * the client does not look at it.
 *
 * @example
 * ```ts
 * import { AsyncHTTPSTestCase } from "@waterspout/waterspout/testing";
 * import { Application } from "@waterspout/waterspout/web";
 * import { assertEquals, assertMatch } from "@std/assert";
 *
 * class SecureTest extends AsyncHTTPSTestCase {
 *   override getApp() {
 *     return new Application();
 *   }
 *
 *   *testUrl() {
 *     assertMatch(this.getUrl("/"), /^https:/);
 *     assertEquals((yield* this.fetch("/")).code, 404);
 *   }
 * }
 *
 * await new SecureTest().run("testUrl");
 * ```
 */
export abstract class AsyncHTTPSTestCase extends AsyncHTTPTestCase {
  static #certificate: SslOptions | null = null;

  /** Returns a certificate for this machine and its key, made once in a process. */
  static defaultSslOptions(): SslOptions {
    return AsyncHTTPSTestCase.#certificate ??= selfSigned();
  }

  /** Returns how connections to the server are secured. */
  getSslOptions(): SslOptions | SslContext {
    return AsyncHTTPSTestCase.defaultSslOptions();
  }

  /** Makes a client that accepts any certificate. */
  override getHttpClient(): AsyncHTTPClient {
    return AsyncHTTPClient.create({
      forceInstance: true,
      ioLoop: this.ioLoop,
      defaults: { validateCert: false },
    });
  }

  /** Returns {@linkcode getSslOptions} for the server. */
  override getHttpserverOptions(): HTTPServerOptions {
    return { ...super.getHttpserverOptions(), sslOptions: this.getSslOptions() };
  }

  /** Returns `"https"`. */
  override getProtocol(): "http" | "https" {
    return "https";
  }
}
