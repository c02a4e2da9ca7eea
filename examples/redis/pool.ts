import { coroutine, type CoroutineGenerator, locks } from "@waterspout/waterspout/gen";
import type { Future } from "@waterspout/waterspout/ioloop";
import { RedisConnection } from "./connection.ts";

/** Options of {@linkcode RedisPool}. */
export interface RedisPoolOptions {
  host?: string;
  port?: number;
  /** The most connections at a time. */
  size?: number;
}

/**
 * Lends connections, for what cannot share one: transactions, blocking commands. Those that
 * are given back are used again, unless they have ended or a reply is still due: then nobody
 * can tell what state they are in.
 */
export class RedisPool {
  readonly #host: string;
  readonly #port: number;
  readonly #permits: locks.Semaphore;
  readonly #idle: RedisConnection[] = [];
  readonly #lent = new Set<RedisConnection>();
  #closed = false;

  constructor({ host = "127.0.0.1", port = 6379, size = 10 }: RedisPoolOptions = {}) {
    this.#host = host;
    this.#port = port;
    this.#permits = new locks.Semaphore(size);
  }

  /** How many connections are open. */
  get size(): number {
    return this.#idle.length + this.#lent.size;
  }

  /**
   * Waits for a connection, runs `body` with it as a coroutine, and takes it back however that
   * ends.
   */
  use<T>(body: (redis: RedisConnection) => CoroutineGenerator<T>): Future<T> {
    return this.#use(body) as Future<T>;
  }

  /** Closes all connections, also those that are lent. */
  close(): void {
    this.#closed = true;
    for (const redis of [...this.#idle.splice(0), ...this.#lent]) redis.close();
  }

  readonly #use = coroutine(this.#lend.bind(this));

  *#lend(
    body: (redis: RedisConnection) => CoroutineGenerator<unknown>,
  ): CoroutineGenerator<unknown> {
    using _permit = yield* this.#permits.acquire();
    if (this.#closed) throw new Error("Cannot lend a connection: the pool is closed");
    const redis = this.#takeIdle() ?? (yield* RedisConnection.connect(this.#host, this.#port));
    this.#lent.add(redis);
    try {
      return yield* body(redis);
    } finally {
      this.#lent.delete(redis);
      if (this.#closed || redis.closed || redis.pending > 0) redis.close();
      else this.#idle.push(redis);
    }
  }

  // The one that was used last: the others may grow old, and are closed by the server.
  #takeIdle(): RedisConnection | undefined {
    for (;;) {
      const redis = this.#idle.pop();
      if (redis === undefined || !redis.closed) return redis;
    }
  }
}
