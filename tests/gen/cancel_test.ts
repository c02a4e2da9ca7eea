// Every way to be cancelled: by whom, when, and what the coroutine does about it.
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Callback,
  CancelledError,
  Coroutine,
  coroutine,
  type CoroutineGenerator,
  moment,
  Multi,
  shield,
  sleep,
  Wait,
  withTimeout,
} from "../../gen/mod.ts";
import { Future, TimeoutError } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { expectLog, memoryPair } from "../../testing/mod.ts";
import { withFakeLoop } from "./_with_fake_loop.ts";

const CLEANUP_MS = 5000; // what coroutines have for the waits of their finally blocks

function assertCancelled(future: Future<unknown>, reason?: unknown): void {
  assert(future.done());
  assert(future.cancelled());
  const error = assertThrows(() => future.result(), CancelledError);
  if (reason !== undefined) assertEquals(error.reason, reason);
}

Deno.test("cancel() of a coroutine that was not started keeps it from running", () => {
  let begun = false;
  const made = new Coroutine((function* () {
    begun = true;
    yield moment;
  })());
  assert(made.cancel("early"));
  made.run();
  assertCancelled(made, "early");
  assert(!begun);
});

Deno.test("cancel() throws CancelledError with its reason at the yield", async () => {
  await withFakeLoop(async (tick) => {
    const reason = new Error("client left");
    let seen: unknown;
    const main = coroutine(function* () {
      try {
        yield* sleep(1000);
      } catch (error) {
        seen = error;
        throw error;
      }
      return "not reached";
    });
    const future = main();
    assert(future.cancel(reason));
    assert(!future.done()); // the generator has to end first
    await tick(0);
    assertCancelled(future, reason);
    assertStrictEquals(future.exception(), seen);
    await assertRejects(() => Promise.resolve(future), CancelledError, "client left");
  });
});

Deno.test("cancel() of a sleeping coroutine removes the timer", async () => {
  await withFakeLoop(async (tick, loop) => {
    const removed: unknown[] = [];
    const removeTimeout = loop.removeTimeout.bind(loop);
    loop.removeTimeout = (timeout) => {
      removed.push(timeout.deadline);
      removeTimeout(timeout);
    };
    const future = coroutine(function* () {
      yield* sleep(1000);
    })();
    future.cancel();
    assertEquals(removed, [1000]);
    await tick(0);
    assertCancelled(future);
  });
});

Deno.test("cancel() of a done coroutine returns false", async () => {
  const done = coroutine(() => 42)();
  assert(!done.cancel());
  assertEquals(done.result(), 42);
  const cancelled = coroutine(function* () {
    yield moment;
  })();
  assert(cancelled.cancel());
  await cancelled.catch(() => {});
  assert(!cancelled.cancel());
});

Deno.test("cancel() twice cancels once, with the first reason", async () => {
  let times = 0;
  const future = coroutine(function* () {
    try {
      yield moment;
    } catch (error) {
      times++;
      throw error;
    }
  })();
  assert(future.cancel("first"));
  assert(future.cancel("second"));
  await future.catch(() => {});
  assertCancelled(future, "first");
  assertEquals(times, 1);
});

Deno.test("cancel() in a finally that yields does not disturb it", async () => {
  await withFakeLoop(async (tick) => {
    const seen: string[] = [];
    const future = coroutine(function* () {
      try {
        yield* sleep(1000);
      } finally {
        seen.push("cleaning");
        yield* sleep(100);
        seen.push("cleaned");
      }
    })();
    future.cancel("first");
    await tick(50);
    assert(future.cancel("second"));
    await tick(49);
    assertEquals(seen, ["cleaning"]);
    await tick(1);
    assertEquals(seen, ["cleaning", "cleaned"]);
    assertCancelled(future, "first");
  });
});

Deno.test("cancel() by itself takes effect at the next yield that waits or not", async () => {
  for (const what of [() => moment, () => Future.resolved(1)]) {
    const seen: string[] = [];
    const main = coroutine(function* (): CoroutineGenerator {
      yield moment;
      assert(self.cancel());
      seen.push("goes on to the yield");
      yield what();
      seen.push("not reached");
    });
    const self: Future<void> = main();
    await self.catch(() => {});
    assertCancelled(self);
    assertEquals(seen, ["goes on to the yield"]);
  }
});

