import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { coroutine, moment, sleep } from "../../gen/mod.ts";
import {
  ExceptionStackContext,
  Future,
  IOLoop,
  NullContext,
  runWithStackContext,
  StackContext,
  StackContextInconsistentError,
  wrap,
} from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { collectGarbage } from "../testing/_garbage.ts";
import { AsyncLocalStorage } from "node:async_hooks";

let active: string[] = []; // names of the contexts that are entered, outermost first

function named(name: string): StackContext {
  return new StackContext(() => ({
    enter: () => void active.push(name),
    exit: () => assertEquals(active.pop(), name),
  }));
}

async function inLoop(body: (loop: IOLoop) => unknown): Promise<void> {
  active = [];
  const loop = new IOLoop();
  await loop.run(() => body(loop) as Future<unknown> | undefined);
  loop.close();
  assertEquals(active, []);
}

function turn(loop: IOLoop): Future<void> {
  const future = new Future<void>();
  NullContext.run(() => loop.addCallback(() => future.setResult()));
  return future;
}

Deno.test("StackContext is entered again for a callback that was added inside", async () => {
  await inLoop((loop) => {
    const done = new Future<void>();
    named("c1").run(() => {
      assertEquals(active, ["c1"]);
      loop.addCallback(() => {
        assertEquals(active, ["c1"]);
        loop.callLater(1, () => {
          assertEquals(active, ["c1"]);
          done.setResult();
        });
      });
    });
    assertEquals(active, []);
    return done;
  });
});

Deno.test("StackContext leaves callbacks alone that were added outside", async () => {
  await inLoop((loop) => {
    const seen: string[][] = [];
    const outside = wrap(() => void seen.push([...active]));
    loop.addCallback(outside);
    named("c1").run(() => {
      loop.addCallback(outside);
      outside();
    });
    assertEquals(seen, [["c1"]], "entered by its caller, but not for it");
    return coroutine(function* () {
      yield moment;
      yield moment;
      assertEquals(seen, [["c1"], [], []]);
    })();
  });
});

Deno.test("StackContext.deactivate() keeps running callbacks and drops later ones", async () => {
  await inLoop((loop) => {
    const done = new Future<void>();
    const [c1, c2, c3] = [named("c1"), named("c2"), named("c3")];
    c1.run(() =>
      c2.run(() =>
        c3.run(() => {
          loop.addCallback(() => {
            assertEquals(active, ["c1", "c2", "c3"]);
            c2.deactivate();
            assertEquals(active, ["c1", "c2", "c3"]);
            loop.addCallback(() => {
              assertEquals(active, ["c1", "c3"]);
              done.setResult();
            });
          });
          loop.addCallback(() => assertEquals(active, ["c1", "c2", "c3"]));
        })
      )
    );
    return done;
  });
});

Deno.test("StackContext enters from outside in and exits from inside out, each time anew", async () => {
  const log: string[] = [];
  let count = 0;
  const logging = (name: string) =>
    new StackContext(() => {
      const id = `${name}${++count}`;
      return { enter: () => void log.push(`+${id}`), exit: () => void log.push(`-${id}`) };
    });
  await inLoop((loop) => {
    logging("a").run(() => logging("b").run(() => loop.addCallback(() => void log.push("run"))));
    return turn(loop);
  });
  assertEquals(log, ["+a1", "+b2", "-b2", "-a1", "+a3", "+b4", "run", "-b4", "-a3"]);
});

Deno.test("StackContext gives the error to exit(), which swallows or replaces it", () => {
  const seen: unknown[] = [];
  const guarded = (exit: (error?: unknown) => boolean | void) => new StackContext(() => ({ exit }));
  const fail = () => {
    throw new Error("body");
  };
  assertEquals(
    guarded((error) => {
      seen.push(error);
      return true;
    }).run(fail),
    undefined,
  );
  assertThrows(() => guarded(() => false).run(fail), Error, "body");
  assertThrows(
    () =>
      guarded(() => {
        throw new Error("exit");
      }).run(fail),
    Error,
    "exit",
  );
  assertEquals(seen.map(String), ["Error: body"]);
  assertEquals(new StackContext(() => ({})).run(() => 42), 42);
});

Deno.test("StackContext.run() refuses a generator", () => {
  assertThrows(
    () =>
      named("c1").run(function* () {
        yield moment;
      }),
    StackContextInconsistentError,
    "runWithStackContext()",
  );
});

Deno.test("runWithStackContext() runs a coroutine whose every step is in the context", async () => {
  await inLoop(() => {
    const steps: string[][] = [];
    return coroutine(function* () {
      const result: string = yield runWithStackContext(named("c1"), function* () {
        steps.push([...active]);
        yield moment;
        steps.push([...active]);
        yield Promise.resolve();
        steps.push([...active]);
        return "result";
      });
      assertEquals(steps, [["c1"], ["c1"], ["c1"]]);
      assertEquals(result, "result");
      assertEquals(active, []);
      yield moment;
      assertEquals(active, []);
      assertEquals(runWithStackContext(named("c2"), () => [...active]), ["c2"]);
    })();
  });
});

