// A line is kept until it has come back. The server sends back what it gets, in order, so the
// oldest line that is kept is the next to come; when the connection breaks, those that are kept
// are sent again on the next one. None is lost, and none is shown twice.
import { coroutine, type CoroutineGenerator, sleep } from "@waterspout/waterspout/gen";
import type { Future } from "@waterspout/waterspout/ioloop";
import { type IOStream, StreamClosedError, TCPClient } from "@waterspout/waterspout/iostream";

const MAX_LINE = 16 * 1024;
const CONNECT_TIMEOUT = 5000; // ms

/** Options of {@linkcode EchoLink}. */
export interface EchoLinkOptions {
  host: string;
  port: number;
  /** Is called with each line that came back. */
  onLine: (line: string) => void;
  /** Is called whenever the connection is made, or lost. */
  onChange: (connected: boolean) => void;
  /**
   * The ms before the second attempt; each further one waits twice as long.
   *
   * @default {250}
   */
  firstRetry?: number;
  /**
   * The ms that an attempt waits at most.
   *
   * @default {30000}
   */
  lastRetry?: number;
  /**
   * How many lines may be on their way.
   *
   * @default {100}
   */
  maxLines?: number;
}

/** Sends lines to an echo server, and connects again when the connection is lost. */
export class EchoLink {
  readonly #options: Required<EchoLinkOptions>;
  readonly #running: Future<void>;
  readonly #kept: string[] = []; // sent, or to be sent, and not come back
  #stream: IOStream | null = null; // there while it is connected

  /** Begins to connect. */
  constructor(options: EchoLinkOptions) {
    this.#options = { firstRetry: 250, lastRetry: 30_000, maxLines: 100, ...options };
    this.#running = coroutine(this.#run.bind(this))();
    this.#running.catch(() => {}); // it ends by being cancelled
  }

  /** Whether it is connected. */
  get connected(): boolean {
    return this.#stream !== null;
  }

  /** Takes a line, which must not hold a line break; false if too many are on their way. */
  send(line: string): boolean {
    if (this.#kept.length === this.#options.maxLines) return false;
    this.#kept.push(line);
    this.#write(line);
    return true;
  }

  /** Ends the connection, for good. */
  close(): void {
    this.#running.cancel("the link is closed");
  }

  *#run(): CoroutineGenerator {
    const { host, port, onChange, firstRetry, lastRetry } = this.#options;
    const client = new TCPClient();
    try {
      for (let retry = firstRetry;;) {
        try {
          this.#stream = yield* client.connect(host, port, { timeout: CONNECT_TIMEOUT });
          retry = firstRetry; // it is there: should it go, the next attempt comes soon
          onChange(true);
          for (const line of this.#kept) this.#write(line);
          yield* this.#receive(this.#stream);
        } catch (error) {
          if (!isLost(error)) throw error;
        } finally {
          const wasConnected = this.#stream !== null;
          this.#stream?.close();
          this.#stream = null;
          if (wasConnected) onChange(false);
        }
        // At random, so that not all who lost a server come back in the same moment.
        yield* sleep(retry * (0.5 + Math.random() / 2));
        retry = Math.min(2 * retry, lastRetry);
      }
    } finally {
      client.close();
    }
  }

  *#receive(stream: IOStream): CoroutineGenerator<never> {
    const decoder = new TextDecoder();
    for (;;) {
      const line = decoder.decode(yield* stream.readUntil("\n", { maxBytes: MAX_LINE }));
      this.#kept.shift();
      this.#options.onLine(line.slice(0, -1));
    }
  }

  #write(line: string): void {
    // Whether it arrived is seen when it comes back.
    this.#stream?.write(`${line}\n`).catch(() => {});
  }
}

/** Whether the other side is to blame: anything else is a mistake of ours. */
function isLost(error: unknown): boolean {
  return error instanceof StreamClosedError || (error as Error).name === "TimeoutError" ||
    (error as { code?: unknown }).code !== undefined;
}