Deno.test("cancel() by itself before its last step cancels it all the same", async () => {
  const main = coroutine(function* () {
    yield moment;
    self.cancel();
    return 42;
  });
  const self: Future<number> = main();
  await self.catch(() => {});
  assertCancelled(self);
});

Deno.test("cancel() cancels the child that is waited for, its finally runs first", async () => {
  for (const how of ["yield", "yield*"]) {
    const seen: string[] = [];
    const child = coroutine(function* (): CoroutineGenerator {
      try {
        yield moment;
        yield* new Future<void>();
      } finally {
        yield moment;
        seen.push("child");
      }
    });
    const parent = coroutine(function* (): CoroutineGenerator {
      try {
        if (how === "yield") yield child();
        else yield* child();
        seen.push("not reached");
      } finally {
        yield moment;
        seen.push("parent");
      }
      seen.push("not reached");
    });
    const future = parent();
    await new Promise((resolve) => setTimeout(resolve));
    future.cancel("stop");
    await future.catch(() => {});
    assertEquals(seen, ["child", "parent"]);
    assertCancelled(future, "stop");
  }
});

Deno.test("cancel() runs finally blocks of delegated generators from the inside out", async () => {
  const seen: string[] = [];
  function* inner(): CoroutineGenerator {
    try {
      yield* new Future<void>();
    } finally {
      yield moment;
      seen.push("inner");
    }
    seen.push("not reached");
  }
  const main = coroutine(function* () {
    try {
      yield* inner();
      seen.push("not reached");
    } finally {
      yield moment;
      seen.push("outer");
    }
    yield moment;
    seen.push("not reached");
  });
  const future = main();
  future.cancel();
  await future.catch(() => {});
  assertEquals(seen, ["inner", "outer"]);
});

Deno.test("cancel() by a child reaches both the parent and the child", async () => {
  const seen: string[] = [];
  const child = coroutine(function* (): CoroutineGenerator {
    yield moment;
    parent.cancel("by child");
    try {
      yield moment;
      seen.push("not reached");
    } finally {
      seen.push("child");
    }
  });
  const parent: Future<void> = coroutine(function* (): CoroutineGenerator {
    try {
      yield* child();
      seen.push("not reached");
    } finally {
      seen.push("parent");
    }
  })();
  await parent.catch(() => {});
  assertEquals(seen, ["child", "parent"]);
  assertCancelled(parent, "by child");
});

Deno.test("a child that is cancelled alone throws at its parent, which may go on", async () => {
  const child = coroutine(function* () {
    yield* new Future<void>();
  });
  const catches = coroutine(function* (): CoroutineGenerator<string> {
    const started = child();
    queueMicrotask(() => started.cancel("child only"));
    try {
      yield started;
    } catch (error) {
      yield moment;
      return (error as CancelledError).reason as string;
    }
    return "not reached";
  });
  assertEquals(await catches(), "child only");
  const fails = coroutine(function* () {
    const started = child();
    queueMicrotask(() => started.cancel("child only"));
    yield* started;
  })();
  await fails.catch(() => {});
  assertCancelled(fails, "child only");
});

Deno.test("cancel() leaves alone what the coroutine did not create", async () => {
  const shared = new Future<number>();
  const foreign = coroutine(function* () {
    return yield* shared;
  })();
  const main = coroutine(function* (what: Future<number>) {
    yield* what;
  });
  for (const what of [shared, foreign]) {
    const future = main(what);
    future.cancel();
    await future.catch(() => {});
    assertCancelled(future);
    assert(!what.done());
  }
  shared.setResult(42);
  assertEquals(await foreign, 42);
});

Deno.test("cancel() after what it waits for is done wins, and the generator sees the error", async () => {
  const gate = new Future<number>();
  const seen: unknown[] = [];
  const future = coroutine(function* () {
    try {
      seen.push(yield* gate);
    } catch (error) {
      seen.push(error instanceof CancelledError);
      throw error;
    }
  })();
  gate.setResult(1);
  future.cancel();
  await future.catch(() => {});
  assertEquals(seen, [true]);
});

