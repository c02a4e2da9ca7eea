// What the stack of an error shows that was thrown in a coroutine.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { coroutine, type CoroutineGenerator, moment, Multi, Wait } from "../../gen/mod.ts";
import { Future, IOLoop } from "../../ioloop/mod.ts";

/** Runs `fn` in a loop and returns the functions on the stack of what it throws. */
async function callers(fn: () => unknown): Promise<string[]> {
  const loop = new IOLoop();
  try {
    await loop.run(fn as () => undefined);
  } catch (error) {
    return frames(error as Error);
  } finally {
    loop.close();
  }
  throw new Error("it did not fail");
}

function frames(error: Error): string[] {
  const stack = error.stack!;
  assert(!/\/(?:gen|ioloop)\/\w+\.ts/.test(stack.replaceAll("/tests/gen/", "/")), stack);
  assert(!stack.includes("<anonymous>"), stack);
  return [...stack.matchAll(/^ +at (?:async )?(\S+) \(.*stack_test\.ts/gm)].map(([, name]) =>
    name!
  );
}

const innermost = coroutine(function* innermost(early: boolean): CoroutineGenerator {
  if (!early) yield moment;
  throw new RangeError("at the bottom");
});

const middle = coroutine(function* middle(early: boolean) {
  yield* innermost(early);
});

function* delegated(early: boolean): CoroutineGenerator {
  yield* middle(early);
}

const outermost = coroutine(function* outermost(early: boolean) {
  yield* delegated(early);
});

Deno.test("an error thrown after a wait shows the yield* callers of its coroutine, innermost first", async () => {
  assertEquals(await callers(() => outermost(false)), [
    "innermost",
    "middle",
    "delegated",
    "outermost",
  ]);
});

Deno.test("an error thrown before the first wait shows each caller once", async () => {
  const seen = await callers(() => outermost(true));
  assertEquals(seen.slice(0, 4), ["innermost", "middle", "delegated", "outermost"]);
  assertEquals(new Set(seen).size, seen.length);
});

Deno.test("an error shows the lines of the yield* that it passed", async () => {
  const loop = new IOLoop();
  const error = await loop.run(() => outermost(false)).catch((error) => error as Error);
  loop.close();
  const lines = error!.stack!.split("\n");
  assertEquals(lines[0], "RangeError: at the bottom");
  assert(lines.slice(1).every((line) => /^ {4}at .*:\d+:\d+\)?$/.test(line)), error!.stack);
  assertStringIncludes(lines[2]!, "middle");
});

Deno.test("an error shows the callers that wait in a list, with a failed Future or a yield point", async () => {
  function* listed() {
    yield* Multi([innermost(false)]);
  }
  assertEquals(await callers(listed), ["innermost", "listed"]);
  function* failed() {
    yield moment;
    yield* Future.failed(new Error("made elsewhere"));
  }
  assertEquals((await callers(failed)).at(-1), "failed");
  function* pointed() {
    yield moment;
    yield* Wait("nobody's");
  }
  assertEquals((await callers(pointed)).at(-1), "pointed");
});

Deno.test("an error that is thrown on and on keeps a bounded stack", async () => {
  const deep = coroutine(function* deep(n: number): CoroutineGenerator {
    if (n === 0) yield* innermost(false);
    else yield* deep(n - 1);
  });
  const seen = await callers(() => deep(1000));
  assertEquals(seen.slice(0, 3), ["innermost", "deep", "deep"]);
  assert(seen.length < 100, `${seen.length} frames`);
});

Deno.test("an error whose stack was set, or that is frozen, is left as it is", async () => {
  const own = Object.assign(new Error("own"), { stack: "own stack" });
  const frozen = Object.freeze(new Error("frozen"));
  for (const error of [own, frozen, "no error"]) {
    const failing = coroutine(function* () {
      yield moment;
      throw error;
    });
    const outer = coroutine(function* () {
      yield* failing();
    });
    const loop = new IOLoop();
    const caught = await loop.run(() => outer()).catch((caught) => caught);
    loop.close();
    assert(caught === error);
  }
  assertEquals(own.stack, "own stack");
});

Deno.test("the stack of an error from a coroutine can be set, and is not enumerable", async () => {
  const loop = new IOLoop();
  const error = await loop.run(() => outermost(false)).catch((error) => error as Error);
  loop.close();
  assertEquals(Object.keys(error!), []);
  error!.stack = "another";
  assertEquals(error!.stack, "another");
});

Deno.test("the operation that failed stays on top of the stack, though it is one of the library", async () => {
  const loop = new IOLoop();
  const error = await loop.run(function* () {
    yield moment;
    new Future().result();
  }).catch((error) => error as Error);
  loop.close();
  assertStringIncludes(error!.stack!.split("\n")[1]!, "Future.result");
});
