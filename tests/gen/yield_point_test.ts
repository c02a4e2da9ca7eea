import { assertEquals, assertRejects } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import {
  coroutine,
  type CoroutineGenerator,
  YieldPoint,
  type YieldPointRunner,
} from "../../gen/mod.ts";

/** Is ready when its key is; keeps count of what the runner calls. */
class Counting extends YieldPoint<number> {
  readonly calls: string[] = [];
  runner: YieldPointRunner | null = null;

  start(runner: YieldPointRunner): void {
    this.calls.push("start");
    this.runner = runner;
    runner.registerCallback(this);
  }

  isReady(): boolean {
    this.calls.push("isReady");
    return this.runner!.isReady(this);
  }

  getResult(): number {
    this.calls.push("getResult");
    return this.runner!.popResult(this) as number;
  }
}

Deno.test("a YieldPoint is started once, asked until it is ready, and gives its result once", async () => {
  const point = new Counting();
  const main = coroutine(function* () {
    const result = yield* point;
    assertType<IsExact<typeof result, number>>(true);
    return result;
  });
  const future = main();
  assertEquals(point.calls, ["start", "isReady"]);
  point.runner!.resultCallback(point)(42);
  assertEquals(point.calls.length, 2); // not inside the callback
  assertEquals(await future, 42);
  assertEquals(point.calls, ["start", "isReady", "isReady", "getResult"]);
});

Deno.test("a YieldPoint in a list gives its result among the others", async () => {
  const [one, two] = [new Counting(), new Counting()];
  const main = coroutine(function* (): CoroutineGenerator<unknown> {
    return yield [one, { two }, Promise.resolve("three")];
  });
  const future = main();
  two.runner!.setResult(two, 2);
  one.runner!.setResult(one, 1);
  assertEquals(await future, [1, { two: 2 }, "three"]);
});

Deno.test("an error in any method of a YieldPoint is thrown at the yield", async () => {
  for (const method of ["start", "isReady", "getResult"] as const) {
    class Failing extends YieldPoint<void> {
      #fail(where: string): void {
        if (where === method) throw new RangeError(where);
      }

      start(): void {
        this.#fail("start");
      }

      isReady(): boolean {
        this.#fail("isReady");
        return true;
      }

      getResult(): void {
        this.#fail("getResult");
      }
    }
    const main = coroutine(function* () {
      yield* new Failing();
    });
    await assertRejects(() => Promise.resolve(main()), RangeError, method);
  }
});