Deno.test("cancel() of a coroutine that waits for a promise does not wait for it", async () => {
  const { promise, reject } = Promise.withResolvers<void>();
  const future = coroutine(function* () {
    yield promise;
  })();
  future.cancel();
  await future.catch(() => {});
  assertCancelled(future);
  reject(new Error("late")); // seen by nobody, and no unhandled rejection
  await new Promise((resolve) => setTimeout(resolve));
});

Deno.test("cancel() of a coroutine in Wait() lets its callback be called later", async () => {
  let callback: (() => void) | undefined;
  const future = coroutine(function* () {
    callback = yield* Callback("key");
    yield* Wait("key");
  })();
  future.cancel();
  await future.catch(() => {});
  callback!();
  assertCancelled(future);
});

Deno.test("cancel() inside Multi cancels every child and waits for their finally", async () => {
  await withFakeLoop(async (tick) => {
    const seen: string[] = [];
    const child = coroutine(function* (name: string, cleanup: number) {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(cleanup);
        seen.push(name);
      }
    });
    const future = coroutine(function* () {
      try {
        yield* Multi([child("slow", 20), child("fast", 10)]);
      } finally {
        seen.push("parent");
      }
    })();
    future.cancel("all");
    await tick(15);
    assertEquals(seen, ["fast"]);
    await tick(5);
    assertEquals(seen, ["fast", "slow", "parent"]);
    assertCancelled(future, "all");
  });
});

Deno.test("cancel() inside Multi waits for owned children and not for others", async () => {
  await withFakeLoop(async (tick) => {
    const shared = new Future<void>();
    const seen: string[] = [];
    const child = coroutine(function* () {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(10);
        seen.push("child");
      }
    });
    const future = coroutine(function* () {
      yield* Multi([shared, child()]);
    })();
    future.cancel();
    await tick(9);
    assert(!future.done());
    await tick(1);
    assertCancelled(future);
    assertEquals(seen, ["child"]);
    assert(!shared.done());
    shared.setResult();
  });
});

Deno.test("cancel() inside withTimeout cancels what is waited for, and removes the timer", async () => {
  await withFakeLoop(async (tick) => {
    const seen: string[] = [];
    const child = coroutine(function* () {
      try {
        yield* sleep(1000);
      } catch (error) {
        seen.push((error as CancelledError).message);
        throw error;
      }
    });
    const future = coroutine(function* () {
      yield* withTimeout(500, child());
    })();
    future.cancel("stop");
    await tick(0);
    assertEquals(seen, ["Cancelled: stop"]);
    assertCancelled(future, "stop");
    await tick(1000);
    assertEquals(seen.length, 1);
  });
});

Deno.test("cancel() inside withTimeout of a foreign Future leaves it alone, also when the time is over", async () => {
  await withFakeLoop(async (tick) => {
    const shared = new Future<void>();
    const future = coroutine(function* () {
      yield* withTimeout(500, shared);
    })();
    future.cancel();
    await tick(0);
    assertCancelled(future);
    await tick(1000);
    assert(!shared.done());
    shared.setResult();
  });
});

Deno.test("code that swallows the error gets it again at its next yield, at once", async () => {
  let thrown = 0;
  const future = coroutine(function* (): CoroutineGenerator {
    for (let i = 0; i < 3; i++) {
      try {
        yield new Future();
      } catch {
        thrown++;
      }
    }
  })();
  future.cancel();
  await future.catch(() => {});
  assertEquals(thrown, 3);
  assertCancelled(future);
});

// It went by the source of the plain function, and cut the clean-up of the generator.
Deno.test("cancel() lets a generator that a plain function returned clean up", async () => {
  const steps: string[] = [];
  function* work(): CoroutineGenerator {
    try {
      yield new Future();
    } finally {
      yield moment;
      steps.push("first");
      yield moment;
      steps.push("second");
    }
  }
  const future = coroutine(() => work())();
  future.cancel();
  await future.catch(() => {});
  assertEquals(steps, ["first", "second"]);
  assertCancelled(future);
});

Deno.test("code that swallows the error and returns is cancelled all the same", async () => {
  const future = coroutine(function* (): CoroutineGenerator<string> {
    try {
      yield new Future();
    } catch {
      return "swallowed";
    }
    return "not reached";
  })();
  future.cancel();
  await future.catch(() => {});
  assertCancelled(future);
});

