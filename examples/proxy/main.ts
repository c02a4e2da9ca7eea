/**
 * A reverse proxy that holds no more of a body than a piece or two, in either direction.
 *
 * It teaches streaming on both sides at once: `@streamRequestBody` gives the body piece by piece,
 * a queue with room for one hands the pieces to the client, and the answer begins before the
 * request has ended if that is what the upstream does. Whoever is slow slows the others down, and
 * when the browser leaves, the upstream is told.
 *
 * Run it with
 * `deno run -P=serve examples/proxy/main.ts --upstream http://127.0.0.1:9000 --port 8888`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { coroutine, type CoroutineGenerator, forEach, queues } from "@waterspout/waterspout/gen";
import {
  type BodyWriter,
  HTTPClientError,
  HTTPHeaders,
  HTTPTimeoutError,
  SimpleAsyncHTTPClient,
} from "@waterspout/waterspout/http";
import type { Future } from "@waterspout/waterspout/ioloop";
import {
  Application,
  HTTPError,
  RequestHandler,
  streamRequestBody,
} from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { print } from "../serve_tcp.ts";

const MAX_BODY = 10 * 1024 ** 3; // bytes
const BODY_TIMEOUT = 3_600_000; // ms
const CONNECT_TIMEOUT = 5000; // ms
// Fields that are about one connection (RFC 9110, 7.6.1); each side has its own.
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

@streamRequestBody
class ProxyHandler extends RequestHandler {
  readonly #pieces = new queues.Queue<Uint8Array | null>(1); // null is the end of the body
  #answered!: Future<void>;
  #upstreamIsDone = false;

  override prepare(): void {
    if (!this.request.uri.startsWith("/")) throw new HTTPError(400, "expected a path");
    this.request.connection.setMaxBodySize(MAX_BODY);
    this.request.connection.setBodyTimeout(BODY_TIMEOUT);
    // It begins now, before the body: it ends with this request, as all that is begun here does.
    this.#answered = coroutine(this.#answer.bind(this))();
    this.#answered.catch(() => {}); // whoever ends the request throws it
  }

  override *dataReceived(chunk: Uint8Array): CoroutineGenerator {
    // The wait is what slows the browser down.
    if (!this.#upstreamIsDone) yield* this.#pieces.put(chunk);
  }

  override get = this.#end;
  override head = this.#end;
  override post = this.#end;
  override put = this.#end;
  override patch = this.#end;
  override delete = this.#end;
  override options = this.#end;

  override onConnectionClose(): void {
    this.#answered.cancel("the browser left"); // whatever the method, also amid the body
  }

  override computeEtag(): null {
    return null; // the upstream says whether there is one
  }

  *#end(): CoroutineGenerator {
    if (!this.#upstreamIsDone && this.#hasBody) yield* this.#pieces.put(null);
    yield* this.#answered;
  }

  *#answer(): CoroutineGenerator {
    try {
      const response = yield* this.#client.stream(`${this.#upstream}${this.request.uri}`, {
        method: this.request.method,
        headers: this.#requestHeaders(),
        bodyProducer: this.#hasBody ? this.#produce.bind(this) : null,
        allowNonstandardMethods: true, // a POST without a body, a DELETE with one
        followRedirects: false,
        decompressResponse: false,
        connectTimeout: CONNECT_TIMEOUT,
        requestTimeout: 0,
      });
      this.setStatus(response.code, response.reason);
      this.clearHeader("Content-Type");
      for (const [name, value] of endToEnd(response.headers)) this.addHeader(name, value);
      yield* forEach(response, (chunk) => {
        this.write(chunk);
        return this.flush(); // done when the browser's kernel has room for more
      });
    } catch (error) {
      if (!(error instanceof HTTPClientError || error instanceof Deno.errors.InvalidData)) {
        throw error; // neither an upstream that does not answer nor one that fails in TLS
      }
      throw new HTTPError(error instanceof HTTPTimeoutError ? 504 : 502, error.message);
    } finally {
      this.#upstreamIsDone = true; // it need not have read the body
      while (!this.#pieces.empty()) this.#pieces.getNowait();
    }
  }

  *#produce(write: BodyWriter): CoroutineGenerator {
    for (;;) {
      const piece = yield* this.#pieces.get();
      if (piece === null) return;
      yield* write(piece);
    }
  }

  #requestHeaders(): HTTPHeaders {
    const { request } = this;
    const headers = new HTTPHeaders();
    for (const [name, value] of endToEnd(request.headers)) {
      if (name !== "Host" && name !== "Expect") headers.add(name, value);
    }
    headers.add("X-Forwarded-For", request.remoteIp);
    headers.set("X-Forwarded-Proto", request.protocol);
    headers.set("X-Forwarded-Host", request.host);
    return headers;
  }

  get #hasBody(): boolean {
    const { headers } = this.request;
    return headers.has("Transfer-Encoding") || Number(headers.get("Content-Length", "0")) > 0;
  }

  get #client(): SimpleAsyncHTTPClient {
    return this.settings["client"] as SimpleAsyncHTTPClient;
  }

  get #upstream(): string {
    return this.settings["upstream"] as string;
  }
}

/** The fields that are not about one connection. */
function* endToEnd(headers: HTTPHeaders): Generator<[string, string]> {
  const named = headers.get("Connection", "").split(",").map((name) => name.trim().toLowerCase());
  for (const [name, value] of headers.getAll()) {
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.includes(lower) && !named.includes(lower)) yield [name, value];
  }
}

/** Makes the application; `upstream` is an origin, such as `http://127.0.0.1:9000`. */
export function makeProxy(upstream: string, client: SimpleAsyncHTTPClient): Application {
  return new Application([[".*", ProxyHandler]], { upstream: new URL(upstream).origin, client });
}

if (import.meta.main) {
  const { values: { port, address, upstream } } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
      upstream: { type: "string", default: "http://127.0.0.1:9000" },
    },
  });
  enablePrettyLogging();
  const client = new SimpleAsyncHTTPClient({ maxClients: 1000, maxBodySize: MAX_BODY });
  await runServer(makeProxy(upstream, client), {
    port: Number(port),
    address,
    onListen(server) {
      const { hostname, port } = server.addresses[0] as Deno.NetAddr;
      print(`${upstream} is open on http://${hostname}:${port}/ (Ctrl-C ends it)`);
    },
  });
  client.close();
}
