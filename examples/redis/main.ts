/**
 * A small client of Redis.
 *
 * It teaches a client of one's own: a parser that knows no socket (`resp.ts`), pipelining, so
 * that callers share a connection without waiting for each other (`connection.ts`), and a pool
 * for those who need a connection for themselves (`pool.ts`).
 *
 * Run it beside a Redis server with `deno run -P=serve examples/redis/main.ts --port 6379`.
 *
 * @module
 */
import { Multi } from "@waterspout/waterspout/gen";
import { IOLoop } from "@waterspout/waterspout/ioloop";
import { print, readPlace } from "../serve_tcp.ts";
import { RedisPool } from "./pool.ts";

if (import.meta.main) {
  const { port, address } = readPlace(6379);
  const pool = new RedisPool({ host: address, port });
  await new IOLoop().run(function* () {
    yield* pool.use(function* (redis) {
      // A hundred commands, one packet there, one or two back.
      const key = "waterspout:visits";
      const counts = yield* Multi(Array.from({ length: 100 }, () => redis.call("INCR", key)));
      print(`Visits: ${counts[0]} to ${counts.at(-1)}`);
    });
    pool.close();
  });
}
