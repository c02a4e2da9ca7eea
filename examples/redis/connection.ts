// One connection, pipelined: commands are written as they come, and replies are given out in
// the same order, so any number of callers share it without a lock. What is written in one
// turn leaves in one packet.
//
// A caller that is cancelled leaves its place in the line, since its reply will come all the
// same. When the connection ends, everybody who waits is told.
import { coroutine, type CoroutineGenerator } from "@waterspout/waterspout/gen";
import { Future } from "@waterspout/waterspout/ioloop";
import {
  type IOStream,
  StreamClosedError,
  TCPClient,
  type TCPConnectOptions,
} from "@waterspout/waterspout/iostream";
import { encodeCommand, RedisError, type Reply, RespParser } from "./resp.ts";

const CHUNK = 65536;
const decoder = new TextDecoder();

/** Is what a command is made of. */
export type Argument = string | number | Uint8Array;

/** A connection to Redis. */
export class RedisConnection {
  readonly #stream: IOStream;
  readonly #parser = new RespParser();
  readonly #waiting: Future<Reply>[] = []; // in the order of their commands

  /** Takes over a stream. */
  constructor(stream: IOStream) {
    this.#stream = stream;
    stream.setNoDelay(true);
    stream.ioLoop.spawnCallback(coroutine(this.#receive.bind(this)));
  }

  /** Connects. */
  static readonly connect: (
    host?: string,
    port?: number,
    options?: TCPConnectOptions,
  ) => Future<RedisConnection> = coroutine(
    function* (
      host: string = "127.0.0.1",
      port: number = 6379,
      options: TCPConnectOptions = {},
    ): CoroutineGenerator<RedisConnection> {
      const client = new TCPClient();
      try {
        const stream = yield* client.connect(host, port, { timeout: 5000, ...options });
        return new RedisConnection(stream);
      } finally {
        client.close();
      }
    },
  );

  /** How many replies are due. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#stream.closed();
  }

  /**
   * Sends a command and returns the Future of its reply; an error that Redis answers fails
   * it. Text goes out as UTF-8, bulk replies come as bytes.
   */
  call(...args: Argument[]): Future<Reply> {
    const future = new Future<Reply>();
    try {
      this.#stream.write(encodeCommand(args)).catch(() => {}); // whoever waits is told anyway
      this.#waiting.push(future);
    } catch (error) {
      future.setException(error);
    }
    return future;
  }

  /** Returns a value as text, null when there is none. */
  get(key: string): Future<string | null> {
    return Future.from(
      this.call("GET", key).then((reply) =>
        reply instanceof Uint8Array ? decoder.decode(reply) : null
      ),
    );
  }

  /** Sets a value, for `px` ms if that is given. */
  set(key: string, value: Argument, { px }: { px?: number } = {}): Future<Reply> {
    return px === undefined ? this.call("SET", key, value) : this.call("SET", key, value, "PX", px);
  }

  /** Ends the connection; commands whose reply is due fail. */
  close(): void {
    this.#stream.close();
  }

  *#receive(): CoroutineGenerator {
    let reason: unknown = null;
    try {
      for (;;) {
        const bytes = yield* this.#stream.readBytes(CHUNK, { partial: true });
        for (const reply of this.#parser.push(bytes)) this.#give(reply);
      }
    } catch (error) {
      reason = error; // the stream ended, or what came is no reply
    }
    this.#stream.close();
    const error = reason instanceof StreamClosedError ? reason : new StreamClosedError(reason);
    for (const future of this.#waiting.splice(0)) {
      if (!future.done()) future.setException(error);
    }
  }

  #give(reply: Reply): void {
    const future = this.#waiting.shift();
    if (future === undefined || future.done()) return; // nobody asked, or gave up
    if (reply instanceof RedisError) future.setException(reply);
    else future.setResult(reply);
  }
}
