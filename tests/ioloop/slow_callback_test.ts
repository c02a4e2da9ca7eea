import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { coroutine, moment } from "../../gen/mod.ts";
import { IOLoop, type SlowCallback } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";

const THRESHOLD_MS = 5;

function hold(): void {
  const end = performance.now() + 2 * THRESHOLD_MS;
  while (performance.now() < end);
}

/** Runs the loop until a turn behind what `body` added, and returns what was slow. */
async function slowOnes(
  body: (loop: IOLoop) => unknown,
  threshold = THRESHOLD_MS,
): Promise<SlowCallback[]> {
  const loop = new IOLoop();
  const slow: SlowCallback[] = [];
  loop.setBlockingSignalThreshold(threshold, (info) => slow.push(info));
  body(loop);
  loop.callLater(1, () => loop.addCallback(() => loop.stop()));
  await loop.start();
  loop.close();
  return slow;
}

Deno.test("setBlockingSignalThreshold() tells which callback held the loop, for how long and who added it", async () => {
  const slow = await slowOnes((loop) => loop.addCallback(hold));
  const found = slow.find(({ callback }) => callback === hold)!;
  assert(found.ms >= 2 * THRESHOLD_MS);
  assertStringIncludes(found.source!, "slow_callback_test.ts");
  assertEquals(await slowOnes((loop) => loop.addCallback(hold), 3_600_000), []);
});

Deno.test("setBlockingSignalThreshold() tells of timeouts, failing callbacks and steps of coroutines", async () => {
  function failing(): void {
    hold();
    throw new Error("failing");
  }
  function* stepping() {
    yield moment;
    hold();
  }
  const slow = await slowOnes((loop) => {
    loop.handleCallbackException = () => {};
    loop.callLater(0, hold);
    loop.addCallback(failing);
    loop.addCallback(() => void coroutine(stepping)());
  });
  const callbacks = new Set<unknown>(slow.map(({ callback }) => callback));
  assert(callbacks.isSupersetOf(new Set<unknown>([hold, failing, stepping])));
});

Deno.test("setBlockingSignalThreshold() tells of the handler of a source", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const loop = new IOLoop();
  const slow: SlowCallback[] = [];
  loop.setBlockingSignalThreshold(THRESHOLD_MS, (info) => slow.push(info));
  function handler(): void {
    channel.take()!.close();
    hold();
    loop.stop();
  }
  const channel = loop.addHandler(listener, handler, IOLoop.READ);
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await loop.start();
  loop.close({ allSources: true });
  conn.close();
  assert(slow.some(({ callback }) => callback === handler));
});

Deno.test("setBlockingSignalThreshold() with null is off, and the loop survives an action that throws", async () => {
  const loop = new IOLoop();
  const errors: string[] = [];
  loop.handleCallbackException = (_callback, error) => errors.push((error as Error).message);
  loop.setBlockingSignalThreshold(0, () => {
    throw new Error("in the action");
  });
  loop.addCallback(() => {
    loop.addCallback(() => {
      loop.setBlockingSignalThreshold(null);
      loop.addCallback(() => loop.stop());
    });
  });
  await loop.start();
  loop.close();
  assertEquals(errors, ["in the action", "in the action"]);
  for (const ms of [-1, NaN]) {
    assertThrows(() => loop.setBlockingSignalThreshold(ms), RangeError, `${ms} ms`);
  }
});

Deno.test("setBlockingLogThreshold() warns with duration, name and place", async () => {
  const { matched } = await expectLog(["waterspout", "general"], /blocked/, async () => {
    const loop = new IOLoop();
    loop.setBlockingLogThreshold(THRESHOLD_MS);
    loop.addCallback(hold);
    loop.addCallback(() => loop.stop());
    await loop.start();
    loop.close();
  });
  assertEquals(matched.length, 1);
  const [, ms, name, place] = /for (\d+) ms by (\w+), added (.*)$/.exec(matched[0]!)!;
  assert(Number(ms) >= 2 * THRESHOLD_MS);
  assertEquals(name, "hold");
  assertStringIncludes(place!, "slow_callback_test.ts");
});

// The error left the step: the process ended of an unhandled rejection.
Deno.test("setBlockingSignalThreshold() reports an action that throws behind a coroutine's step", async () => {
  const loop = new IOLoop();
  loop.setBlockingSignalThreshold(0, () => {
    throw new Error("broken action");
  });
  await expectLog(["waterspout", "application"], /broken action/, () =>
    loop.run(function* () {
      yield moment;
      yield moment;
    }), { required: true });
});
