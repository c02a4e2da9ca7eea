/**
 * One page in four styles: each handler fetches from a slow service and passes on what came.
 *
 * It teaches how a handler waits: with a callback (`@asynchronous`), with `yield*`, with `Task`
 * around a function in callback style, and for several fetches at once with `Multi`. What the
 * service refuses or fails at becomes a 502, in each style in its own way.
 *
 * Run it with `deno run -P=serve examples/fetch_styles/main.ts`, then
 * `curl http://127.0.0.1:8888/callback/Oslo`; the other styles are `/yield/Oslo`, `/task/Oslo`
 * and `/parallel/Oslo,Rome,Lima`. `--service` names another service than the one built in.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { type CoroutineGenerator, Multi, sleep, Task } from "@waterspout/waterspout/gen";
import {
  HTTPClientError,
  type HTTPResponse,
  SimpleAsyncHTTPClient,
} from "@waterspout/waterspout/http";
import { Application, asynchronous, HTTPError, RequestHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { announce } from "../serve_tcp.ts";

const DELAY = 100; // ms that the service takes
const MAX_CITIES = 10;
const DEGREES: Readonly<Record<string, number>> = { Lima: 19, Oslo: 6, Rome: 16 };

/** Is the slow service: it knows how warm it is in three cities. */
class ServiceHandler extends RequestHandler {
  override *get(city: string): CoroutineGenerator {
    yield* sleep(DELAY);
    const degrees = DEGREES[city];
    if (degrees === undefined) throw new HTTPError(404, "unknown city");
    this.write({ city, degrees });
  }
}

abstract class WeatherHandler extends RequestHandler {
  get client(): SimpleAsyncHTTPClient {
    return this.settings["client"] as SimpleAsyncHTTPClient;
  }

  urlOf(city: string): string {
    // By default it is a part of us, on the port that we were reached on.
    const service = this.settings["service"] ??
      `http://${this.request.connection.localAddress}/service`;
    return `${service}/${encodeURIComponent(city)}`;
  }

  show(...responses: HTTPResponse[]): void {
    this.writeJson(responses.map((response) => response.json()));
  }
}

/** It goes on in a callback, which is called with an error too. */
class CallbackHandler extends WeatherHandler {
  @asynchronous // the answer is not finished when `get` returns
  override get(city: string): void {
    this.client.fetch(this.urlOf(city), (response) => {
      if (response.error !== null) throw badGateway(response.error); // becomes the answer
      this.show(response);
      this.finish();
    });
  }
}

/** It waits at `yield*`, where an error is thrown. */
class YieldHandler extends WeatherHandler {
  override *get(city: string): CoroutineGenerator {
    try {
      this.show(yield* this.client.fetch(this.urlOf(city)));
    } catch (error) {
      throw badGateway(error);
    }
  }
}

/** It waits for a function in callback style, as libraries have them. */
class TaskHandler extends WeatherHandler {
  override *get(city: string): CoroutineGenerator {
    const response = yield* Task(fetchWithCallback, this.client, this.urlOf(city));
    if (response.error !== null) throw badGateway(response.error);
    this.show(response);
  }
}

/** It waits for several at once: that takes as long as one. When one fails, the rest is given up. */
class ParallelHandler extends WeatherHandler {
  override *get(list: string): CoroutineGenerator {
    const cities = list.split(",");
    if (cities.length > MAX_CITIES) throw new HTTPError(400, `at most ${MAX_CITIES} cities`);
    try {
      this.show(...yield* Multi(cities.map((city) => this.client.fetch(this.urlOf(city)))));
    } catch (error) {
      throw badGateway(error);
    }
  }
}

function fetchWithCallback(
  client: SimpleAsyncHTTPClient,
  url: string,
  callback: (response: HTTPResponse) => void,
): void {
  client.fetch(url, callback);
}

/** What the service failed with is no failure of ours; anything else stays as it is. */
function badGateway(error: unknown): unknown {
  return error instanceof HTTPClientError || error instanceof Deno.errors.InvalidData // of TLS
    ? new HTTPError(502, error.message)
    : error;
}

/** Makes the application; `service` is the URL of another service than the one built in. */
export function makeFetchStyles(client: SimpleAsyncHTTPClient, service?: string): Application {
  return new Application([
    ["/service/([^/]+)", ServiceHandler],
    ["/callback/([^/]+)", CallbackHandler],
    ["/yield/([^/]+)", YieldHandler],
    ["/task/([^/]+)", TaskHandler],
    ["/parallel/([^/]+)", ParallelHandler],
  ], { client, service });
}

if (import.meta.main) {
  const { values: { port, address, service } } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
      service: { type: "string" },
    },
  });
  enablePrettyLogging();
  // It asks its own server, which waits for its connections at the end: none is kept.
  const client = new SimpleAsyncHTTPClient({ keepAlive: false, maxClients: 100 });
  await runServer(makeFetchStyles(client, service), {
    port: Number(port),
    address,
    onListen: announce("The weather", "/yield/Oslo"),
  });
  client.close();
}