Deno.test("code that swallows the error at a yield* gets it again at its next yield*, at once", async () => {
  await withFakeLoop(async (_tick, loop) => {
    for (const next of [() => sleep(1000), () => Future.resolved(1)]) {
      const seen: [string, number][] = [];
      const future = coroutine(function* () {
        try {
          try {
            yield* sleep(1000);
          } catch {
            seen.push(["swallowed", loop.time()]);
          }
          yield* next();
          seen.push(["not reached", loop.time()]);
        } finally {
          seen.push(["finally", loop.time()]);
        }
      })();
      future.cancel();
      await future.catch(() => {});
      assertEquals(seen, [["swallowed", 0], ["finally", 0]]);
      assertCancelled(future);
    }
  });
});

Deno.test("code that swallows the error at a yield* takes the timer of the next one back", async () => {
  await withFakeLoop(async (tick) => {
    let next: Future<void> | undefined;
    const future = coroutine(function* () {
      try {
        yield* sleep(1000);
      } catch {
        next = sleep(1000);
      }
      yield* next!;
    })();
    future.cancel();
    await tick(0);
    assertCancelled(future);
    assertCancelled(next!);
  });
});

Deno.test("code with a finally that yields may swallow the error until the limit is over", async () => {
  await withFakeLoop(async (tick, loop) => {
    const seen: [string, number][] = [];
    const future = coroutine(function* (): CoroutineGenerator {
      try {
        try {
          yield* sleep(1_000_000);
        } catch {
          seen.push(["swallowed", loop.time()]);
        }
        yield* sleep(1_000_000);
        seen.push(["not reached", loop.time()]);
      } finally {
        seen.push(["finally", loop.time()]);
        yield null;
      }
    })();
    future.cancel();
    await tick(CLEANUP_MS - 1);
    assertEquals(seen, [["swallowed", 0]]);
    await tick(1);
    assertEquals(seen, [["swallowed", 0], ["finally", CLEANUP_MS]]);
    assertCancelled(future);
  });
});

Deno.test("a delegated generator that yields* in its finally is not taken for one that swallowed", async () => {
  await withFakeLoop(async (tick) => {
    const seen: string[] = [];
    function* inner(): CoroutineGenerator {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(10);
        seen.push("inner 1");
        yield* sleep(10);
        seen.push("inner 2");
      }
    }
    const future = coroutine(function* () {
      yield* inner();
      seen.push("not reached");
    })();
    future.cancel();
    await tick(10);
    await tick(10);
    assertEquals(seen, ["inner 1", "inner 2"]);
    assertCancelled(future);
  });
});

Deno.test("a coroutine that cancels itself gets the error at its next yield*, ready or not", async () => {
  for (const next of [() => Future.resolved(1), () => new Future<number>()]) {
    const seen: string[] = [];
    const self: Future<void> = coroutine(function* () {
      yield moment;
      self.cancel("by itself");
      seen.push("goes on");
      yield* next();
      seen.push("not reached");
    })();
    await self.catch(() => {});
    assertEquals(seen, ["goes on"]);
    assertCancelled(self, "by itself");
  }
});

Deno.test("code that swallows the error for ever is given up, and that is logged", async () => {
  let thrown = 0;
  const { matched } = await expectLog(["waterspout", "application"], /swallowed/, async () => {
    const future = coroutine(function* (): CoroutineGenerator {
      for (;;) {
        try {
          yield new Future();
        } catch {
          thrown++;
        }
      }
    })();
    future.cancel();
    await future.catch(() => {});
    assertCancelled(future);
  });
  assertEquals(matched.length, 1);
  assertEquals(thrown, 100);
});

Deno.test("all the waits of the finally blocks have one limit together", async () => {
  await withFakeLoop(async (tick, loop) => {
    const seen: [string, number][] = [];
    const future = coroutine(function* () {
      try {
        try {
          yield* sleep(1_000_000);
        } finally {
          yield* sleep(CLEANUP_MS - 1000);
          seen.push(["inner", loop.time()]);
        }
      } finally {
        try {
          yield* sleep(2000);
          seen.push(["not reached", loop.time()]);
        } finally {
          seen.push(["outer", loop.time()]);
        }
      }
    })();
    future.cancel();
    await tick(100_000);
    assertEquals(seen, [["inner", CLEANUP_MS - 1000], ["outer", CLEANUP_MS]]);
    assertCancelled(future);
  });
});

