import { assert, assertEquals, assertRejects } from "@std/assert";
import { bindUnusedPort } from "../../testing/mod.ts";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { type IOStream, StreamClosedError, TCPServer } from "../../iostream/mod.ts";
import { RedisConnection } from "../../examples/redis/connection.ts";
import { RedisPool } from "../../examples/redis/pool.ts";
import { RedisError, RespSyntaxError } from "../../examples/redis/resp.ts";
import { installed, run } from "./_programs.ts";

// The tests that need a real server are ignored where Debian's package `redis-server` is
// missing.
const ignore = !await installed("redis-server");

// Runs `body` beside a Redis server that keeps nothing on disk.
async function withRedis(body: (port: number) => Promise<void>): Promise<void> {
  const { listener, port } = bindUnusedPort();
  listener.close();
  const server = new Deno.Command("redis-server", {
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    cwd: "/",
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const log = server.stdout.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let text = ""; !text.includes("Ready to accept connections");) {
      const { value, done } = await log.read();
      if (done) throw new Error(`redis-server did not start: ${text}`);
      text += value;
    }
    await new IOLoop().run(() => body(port), { timeout: 20_000 });
  } finally {
    server.kill("SIGTERM");
    while (!(await log.read()).done);
    await server.status;
  }
}

/** Answers with what the test says, instead of Redis. */
class Fake extends TCPServer {
  readonly #handle: (stream: IOStream) => unknown;

  constructor(handle: (stream: IOStream) => unknown) {
    super();
    this.#handle = handle;
  }

  override handleStream(stream: IOStream): unknown {
    return this.#handle(stream);
  }
}

function withFake(
  handle: (stream: IOStream) => unknown,
  body: (redis: RedisConnection) => Promise<void>,
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = new Fake(handle);
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const redis = await RedisConnection.connect("127.0.0.1", port);
    await body(redis);
    redis.close();
    assertEquals(await server.drain({ timeout: 1000 }), { cut: 0 });
  }, { timeout: 10_000 });
}

Deno.test({
  name: "RedisConnection talks to Redis: values, bytes, nothing, numbers, lists, errors",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const redis = await RedisConnection.connect("127.0.0.1", port);
      assertEquals(await redis.set("a", "grüße"), "OK");
      assertEquals(await redis.get("a"), "grüße");
      assertEquals(await redis.get("nothing"), null);
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await redis.set("bytes", bytes);
      assertEquals(await redis.call("GET", "bytes"), bytes);
      assertEquals(await redis.call("INCRBY", "n", 5), 5);
      assertEquals(await redis.call("RPUSH", "list", "x", "y"), 2);
      const list = await redis.call("LRANGE", "list", 0, -1);
      assertEquals(list, ["x", "y"].map((text) => new TextEncoder().encode(text)));
      assertEquals(await redis.call("LRANGE", "none", 0, -1), []);
      await assertRejects(() => redis.call("LPOP", "a").then(), RedisError, "WRONGTYPE");
      await assertRejects(() => redis.call("NOSUCH").then(), RedisError, "unknown command");
      assertEquals(await redis.call("PING"), "PONG"); // an error harms nobody
      redis.close();
      await assertRejects(() => redis.call("PING").then(), StreamClosedError);
    }),
});

Deno.test({
  name: "RedisConnection carries a large value, and many commands at once in order",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const redis = await RedisConnection.connect("127.0.0.1", port);
      const large = new Uint8Array(5 << 20).map((_, i) => i * 7);
      const [, ...counts] = await Promise.all([
        redis.set("large", large),
        ...Array.from({ length: 5000 }, () => redis.call("INCR", "n")),
      ]);
      assertEquals(counts, Array.from({ length: 5000 }, (_, i) => i + 1));
      assertEquals(await redis.call("GET", "large"), large);
      assertEquals(redis.pending, 0);
      redis.close();
    }),
});

Deno.test({
  name: "RedisConnection gives the replies of others rightly when a caller gave up",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const redis = await RedisConnection.connect("127.0.0.1", port);
      const replies = [1, 2, 3].map((n) => redis.call("ECHO", String(n)));
      replies[1]!.cancel();
      const decoder = new TextDecoder();
      assertEquals(decoder.decode(await replies[0] as Uint8Array), "1");
      assertEquals(decoder.decode(await replies[2] as Uint8Array), "3");
      redis.close();
    }),
});