Deno.test("StackContext is kept by a coroutine, not by what runs beside it", async () => {
  await inLoop(() => {
    const seen: string[] = [];
    const walk = coroutine(function* (name: string) {
      for (let i = 0; i < 3; i++) {
        seen.push(`${name}:${active}`);
        yield moment;
      }
    });
    const one = named("a").run(() => walk("one"));
    const other = named("b").run(() => walk("other"));
    return coroutine(function* () {
      yield [one, other, walk("none")];
      assertEquals(seen.sort(), [
        "none:",
        "none:",
        "none:",
        "one:a",
        "one:a",
        "one:a",
        "other:b",
        "other:b",
        "other:b",
      ]);
    })();
  });
});

Deno.test("NullContext.run() leaves all contexts", async () => {
  await inLoop((loop) => {
    const seen: string[][] = [];
    const note = () => void seen.push([...active]);
    named("c1").run(() => {
      NullContext.run(() => loop.addCallback(note));
      loop.addCallback(note);
    });
    return coroutine(function* () {
      yield turn(loop);
      assertEquals(seen, [[], ["c1"]]);
    })();
  });
});

Deno.test("spawnCallback() and addCallbackFromSignal() run without the caller's contexts", async () => {
  await inLoop((loop) => {
    const seen: string[][] = [];
    const note = () => void seen.push([...active]);
    named("c1").run(() => {
      loop.spawnCallback(note);
      loop.addCallbackFromSignal(note);
      loop.addCallback(note);
    });
    return coroutine(function* () {
      yield turn(loop);
      assertEquals(seen, [[], [], ["c1"]]);
    })();
  });
});

Deno.test("wrap() takes the contexts of where it was called, once", async () => {
  await inLoop((loop) => {
    const seen: string[][] = [];
    const wrapped = named("c1").run(() =>
      wrap(function note(this: unknown, x: number) {
        seen.push([...active]);
        return [this, x];
      })
    )!;
    assertEquals(wrapped.name, "note");
    assertStrictEquals(named("c2").run(() => wrap(wrapped)), wrapped);
    const self = {};
    assertEquals(wrapped.call(self, 3), [self, 3]);
    named("c2").run(() => loop.addCallback(wrapped, 4));
    assertEquals(wrap(null), null);
    return coroutine(function* () {
      yield turn(loop);
      assertEquals(seen, [["c1"], ["c1"]]);
    })();
  });
});

Deno.test("wrap() takes the values of AsyncLocalStorage too", () => {
  const storage = new AsyncLocalStorage<string>();
  const get = storage.run("inside", () => wrap(() => storage.getStore()));
  assertEquals(get(), "inside");
  assertEquals(storage.run("elsewhere", get), "inside");
});

Deno.test("addFuture() and addHandler() carry the contexts of the caller", async () => {
  await inLoop((loop) => {
    const done = new Future<void>();
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    named("c1").run(() => {
      const channel = loop.addHandler(listener, () => {
        assertEquals(active, ["c1"]);
        channel.take()!.close();
        loop.removeHandler(listener);
        listener.close();
        const future = new Future<number>();
        loop.addFuture(future, () => {
          assertEquals(active, ["c1"]);
          done.setResult();
        });
        NullContext.run(() => loop.addCallback(() => future.setResult(1)));
      }, IOLoop.READ);
    });
    return coroutine(function* () {
      const conn = yield* Future.from(Deno.connect({ hostname: "127.0.0.1", port }));
      yield* done;
      conn.close();
    })();
  });
});

Deno.test("ExceptionStackContext: the inner handler is asked first, and true ends it", async () => {
  const seen: string[] = [];
  const handler = (name: string, swallows: boolean) =>
    new ExceptionStackContext((error) => {
      seen.push(`${name} ${(error as Error).message}`);
      return swallows;
    });
  await inLoop((loop) => {
    handler("outer", true).run(() => {
      handler("inner", true).run(() =>
        loop.addCallback(() => {
          throw new Error("first");
        })
      );
      handler("inner", false).run(() =>
        loop.addCallback(() => {
          throw new Error("second");
        })
      );
    });
    return turn(loop);
  });
  assertEquals(seen, ["inner first", "inner second", "outer second"]);
});

Deno.test("ExceptionStackContext: an error of a handler takes the place of the first and goes outwards", async () => {
  const seen: string[] = [];
  await inLoop((loop) => {
    new ExceptionStackContext((error) => {
      seen.push((error as Error).message);
      return true;
    }).run(() =>
      new ExceptionStackContext((error) => {
        throw new Error(`instead of ${(error as Error).message}`);
      }).run(() =>
        loop.callLater(0, () => {
          throw new Error("first");
        })
      )
    );
    return coroutine(function* () {
      while (seen.length === 0) yield turn(loop);
    })();
  });
  assertEquals(seen, ["instead of first"]);
});