Deno.test("a finally that waits for what is not its own is cut off at the limit", async () => {
  await withFakeLoop(async (tick) => {
    const never = new Future<void>();
    const future = coroutine(function* () {
      try {
        yield* sleep(1_000_000);
      } finally {
        yield* never;
      }
    })();
    future.cancel();
    await tick(CLEANUP_MS - 1);
    assert(!future.done());
    await tick(1);
    assertCancelled(future);
    assert(!never.done());
  });
});

Deno.test("a finally that ends in time leaves no timer behind", async () => {
  await withFakeLoop(async (tick, loop) => {
    let timeouts = 0;
    const [callLater, removeTimeout] = [loop._callLater.bind(loop), loop.removeTimeout.bind(loop)];
    loop._callLater = (...args) => {
      timeouts++;
      return callLater(...args);
    };
    loop.removeTimeout = (timeout) => {
      timeouts--;
      removeTimeout(timeout);
    };
    const gate = new Future<void>();
    const future = coroutine(function* () {
      try {
        yield* new Future<void>();
      } finally {
        yield* gate;
      }
    })();
    future.cancel();
    await tick(0);
    assertEquals(timeouts, 1);
    gate.setResult();
    await tick(0);
    assertEquals(timeouts, 0);
    assertCancelled(future);
  });
});

Deno.test("an error in a finally of a cancelled coroutine is logged, it stays cancelled", async () => {
  const { matched } = await expectLog(
    ["waterspout", "application"],
    /^Exception in a coroutine that was cancelled: RangeError: mine/,
    async () => {
      const future = coroutine(function* () {
        try {
          yield* new Future<void>();
        } finally {
          yield moment;
          yield* Future.failed(new RangeError("mine"));
        }
      })();
      future.cancel();
      await future.catch(() => {});
      assertCancelled(future);
    },
  );
  assertEquals(matched.length, 1);
});

Deno.test("a cancelled coroutine sees ready values in its finally", async () => {
  let seen = 0;
  const future = coroutine(function* () {
    try {
      yield* new Future<void>();
    } finally {
      seen += yield* Future.resolved(1);
      seen += (yield Future.resolved(1)) as number;
    }
  })();
  future.cancel();
  await future.catch(() => {});
  assertEquals(seen, 2);
});

Deno.test("cancel() reaches a coroutine that waits in shield() when the shielded work has ended", async () => {
  await withFakeLoop(async (tick) => {
    const seen: string[] = [];
    const work = coroutine(function* () {
      yield* sleep(100);
      seen.push("work");
    });
    const future = coroutine(function* () {
      yield* shield(work());
      seen.push("not reached");
    })();
    future.cancel();
    await tick(99);
    assert(!future.done());
    await tick(1);
    assertEquals(seen, ["work"]);
    assertCancelled(future);
  });
});

Deno.test("cancel() in a withTimeout that has expired does not hide the TimeoutError", async () => {
  await withFakeLoop(async (tick) => {
    const child = coroutine(function* () {
      try {
        yield* sleep(1000);
      } finally {
        yield* sleep(10);
      }
    });
    const timed = withTimeout(5, child());
    await tick(5);
    timed.cancel();
    await tick(10);
    assertThrows(() => timed.result(), TimeoutError);
  });
});

Deno.test("cancel() of a coroutine in a read abandons it, and its bytes are there for the next", async () => {
  await withFakeLoop(async (tick) => {
    const [near, far] = memoryPair();
    const stream = new IOStream(near);
    const reader = coroutine(function* () {
      yield* stream.readBytes(4);
    })();
    await far.write(new TextEncoder().encode("ab"));
    await tick(0);
    reader.cancel("enough");
    await tick(0);
    assertCancelled(reader, "enough");
    assert(!stream.reading());
    await far.write(new TextEncoder().encode("cd"));
    const next = stream.readBytes(4);
    await tick(0);
    assertEquals(new TextDecoder().decode(next.result()), "abcd");
    stream.close();
    far.close();
  });
});