Deno.test({
  name: "RedisConnection sets a value for a time",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const redis = await RedisConnection.connect("127.0.0.1", port);
      await redis.set("a", "1", { px: 60_000 });
      const left = await redis.call("PTTL", "a") as number;
      assert(left > 0 && left <= 60_000, String(left));
      redis.close();
    }),
});

Deno.test({
  name: "RedisConnection tells everybody who waits when the server ends the connection",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const redis = await RedisConnection.connect("127.0.0.1", port);
      const waiting = redis.call("BLPOP", "empty", 0);
      const other = await RedisConnection.connect("127.0.0.1", port);
      const failed = assertRejects(() => waiting.then(), StreamClosedError);
      await other.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await failed;
      assert(redis.closed);
      other.close();
    }),
});

Deno.test({
  name: "RedisPool lends each connection to one at a time, and uses it again",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const pool = new RedisPool({ port, size: 2 });
      let most = 0;
      let working = 0;
      const work = () =>
        pool.use(function* (redis): CoroutineGenerator<unknown> {
          most = Math.max(most, ++working);
          yield* redis.call("MULTI");
          yield* redis.call("INCR", "n");
          yield* redis.call("INCR", "n");
          const counts = yield* redis.call("EXEC");
          working--;
          return counts;
        });
      const results = await Promise.all(Array.from({ length: 10 }, work)) as [number, number][];
      for (const [first, second] of results) assertEquals(second, first + 1);
      assertEquals(Math.max(...results.flat()), 20);
      assertEquals([most, pool.size], [2, 2]);
      pool.close();
      await assertRejects(() => work().then(), Error, "the pool is closed");
    }),
});

Deno.test({
  name: "RedisPool drops a connection on which a reply is due, and one that ended",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const pool = new RedisPool({ port, size: 1 });
      const blocked = pool.use(function* (redis) {
        yield* redis.call("BLPOP", "empty", 0);
      });
      while (pool.size === 0) await sleep(1);
      blocked.cancel();
      await blocked.catch(() => {});
      assertEquals(pool.size, 0);
      const pong = pool.use(function* (redis) {
        return yield* redis.call("PING");
      });
      assertEquals(await pong, "PONG");
      assertEquals(pool.size, 1);
      const ended = pool.use(function* (redis) {
        yield* redis.call("QUIT");
        while (!redis.closed) yield* sleep(1);
      });
      await ended;
      assertEquals(pool.size, 0);
      pool.close();
    }),
});

Deno.test("RedisConnection fails when the peer does not speak its protocol", () =>
  withFake(function* (stream): CoroutineGenerator {
    yield* stream.readUntil("PING\r\n");
    stream.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  }, async (redis) => {
    const error = await assertRejects(() => redis.call("PING").then(), StreamClosedError);
    assert(error.realError instanceof RespSyntaxError);
  }));

Deno.test("RedisConnection fails what is pending when the peer closes within a reply", async () => {
  const reply = "*2\r\n$5\r\nhello\r\n:1\r\n";
  for (let at = 0; at < reply.length; at++) {
    await withFake(function* (stream): CoroutineGenerator {
      yield* stream.readUntil("PING\r\n");
      stream.write(reply.slice(0, at));
      stream.close();
    }, async (redis) => {
      await assertRejects(() => redis.call("PING").then(), StreamClosedError);
    });
  }
});

Deno.test("RedisConnection drops replies that nobody asked for", () =>
  withFake(function* (stream): CoroutineGenerator {
    stream.write("+early\r\n");
    yield* stream.readUntil("PING\r\n");
    stream.write("+PONG\r\n");
  }, async (redis) => {
    await sleep(10);
    assertEquals(await redis.call("PING"), "PONG");
  }));

Deno.test({
  name: "the Redis example works as a program",
  ignore,
  fn: () =>
    withRedis(async (port) => {
      const output = await run(Deno.execPath(), [
        "run",
        "-P=serve",
        "examples/redis/main.ts",
        "--port",
        String(port),
      ]);
      assertEquals(output, "Visits: 1 to 100\n");
    }),
});
