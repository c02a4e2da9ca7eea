/**
 * Waterspout: a loop, streams, an HTTP/1.1 server, a web framework and WebSockets for Deno,
 * with coroutines written as generators.
 *
 * This module gives the public names of all folders: `ioloop/`, `gen/`, `iostream/`, `http/`,
 * `web/`, `websocket/`, `process/`, and `testing/`. Each can be imported by itself.
 *
 * ```ts
 * import { Application, type CoroutineGenerator, Future, IOLoop, RequestHandler, sleep } from "@waterspout/waterspout";
 * import { assertEquals } from "@std/assert";
 *
 * class Hello extends RequestHandler {
 *   override *get(): CoroutineGenerator {
 *     yield* sleep(1); // others are served meanwhile
 *     this.write("Hello, world");
 *   }
 * }
 *
 * await new IOLoop().run(function* () {
 *   const server = new Application([["/", Hello]]).listen(0, "127.0.0.1");
 *   const { port } = server.addresses[0] as Deno.NetAddr;
 *   const response = yield* Future.from(fetch(`http://127.0.0.1:${port}/`));
 *   assertEquals(yield* Future.from(response.text()), "Hello, world");
 *   yield* server.shutdown();
 * });
 * ```
 *
 * @module
 */
export * from "./ioloop/mod.ts";
export * from "./gen/mod.ts";
export * from "./iostream/mod.ts";
export * from "./http/mod.ts";
export * from "./web/mod.ts";
export * from "./websocket/mod.ts";
export * from "./process/mod.ts";
export * from "./testing/mod.ts";