Deno.test("ExceptionStackContext: what no handler takes goes to handleCallbackException, with the callback", async () => {
  const seen: unknown[] = [];
  class WatchedLoop extends IOLoop {
    override handleCallbackException(callback: unknown, error: unknown): void {
      seen.push(callback, (error as Error).message);
    }
  }
  const loop = new WatchedLoop();
  const callback = () => {
    throw new Error("nobody's");
  };
  const later = () => Promise.reject(new Error("later"));
  await loop.run(() => {
    new ExceptionStackContext(() => false).run(() => {
      loop.addCallback(callback);
      loop.addCallback(later);
    });
    return coroutine(function* () {
      while (seen.length < 4) yield moment;
    })();
  });
  loop.close();
  assertEquals(seen, [callback, "nobody's", later, "later"]);
});

Deno.test("ExceptionStackContext gets what an async callback fails with", async () => {
  const seen: string[] = [];
  await inLoop((loop) => {
    new ExceptionStackContext((error) => {
      seen.push((error as Error).message);
      return true;
    }).run(() => loop.addCallback(() => Promise.reject(new Error("later"))));
    return coroutine(function* () {
      while (seen.length === 0) yield moment;
    })();
  });
  assertEquals(seen, ["later"]);
});

Deno.test("ExceptionStackContext: what its handler starts is not its own", async () => {
  const seen: string[] = [];
  await inLoop((loop) => {
    new ExceptionStackContext((error) => {
      seen.push(`outer ${(error as Error).message}`);
      return true;
    }).run(() =>
      new ExceptionStackContext(() => {
        seen.push("inner");
        loop.addCallback(() => {
          throw new Error("in what the handler started");
        });
        return true;
      }).run(() =>
        loop.addCallback(() => {
          throw new Error("first");
        })
      )
    );
    return coroutine(function* () {
      yield turn(loop);
      yield turn(loop);
    })();
  });
  assertEquals(seen, ["inner", "outer in what the handler started"]);
});

Deno.test("start() inside of a context does not put the loop into it", async () => {
  active = [];
  const loop = new IOLoop();
  const seen: string[][] = [];
  let running: Promise<void> | undefined;
  loop.addCallback(() => {
    loop.addCallback(() => {
      seen.push([...active]);
      loop.stop();
    });
  });
  let entered = 0;
  new StackContext(() => ({ enter: () => void entered++ })).run(() => {
    running = loop.start();
  });
  await running;
  loop.close();
  assertEquals(seen, [[]]);
  assert(entered === 1);
});

// Each was brought a snapshot that held the one before: 600 bytes and 20 us for each.
Deno.test("a callback that adds itself inside of a context leaves nothing behind", async () => {
  const loop = new IOLoop();
  const store = new AsyncLocalStorage<object>();
  let first: WeakRef<object> | undefined;
  let left = 100;
  const again = () => {
    const mark = {};
    first ??= new WeakRef(mark);
    store.run(mark, () => {
      if (left-- > 0) loop.addCallback(again);
      else loop.callLater(60_000, again); // the last one is kept
    });
    if (left < 0) loop.stop();
  };
  new StackContext(() => ({})).run(() => loop.addCallback(again));
  await loop.start();
  await collectGarbage();
  assertStrictEquals(first!.deref(), undefined);
  loop.close();
});

// The context was entered for the timer of sleep() too: its error kept the coroutine for ever.
Deno.test("StackContext that can't be entered fails the step of a coroutine", async () => {
  for (const swallows of [false, true]) {
    let entered = 0;
    const broken = new StackContext(() => {
      if (++entered === 2) throw new RangeError("factory");
      return {};
    });
    const outer = new ExceptionStackContext(() => swallows);
    const main = coroutine(function* () {
      yield* sleep(1);
    });
    await new IOLoop().run(function* () {
      const future = outer.run(() => broken.run(main))!;
      let failure: unknown;
      try {
        yield* future;
      } catch (error) {
        failure = error;
      }
      if (swallows) assertStringIncludes(String(failure), "Cannot go on in a stack context");
      else assert(failure instanceof RangeError);
    });
  }
});

// It was an unhandled rejection, which ends the process.
Deno.test("StackContext whose exit() throws behind the step of a coroutine is reported", async () => {
  let left = 0;
  const broken = new StackContext(() => ({
    exit: () => {
      if (++left === 2) throw new Error("broken exit");
    },
  }));
  await expectLog(
    ["waterspout", "application"],
    /broken exit/,
    () =>
      new IOLoop().run(function* () {
        yield* broken.run(coroutine(function* () {
          yield* sleep(1);
          yield* sleep(1);
        }))!;
      }),
  );
  assertEquals(left, 3);
});
