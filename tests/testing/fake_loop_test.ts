import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { sleep } from "../../gen/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { fakeLoop } from "../../testing/mod.ts";

/** Runs `body` beside a started loop whose time stands still. */
async function withFakeLoop(
  body: (loop: IOLoop, tick: (ms: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  await body(loop, tick);
  loop.stop();
  await done;
  loop.close();
}

Deno.test("fakeLoop() gives a current loop whose time starts where asked and stands still", async () => {
  const { loop, tick } = fakeLoop({ start: 500 });
  assertStrictEquals(IOLoop.current(), loop);
  assertEquals(loop.time(), 500);
  await new Promise((resolve) => setTimeout(resolve, 2));
  assertEquals(loop.time(), 500);
  await tick(1.5);
  assertEquals(loop.time(), 501.5);
  loop.close();
});

Deno.test("tick() runs the timeouts on its way at their own times, and no others", async () => {
  await withFakeLoop(async (loop, tick) => {
    const seen: [string, number][] = [];
    const note = (name: string) => seen.push([name, loop.time()]);
    loop.callLater(20, note, "second");
    loop.callLater(10, note, "first");
    loop.callLater(31, note, "later");
    await tick(30);
    assertEquals(seen, [["first", 10], ["second", 20]]);
    assertEquals(loop.time(), 30);
    await tick(1);
    assertEquals(seen.length, 3);
  });
});

Deno.test("tick() runs timeouts that are added on its way", async () => {
  await withFakeLoop(async (loop, tick) => {
    const times: number[] = [];
    const again = () => {
      times.push(loop.time());
      loop.callLater(10, again);
    };
    again();
    await tick(35);
    assertEquals(times, [0, 10, 20, 30]);
  });
});

Deno.test("tick() lets turns and microtasks come to rest at each deadline", async () => {
  await withFakeLoop(async (loop, tick) => {
    const seen: string[] = [];
    loop.callLater(5, async () => {
      for (let i = 0; i < 200; i++) await null;
      let left = 500;
      const chain = () => {
        if (left-- > 0) loop.addCallback(chain);
        else seen.push(`chain at ${loop.time()}`);
      };
      chain();
    });
    loop.callLater(6, () => seen.push("next deadline"));
    await tick(6);
    assertEquals(seen, ["chain at 5", "next deadline"]);
  });
});

Deno.test("tick(0) waits for what is due already", async () => {
  await withFakeLoop(async (loop, tick) => {
    let ran = false;
    loop.addCallback(() => ran = true);
    await tick(0);
    assert(ran);
  });
});

Deno.test("tick() only moves forward", async () => {
  const { loop, tick } = fakeLoop();
  await assertRejects(() => tick(-1), RangeError);
  assertEquals(loop.time(), 0);
  loop.close();
});

Deno.test("tick() says so when the loop does not come to rest", async () => {
  await withFakeLoop(async (loop, tick) => {
    let going = true;
    const endless = () => {
      if (going) loop.callLater(0, endless);
    };
    endless();
    await assertRejects(() => tick(1), Error, "does not come to rest");
    going = false;
  });
});

Deno.test("fakeLoop() moves sleep() and deadlines beyond what a runtime timer takes", async () => {
  const { loop, tick } = fakeLoop();
  const month = 30 * 24 * 3_600_000;
  const done = loop.run(function* () {
    yield* sleep(month);
    return loop.time();
  });
  await tick(month);
  assertEquals(await done, month);
  loop.close();
});

Deno.test("fakeLoop() does not run a removed timeout", async () => {
  await withFakeLoop(async (loop, tick) => {
    let ran = false;
    loop.removeTimeout(loop.callLater(10, () => ran = true));
    await tick(20);
    assert(!ran);
  });
});
