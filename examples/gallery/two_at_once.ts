import { type CoroutineGenerator, Multi, sleep } from "@waterspout/waterspout/gen";
import { SimpleAsyncHTTPClient } from "@waterspout/waterspout/http";
import { HTTPError, RequestHandler } from "@waterspout/waterspout/web";

const MAX_MS = 10_000;

/** Answers after `ms` milliseconds; when its client leaves before, its sleep is cancelled. */
export class SlowHandler extends RequestHandler {
  override *get(): CoroutineGenerator {
    const ms = Number(this.getArgument("ms", "100"));
    if (!(ms >= 0 && ms <= MAX_MS)) throw new HTTPError(400, `ms must be 0 to ${MAX_MS}`);
    yield* sleep(ms);
    this.write(`slept ${ms} ms`);
  }
}

/** Shows a generator handler that waits for two fetches at once: it takes as long as one. */
export class TwoAtOnceHandler extends RequestHandler {
  // It asks its own server: connections that are kept would outlive that.
  readonly #client = new SimpleAsyncHTTPClient({ keepAlive: false });

  override *get(): CoroutineGenerator {
    // The port we were reached on: what the Host field says is the client's word.
    const url = `http://${this.request.connection.localAddress}/slow`;
    const began = performance.now();
    const [one, two] = yield* Multi([
      this.#client.fetch(`${url}?ms=300`),
      this.#client.fetch(`${url}?ms=400`),
    ]);
    const decode = (body: Uint8Array) => new TextDecoder().decode(body);
    this.write({
      answers: [decode(one.body), decode(two.body)],
      took: `${Math.round(performance.now() - began)} ms`,
    });
  }
}
