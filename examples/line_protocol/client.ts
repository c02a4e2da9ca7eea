/**
 * A client of the calculator.
 *
 * It teaches how a connection is shared: a lock keeps the question and the answer of one
 * caller together, and a caller that is cancelled in between takes the connection down, since
 * nobody could tell whose the next answer is.
 *
 * Run it with `deno run -P=serve examples/line_protocol/client.ts ADD 1 2`.
 *
 * @module
 */
import { coroutine, type CoroutineGenerator, locks } from "@waterspout/waterspout/gen";
import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
import { type IOStream, TCPClient } from "@waterspout/waterspout/iostream";
import { print, readPlace } from "../serve_tcp.ts";
import { formatRequest, MAX_LINE, parseAnswer, parseRequest, type Request } from "./protocol.ts";

/** Asks the calculator. */
export class LineClient {
  readonly #stream: IOStream;
  readonly #lock = new locks.Lock();
  readonly #ask = coroutine(this.#exchange.bind(this));

  /** Takes over a stream. */
  constructor(stream: IOStream) {
    this.#stream = stream;
  }

  /** Connects. */
  static readonly connect: (host: string, port: number) => Future<LineClient> = coroutine(
    function* (host: string, port: number): CoroutineGenerator<LineClient> {
      const client = new TCPClient();
      try {
        return new LineClient(yield* client.connect(host, port, { timeout: 5000 }));
      } finally {
        client.close();
      }
    },
  );

  /** Adds numbers. */
  add(...numbers: number[]): Future<number> {
    return this.#number({ command: "ADD", numbers });
  }

  /** Multiplies numbers. */
  multiply(...numbers: number[]): Future<number> {
    return this.#number({ command: "MUL", numbers });
  }

  /** Sends a request and returns the answer; fails with `RefusedError` if it is one. */
  ask(request: Request): Future<string> {
    return this.#ask(request);
  }

  /** Ends the connection. */
  close(): void {
    this.#stream.close();
  }

  #number(request: Request): Future<number> {
    return Future.from(this.ask(request).then(Number));
  }

  *#exchange(request: Request): CoroutineGenerator<string> {
    using _turn = yield* this.#lock.acquire();
    let answered = false;
    try {
      this.#stream.write(formatRequest(request));
      const bytes = yield* this.#stream.readUntil("\n", { maxBytes: MAX_LINE });
      answered = true;
      return parseAnswer(new TextDecoder().decode(bytes).trimEnd());
    } finally {
      if (!answered) this.#stream.close();
    }
  }
}

if (import.meta.main) {
  const { port, address, rest } = readPlace(7001);
  await new IOLoop().run(function* () {
    const client = yield* LineClient.connect(address, port);
    print(yield* client.ask(parseRequest(rest.join(" "))));
    client.close();
  });
}
