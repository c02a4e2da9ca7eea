import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { coroutine } from "../../gen/mod.ts";
import {
  CancelledError,
  DummyExecutor,
  dummyExecutor,
  type Executor,
  Future,
  IOLoop,
  type JobFunction,
  type JobResult,
  runOnExecutor,
  WorkerExecutor,
  type WorkerJob,
} from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import type * as jobs from "./_worker_jobs.ts";

const MODULE = import.meta.resolve("./_worker_jobs.ts");
const BROKEN = import.meta.resolve("./_worker_broken_module.ts");

/** Names a job of the module with jobs, with its type. */
function job<N extends keyof typeof jobs>(
  name: N,
): WorkerJob<typeof jobs[N] extends JobFunction ? typeof jobs[N] : JobFunction> {
  return { module: MODULE, name };
}

/** Runs `body` with an executor that is shut down behind it. */
async function withWorkers(
  workers: number,
  body: (executor: WorkerExecutor) => Promise<void>,
): Promise<void> {
  const executor = new WorkerExecutor({ workers });
  try {
    await body(executor);
  } finally {
    executor.shutdown();
  }
}

function sharedCell(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Waits, without blocking, until a job has changed `cell` from 0. */
async function changed(cell: Int32Array<SharedArrayBuffer>): Promise<void> {
  await Atomics.waitAsync(cell, 0, 0).value;
}

/** Is an executor that keeps what it was given and whether it was shut down. */
class RecordingExecutor extends DummyExecutor {
  readonly seen: unknown[] = [];
  shutdowns = 0;

  override submit<F extends JobFunction>(
    job: F | WorkerJob<F>,
    ...args: Parameters<F>
  ): Future<JobResult<F>> {
    this.seen.push(job, ...args);
    return super.submit(job, ...args);
  }

  override shutdown(): void {
    this.shutdowns++;
  }
}

Deno.test("WorkerExecutor.submit() gives the result of an exported function", async () => {
  await withWorkers(1, async (executor) => {
    const result: number = await executor.submit(job("double"), 21);
    assertEquals(result, 42);
    assertEquals(await executor.submit({ module: new URL(MODULE), name: "double" }, 4), 8);
  });
});

Deno.test("WorkerExecutor.submit() awaits an async function in the worker", async () => {
  await withWorkers(1, async (executor) => {
    assertEquals(await executor.submit(job("doubleLater"), 21), 42);
  });
});

Deno.test("WorkerExecutor.submit() is yielded with its type in a coroutine", async () => {
  await withWorkers(1, async (executor) => {
    const sum = coroutine(function* () {
      const [a, b] = [yield* executor.submit(job("double"), 1), 3];
      return a + b;
    });
    assertEquals(await sum(), 5);
  });
});

Deno.test("WorkerExecutor.submit() runs as many jobs at the same time as there are workers", async () => {
  await withWorkers(2, async (executor) => {
    const cell = sharedCell();
    // Each blocks its thread until the other one runs too.
    const both = [executor.submit(job("meet"), cell, 2), executor.submit(job("meet"), cell, 2)];
    assertEquals(await Promise.all(both), [2, 2]);
  });
});

Deno.test("WorkerExecutor.submit() makes workers as needed and lets the rest wait", async () => {
  await withWorkers(2, async (executor) => {
    assertEquals(Deno.inspect(executor), "WorkerExecutor { 0 idle, 0 running, 0 waiting }");
    const futures = [1, 2, 3, 4, 5].map((n) => executor.submit(job("double"), n));
    assertEquals(Deno.inspect(executor), "WorkerExecutor { 0 idle, 2 running, 3 waiting }");
    assertEquals(await Promise.all(futures), [2, 4, 6, 8, 10]);
    assertEquals(Deno.inspect(executor), "WorkerExecutor { 2 idle, 0 running, 0 waiting }");
  });
});

Deno.test("WorkerExecutor.submit() begins jobs in order, and a worker keeps its modules", async () => {
  await withWorkers(1, async (executor) => {
    const counts = [1, 2, 3].map(() => executor.submit(job("count")));
    assertEquals(await Promise.all(counts), [1, 2, 3]);
  });
});

Deno.test("WorkerExecutor.submit() fails with name, message and stack of the job's error", async () => {
  await withWorkers(1, async (executor) => {
    const error = await assertRejects(async () => await executor.submit(job("fail"), "no luck"));
    assertInstanceOf(error, Error);
    assertEquals([error.name, error.message], ["NoLuckError", "no luck"]);
    assertStringIncludes(error.stack!, "_worker_jobs.ts");
    assertEquals(await executor.submit(job("double"), 1), 2);
  });
});

Deno.test("WorkerExecutor.submit() shows a thrown value that is no error", async () => {
  await withWorkers(1, async (executor) => {
    await assertRejects(
      async () => await executor.submit(job("throwValue")),
      Error,
      "Job threw { code: 7 }",
    );
  });
});

Deno.test("WorkerExecutor.submit() fails when the module throws at import, and goes on", async () => {
  await withWorkers(1, async (executor) => {
    const error = await assertRejects(
      async () => await executor.submit({ module: BROKEN, name: "any" }),
      Error,
      "broken at import",
    );
    assertEquals(error.name, "SyntaxError");
    await assertRejects(
      async () => await executor.submit({ module: `${MODULE}.none`, name: "any" }),
      Error,
      "_worker_jobs.ts.none",
    );
    assertEquals(await executor.submit(job("double"), 1), 2);
  });
});

Deno.test("WorkerExecutor.submit() fails when the module exports no such function", async () => {
  await withWorkers(1, async (executor) => {
    for (const name of ["missing", "notCallable"]) {
      const error = await assertRejects(
        async () => await executor.submit({ module: MODULE, name }),
        Error,
        `Cannot run "${name}" of ${MODULE}: it exports no such function`,
      );
      assertEquals(error.name, "TypeError");
    }
  });
});

Deno.test("WorkerExecutor.submit() fails when an argument cannot be cloned, and goes on", async () => {
  await withWorkers(1, async (executor) => {
    const ahead = executor.submit(job("double"), 1);
    const waits = executor.submit({ module: MODULE, name: "double" }, () => {});
    const behind = executor.submit(job("double"), 3);
    assertEquals(await ahead, 2);
    assertEquals((await assertRejects(async () => await waits, Error)).name, "DataCloneError");
    assertEquals(await behind, 6);
  });
});

Deno.test("WorkerExecutor.submit() fails when the result cannot be cloned, and goes on", async () => {
  await withWorkers(1, async (executor) => {
    const error = await assertRejects(async () => await executor.submit(job("giveFunction")));
    assertEquals((error as Error).name, "DataCloneError");
    assertEquals(await executor.submit(job("double"), 1), 2);
  });
});

Deno.test("WorkerExecutor.submit() fails when its worker dies, and the next job gets a new one", async () => {
  await withWorkers(1, async (executor) => {
    for (
      const [name, why] of [
        ["failAside", /its worker died: .*aside/],
        ["exit", /its worker died: the job made it exit/],
        ["closeScope", /its worker died: the job made it exit/],
      ] as const
    ) {
      const dying = executor.submit(job(name));
      const behind = executor.submit(job("count"));
      const error = await assertRejects(async () => await dying, Error);
      assertMatch(error.message, why);
      assertStringIncludes(error.message, `Cannot finish "${name}" of ${MODULE}`);
      assertEquals(await behind, 1);
    }
  });
});

Deno.test("WorkerExecutor.submit() goes on when an idle worker dies, which is logged", async () => {
  await withWorkers(1, async (executor) => {
    await expectLog(["waterspout", "general"], /Idle worker died: .*later/, async () => {
      await executor.submit(job("failLater"));
      while (!Deno.inspect(executor).includes("0 idle")) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    assertEquals(await executor.submit(job("count")), 1);
  });
});

Deno.test("WorkerExecutor.submit() throws for a function and says what to give instead", () => {
  const executor = new WorkerExecutor();
  const error = assertThrows(() => executor.submit(function work() {}), TypeError);
  assertStringIncludes(error.message, "Cannot run function work in a worker");
  assertStringIncludes(error.message, "{ module: import.meta.resolve(");
});

Deno.test("WorkerExecutor.submit() throws for a module that is no absolute URL", () => {
  const executor = new WorkerExecutor();
  for (const module of ["./jobs.ts", "jobs", ""]) {
    assertThrows(
      () => executor.submit({ module, name: "double" }),
      TypeError,
      `Cannot run a job of module "${module}": expected an absolute URL`,
    );
  }
});

Deno.test("WorkerExecutor() throws for a number of workers that is not whole or below 1", () => {
  for (const workers of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new WorkerExecutor({ workers }), RangeError, `got ${workers}`);
  }
});

Deno.test("WorkerExecutor cancels a job that waits: it is never called", async () => {
  await withWorkers(1, async (executor) => {
    const cell = sharedCell();
    const ahead = executor.submit(job("double"), 1);
    const waits = executor.submit(job("mark"), cell);
    assert(waits.cancel("not needed"));
    assertEquals(Deno.inspect(executor), "WorkerExecutor { 0 idle, 1 running, 0 waiting }");
    await assertRejects(async () => await waits, CancelledError, "not needed");
    assertEquals(await ahead, 2);
    await executor.submit(job("double"), 1);
    assertEquals(cell[0], 0);
  });
});

Deno.test("WorkerExecutor cancels a job that runs by ending its worker, whatever it does", async () => {
  await withWorkers(1, async (executor) => {
    const cell = sharedCell();
    const before = await executor.submit(job("count"));
    const hangs = executor.submit(job("hang"), cell);
    const behind = executor.submit(job("count"));
    await changed(cell);
    assert(hangs.cancel());
    await assertRejects(async () => await hangs, CancelledError);
    assertEquals([before, await behind], [1, 1]); // another worker, so another count
  });
});

Deno.test("WorkerExecutor cancels the job of a coroutine that is cancelled", async () => {
  await withWorkers(1, async (executor) => {
    const cell = sharedCell();
    const work = coroutine(function* () {
      yield* executor.submit(job("hang"), cell);
    })();
    await changed(cell);
    work.cancel();
    await assertRejects(async () => await work, CancelledError);
    assertEquals(Deno.inspect(executor), "WorkerExecutor { 0 idle, 0 running, 0 waiting }");
  });
});

Deno.test("WorkerExecutor.shutdown() fails what runs and what waits, at once", async () => {
  const executor = new WorkerExecutor({ workers: 1 });
  const cell = sharedCell();
  const runs = executor.submit(job("hang"), cell);
  const waits = executor.submit(job("double"), 1);
  await changed(cell);
  executor.shutdown();
  assertEquals(
    [runs, waits].map((future) => (future.exception() as Error).message),
    ["hang", "double"].map((name) =>
      `Cannot finish "${name}" of ${MODULE}: the executor was shut down`
    ),
  );
  assertEquals(Deno.inspect(executor), "WorkerExecutor { 0 idle, 0 running, 0 waiting }");
});

Deno.test("WorkerExecutor.shutdown() refuses later jobs, and a second call does nothing", async () => {
  const executor = new WorkerExecutor({ workers: 1 });
  assertEquals(await executor.submit(job("double"), 1), 2);
  executor.shutdown();
  executor.shutdown();
  assertThrows(() => executor.submit(job("double"), 1), Error, "the executor was shut down");
});

Deno.test("dummyExecutor.submit() runs the function inline and passes its arguments", () => {
  let inside = true;
  const future = dummyExecutor.submit(
    (a: number, b: string) => {
      assert(inside);
      return a + b;
    },
    1,
    "x",
  );
  inside = false;
  assertEquals(future.result(), "1x");
});

Deno.test("dummyExecutor.submit() puts an error, thrown or rejected, into the Future", async () => {
  const error = new Error("mine");
  const thrown = dummyExecutor.submit(() => {
    throw error;
  });
  assertStrictEquals(thrown.exception(), error);
  const rejected = dummyExecutor.submit(() => Promise.reject(error));
  assertStrictEquals(await assertRejects(async () => await rejected), error);
});

Deno.test("dummyExecutor.submit() throws for a job that is no function", () => {
  assertThrows(() => dummyExecutor.submit(job("double"), 1), TypeError, "expected a function");
});

Deno.test("dummyExecutor.shutdown() leaves it usable", () => {
  dummyExecutor.shutdown();
  assertEquals(dummyExecutor.submit(() => 1).result(), 1);
});

Deno.test("runInExecutor() runs two jobs of the default executor at the same time", async () => {
  const loop = new IOLoop();
  try {
    const cell = sharedCell();
    // On one processor there would be one worker, and the two would wait for ever.
    if (navigator.hardwareConcurrency < 2) {
      loop.setDefaultExecutor(new WorkerExecutor({ workers: 2 }));
    }
    const results = await loop.run(function* () {
      const first = loop.runInExecutor(null, job("meet"), cell, 2);
      const second = loop.runInExecutor(null, job("meet"), cell, 2);
      return [yield* first, yield* second];
    });
    assertEquals(results, [2, 2]);
  } finally {
    loop.close();
  }
});

Deno.test("runInExecutor() brings errors in the Future", async () => {
  const loop = new IOLoop();
  const error = await assertRejects(
    () => loop.run(() => loop.runInExecutor(null, job("fail"), "no luck")),
    Error,
    "no luck",
  );
  assertEquals(error.name, "NoLuckError");
  loop.close();
});

Deno.test("runInExecutor() uses the executor that it is given", async () => {
  const loop = new IOLoop();
  const executor = new RecordingExecutor();
  const add = (a: number, b: number) => a + b;
  assertEquals(await loop.run(() => loop.runInExecutor(executor, add, 1, 2)), 3);
  assertEquals(executor.seen, [add, 1, 2]);
  loop.close();
  assertEquals(executor.shutdowns, 0);
});

Deno.test("runInExecutor() throws for the default executor of a closed loop", () => {
  const loop = new IOLoop();
  loop.close();
  assertThrows(() => loop.runInExecutor(null, job("double"), 1), Error, "the loop was closed");
  assertEquals(loop.runInExecutor(dummyExecutor, () => 1).result(), 1);
});

Deno.test("setDefaultExecutor() sets what null stands for; close() shuts it down", () => {
  const loop = new IOLoop();
  const [first, second] = [new RecordingExecutor(), new RecordingExecutor()];
  loop.setDefaultExecutor(first);
  loop.setDefaultExecutor(first);
  assertEquals(first.shutdowns, 0);
  assertEquals(loop.runInExecutor(null, () => 1).result(), 1);
  loop.setDefaultExecutor(second);
  assertEquals(first.shutdowns, 1);
  assertEquals(loop.runInExecutor(null, () => 2).result(), 2);
  assertEquals([first.seen.length, second.seen.length], [1, 1]);
  loop.close();
  loop.close();
  assertEquals([first.shutdowns, second.shutdowns], [1, 1]);
});

class Account {
  readonly executor = new RecordingExecutor();
  readonly other = new RecordingExecutor();
  readonly workers = new WorkerExecutor({ workers: 1 });
  readonly #balance = 10;

  @runOnExecutor
  plus(amount: number): number | Future<number> {
    return this.#balance + amount;
  }

  @runOnExecutor()
  minus(amount: number): number | Future<number> {
    return this.#balance - amount;
  }

  @runOnExecutor({ executor: "other" })
  times(factor: number): number | Future<number> {
    return this.#balance * factor;
  }

  readonly share = runOnExecutor(function (this: Account, parts: number): number {
    if (parts === 0) throw new RangeError("no parts");
    return this.#balance / parts;
  });

  readonly double = runOnExecutor({ executor: "workers" })(job("double"));
}

Deno.test("runOnExecutor() decorates a method: it runs on the executor of its object", async () => {
  const account = new Account();
  const future = account.plus(5);
  assertInstanceOf(future, Future);
  assertEquals(await future, 15);
  assertEquals(await account.minus(5), 5);
  assertEquals(account.executor.seen.length, 4); // two functions, two arguments
  assertEquals(account.other.seen.length, 0);
});

Deno.test("runOnExecutor() takes the executor from another property", async () => {
  const account = new Account();
  assertEquals(await account.times(5), 50);
  assertEquals([account.executor.seen.length, account.other.seen.length], [0, 2]);
});

Deno.test("runOnExecutor() wraps a plain function, whose errors go into the Future", async () => {
  const account = new Account();
  const half: number = await account.share(2);
  assertEquals(half, 5);
  assertEquals(account.executor.seen.length, 2);
  await assertRejects(async () => await account.share(0), RangeError, "no parts");
});

Deno.test("runOnExecutor() wraps a job for workers", async () => {
  const account = new Account();
  const four: number = await account.double(2);
  assertEquals(four, 4);
  account.workers.shutdown();
});

Deno.test("runOnExecutor() throws for a method and options together", () => {
  const both = runOnExecutor as unknown as (method: () => void, options: object) => void;
  assertThrows(
    () => both(() => {}, { executor: "other" }),
    TypeError,
    "give a method or options, not both",
  );
  assertThrows(() => both(() => {}, {}), TypeError, "give a method or options, not both");
});

Deno.test("runOnExecutor() throws where the object has no executor", () => {
  const method = runOnExecutor(() => 1);
  assertThrows(
    () => method.call({} as { executor: Executor }),
    TypeError,
    'its object has none in property "executor"',
  );
});
