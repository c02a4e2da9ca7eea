import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { sleep } from "../../gen/mod.ts";
import { CancelledError, IOLoop } from "../../ioloop/mod.ts";
import { fakeLoop } from "../../testing/mod.ts";

Deno.test("sleep() is done after its time on the current loop", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const [slept, now] = [sleep(10), sleep(0)];
  await tick(9);
  assert(now.done());
  assert(!slept.done());
  await tick(1);
  assertEquals(slept.result(), undefined);
  loop.stop();
  await done;
});

Deno.test("sleep() that is cancelled removes its timer", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const slept = sleep(10);
  assert(slept.cancel());
  assert(slept.cancelled());
  await tick(20); // setting the result of a cancelled Future would be logged as an error
  loop.stop();
  await done;
});

Deno.test("sleep() with a signal ends when that is aborted, before or during the wait", async () => {
  await new IOLoop().run(function* () {
    const controller = new AbortController();
    const sleeping = sleep(60_000, { signal: controller.signal });
    IOLoop.current().addCallback(() => controller.abort("enough"));
    let failure: unknown;
    try {
      yield* sleeping;
    } catch (error) {
      failure = error;
    }
    assertInstanceOf(failure, CancelledError);
    assertEquals(sleep(60_000, { signal: controller.signal }).cancelled(), true);
    yield* sleep(1, { signal: new AbortController().signal });
  });
});