// A bracket or quote in a template, a RegExp behind `)`, a bound function: the `finally` was not
// found, and its clean-up was cut short.
Deno.test("a finally that yields is found wherever it stands in the source", async () => {
  const tries = "try{yield*sleep(1e3)}finally{yield*sleep(1);log.push('clean')}";
  const sources = [
    `function*(){const a=\`http://x\`\n${tries}\nconst b=\`http://y\`}`,
    `function*(){void \`it's\`;${tries}void \`it's\`}`,
    `function*(){let i=1;i++/2;${tries}i/2}`,
    `function*(){let i=[1][0]/2;${tries}i/2}`,
    `function*(){if(log)/[\`/]{/.test('');${tries}}`,
    `function*(){const t=\`a\${\`b\${{a:1}.a}\`}\`;${tries}}`,
    `({*["a b"](){${tries}}})["a b"]`,
    `(function*(){${tries}}).bind(null)`,
    `new Proxy(function*(){${tries}},{})`,
    `function*(){try{yield*sleep(1e3)}finally/*{*/\n{for(;;){yield*sleep(1);break}log.push('clean')}}`,
  ];
  for (const source of sources) {
    await withFakeLoop(async (tick) => {
      const log: string[] = [];
      const future = coroutine(fromSource(source, log))();
      future.cancel();
      await tick(1);
      assertEquals(log, ["clean"], source);
      assertCancelled(future);
    });
  }
});

// They were taken for a `finally` that yields, so that what swallowed had five seconds.
Deno.test("what only looks like a finally that yields does not let the error be swallowed", async () => {
  const tries = "try{yield*sleep(1e3)}catch{log.push('caught')}";
  const then = "yield*sleep(1);log.push('not reached')";
  const sources = [
    `function*(){const f=function*(){try{}finally{yield 1}};${tries}${then}}`,
    `function*(){const f={*g(a={}){try{}finally{yield 1}}};${tries}${then}}`,
    `function*(){class A{static async*[1](){try{}finally{yield 1}}}${tries}${then}}`,
    `function*(){Promise.resolve().finally(()=>1);${tries}{${then}}}`,
    `function*(){${tries}finally{log.finally}{${then}}}`,
    `function*(a={b:function*(){try{}finally{yield 1}}},{c={}}={}){${tries}${then}}`,
    `function*(){${tries}finally{({*f(){yield 1}})}${then}}`,
  ];
  for (const source of sources) {
    await withFakeLoop(async (tick) => {
      const log: string[] = [];
      const future = coroutine(fromSource(source, log))();
      future.cancel();
      await tick(1);
      assertEquals(log, ["caught"], source);
      assertCancelled(future);
    });
  }
});

function fromSource(source: string, log: string[]): () => CoroutineGenerator {
  return new Function("sleep", "log", `return ${source}`)(sleep, log);
}

// The runner started what was yielded before it looked whether that might be waited for.
Deno.test("a generator that is yielded behind a swallowed error does not begin", async () => {
  for (const wrap of [(x: unknown) => x, (x: unknown) => [x]]) {
    await withFakeLoop(async (tick) => {
      const log: string[] = [];
      const inner = function* (): CoroutineGenerator {
        log.push("not reached");
        yield moment;
      };
      const future = coroutine(function* () {
        try {
          yield sleep(1000);
        } catch {
          log.push("caught");
        }
        yield wrap(inner());
      })();
      future.cancel();
      await tick(0);
      assertEquals(log, ["caught"]);
      assertCancelled(future);
    });
  }
});

// It was replaced by the CancelledError, and nobody ever saw it.
Deno.test("what a child or shielded work fails with as its waiter is cancelled is logged", async () => {
  for (const protect of [(x: Future<void>) => x, shield]) {
    await withFakeLoop(async (tick) => {
      const gate = new Future<void>();
      const child = coroutine(function* () {
        yield gate;
        throw new Error("just now");
      });
      const future = coroutine(function* () {
        yield protect(child());
      })();
      await expectLog(["waterspout", "application"], /just now/, async () => {
        if (protect === shield) future.cancel();
        gate.setResult();
        await Promise.resolve(); // the child has failed, its parent has not gone on
        future.cancel();
        await tick(0);
      });
      assertCancelled(future);
    });
  }
});
