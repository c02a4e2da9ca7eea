/**
 * What tests are made of: tests as coroutines, an HTTP server and a client for a test, a loop
 * whose clock stands still, connections in memory, log messages that are expected. It may import
 * every other folder; none imports it.
 *
 * ```ts
 * import { fakeLoop } from "@waterspout/waterspout/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const { loop, tick } = fakeLoop();
 * const done = loop.start();
 * loop.callLater(60_000, () => loop.stop());
 * await tick(60_000);
 * await done;
 * assertEquals(loop.time(), 60_000);
 * ```
 *
 * @module
 */
export { AsyncHTTPSTestCase, AsyncHTTPTestCase } from "./async_http_test_case.ts";
export { AsyncTestCase, type WaitForStopOptions } from "./async_test_case.ts";
export { getAsyncTestTimeout } from "./async_test_timeout.ts";
export { bindUnusedPort, type BindUnusedPortOptions, type BoundPort } from "./bind_unused_port.ts";
export {
  expectLog,
  type ExpectLogOptions,
  type ExpectLogResult,
  type LogLevel,
} from "./expect_log.ts";
export { type FakeLoop, fakeLoop, type FakeLoopOptions } from "./fake_loop.ts";
export { type MemoryConn, memoryPair, type MemoryPairOptions } from "./memory_pair.ts";
export { genTest, type GenTestDecorator, type GenTestOptions } from "./gen_test.ts";
export {
  type HttpServerContext,
  withHttpServer,
  type WithHttpServerOptions,
} from "./with_http_server.ts";
