import { assertEquals } from "@std/assert";
import { coroutine, type CoroutineGenerator, moment, Return } from "../../gen/mod.ts";

Deno.test("throw new Return(value) ends a coroutine as return does", async () => {
  const main = coroutine(function* (late: boolean): CoroutineGenerator<number> {
    if (late) yield moment;
    throw new Return(42);
  });
  assertEquals(main(false).result(), 42);
  assertEquals(await main(true), 42);
});

Deno.test("throw new Return() gives undefined, also out of a delegated generator", async () => {
  function* inner(): CoroutineGenerator {
    yield moment;
    throw new Return();
  }
  const main = coroutine(function* () {
    yield* inner();
    return "not reached";
  });
  assertEquals(await main(), undefined as unknown);
  assertEquals(new Return("value").value, "value");
});
