import { assert, assertEquals } from "@std/assert";
import { sleep } from "../../gen/mod.ts";
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
