import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { assertSpyCalls, spy } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import { AsyncLocalStorage } from "node:async_hooks";
import { coroutine, queues, shield, sleep } from "../../gen/mod.ts";
import { BadYieldError, CancelledError, Future, IOLoop, TimeoutError } from "../../ioloop/mod.ts";
import { bindUnusedPort, expectLog, fakeLoop, memoryPair } from "../../testing/mod.ts";
import { collectGarbage } from "../testing/_garbage.ts";

/** Runs a loop in which `body` has been called, until it is stopped. */
async function run(body: (loop: IOLoop) => void): Promise<void> {
  const loop = new IOLoop();
  body(loop);
  await loop.start();
  loop.close();
}

/** Is a loop that keeps what its callbacks failed with. */
class CollectingLoop extends IOLoop {
  readonly failures: [unknown, unknown][] = [];

  override handleCallbackException(callback: unknown, error: unknown): void {
    this.failures.push([callback, error]);
  }
}

const nextMacrotask = () => new Promise<void>((resolve) => setImmediate(resolve));

Deno.test("addCallback() never runs the callback inside the caller", async () => {
  await run((loop) => {
    loop.addCallback(() => {
      let inside = true;
      loop.addCallback(() => {
        assert(!inside);
        loop.stop();
      });
      inside = false;
    });
  });
});

Deno.test("addCallback() keeps the order, and what is added in a turn runs in the next", async () => {
  const seen: string[] = [];
  await run((loop) => {
    loop.addCallback(() => {
      seen.push("first");
      loop.addCallback(() => {
        seen.push("next turn");
        loop.stop();
      });
    });
    loop.addCallback((...args) => seen.push(args.join()), "second", 2);
    loop.addCallback(() => seen.push("third"));
  });
  assertEquals(seen, ["first", "second,2", "third", "next turn"]);
});

Deno.test("addCallback() lets a turn of timeouts come between a callback and the one it adds", async () => {
  const seen: string[] = [];
  await run((loop) => {
    loop.callLater(-1, () => seen.push("timeout"));
    loop.addCallback(() => {
      seen.push("callback");
      loop.addCallback(() => {
        seen.push("added");
        loop.stop();
      });
    });
  });
  assertEquals(seen, ["callback", "timeout", "added"]);
});

Deno.test("addCallback() wakes an idle loop at once, not at the next timer", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  loop.callLater(1000, () => {});
  await tick(1);
  let ran = -1;
  loop.addCallback(() => ran = loop.time());
  await tick(0);
  assertEquals(ran, 1);
  loop.stop();
  await done;
});

Deno.test("addCallback() does not take a returned array or record for work", async () => {
  const loop = new CollectingLoop();
  const list = spy(() => []);
  const record = spy(() => ({}));
  loop.addCallback(list);
  loop.addCallback(record);
  loop.callLater(5, () => loop.stop());
  await loop.start();
  assertSpyCalls(list, 1);
  assertSpyCalls(record, 1);
  assertEquals(loop.failures, []);
});

Deno.test("addCallback() reports a callback that throws once, and the others run", async () => {
  const loop = new CollectingLoop();
  const error = new Error("mine");
  const fails = () => {
    throw error;
  };
  const seen: string[] = [];
  loop.addCallback(fails);
  loop.addCallback(() => seen.push("same turn"));
  loop.callLater(1, () => {
    seen.push("later");
    loop.stop();
  });
  await loop.start();
  assertEquals(seen, ["same turn", "later"]);
  assertEquals(loop.failures, [[fails, error]]);
});

Deno.test("addCallback() reports a Future, promise or coroutine that fails", async () => {
  const loop = new CollectingLoop();
  const future = new Future<void>();
  const callbacks = [
    () => future,
    () => Promise.reject(new Error("promise")),
    function* () {
      yield* sleep(1);
      throw new Error("coroutine");
    },
  ];
  for (const callback of callbacks) loop.addCallback(callback);
  loop.addCallback(() => future.setException(new Error("future")));
  loop.callLater(10, () => loop.stop());
  await loop.start();
  assertEquals(
    loop.failures.map(([callback, error]) => [callback, (error as Error).message]),
    [[callbacks[0], "future"], [callbacks[1], "promise"], [callbacks[2], "coroutine"]],
  );
});

Deno.test("addCallback() is ignored without error on a closed loop", () => {
  const loop = new IOLoop();
  loop.close();
  for (let i = 0; i < 1000; i++) loop.addCallback(() => assert(false));
});

Deno.test("addCallback() works from any async context, and a turn runs in that of start()", async () => {
  const context = new AsyncLocalStorage<string>();
  const loop = new IOLoop();
  const done = context.run("start", () => loop.start());
  await nextMacrotask();
  let seen: string | undefined;
  context.run("waker", () =>
    loop.addCallback(() => {
      seen = context.getStore();
      loop.stop();
    }));
  await done;
  assertEquals(seen, "start");
});

Deno.test("spawnCallback() and addCallbackFromSignal() run in the next turn", async () => {
  const seen: unknown[] = [];
  await run((loop) => {
    loop.spawnCallback((value) => seen.push(value), 1);
    loop.addCallbackFromSignal((value) => seen.push(value), 2);
    assertEquals(seen, []);
    loop.addCallback(() => loop.stop());
  });
  assertEquals(seen, [1, 2]);
});

Deno.test("handleCallbackException() logs the stack, but not a cancellation", async () => {
  const loop = new IOLoop({ makeCurrent: false });
  const { loggedStack } = await expectLog(
    ["waterspout", "application"],
    /^Exception in callback fails: Error: mine/,
    async () => {
      loop.addCallback(function fails() {
        throw new Error("mine");
      });
      loop.addCallback(() => {
        throw new CancelledError();
      });
      loop.addCallback(() => loop.stop());
      await loop.start();
    },
  );
  assert(loggedStack);
  const { matched } = await expectLog(["waterspout", "application"], /./, async () => {
    loop.addCallback(() => {
      throw new CancelledError();
    });
    loop.addCallback(() => loop.stop());
    await loop.start();
  }, { required: false });
  assertEquals(matched, []);
});

Deno.test("handleCallbackException() that is overridden gets callback and error, and nothing is logged", async () => {
  const { matched } = await expectLog(["waterspout", "application"], /./, async () => {
    const loop = new CollectingLoop();
    loop.addCallback(() => {
      throw 42;
    });
    loop.callLater(-1, () => {
      throw 43;
    });
    loop.addCallback(() => loop.stop());
    await loop.start();
    assertEquals(loop.failures.map(([, error]) => error), [42, 43]);
  }, { required: false });
  assertEquals(matched, []);
});

Deno.test("addTimeout() takes a number or a Date, and arguments", async () => {
  const seen: unknown[] = [];
  await run((loop) => {
    loop.addTimeout(Date.now() + 8, (...args) => seen.push(args), "number", 1);
    loop.addTimeout(new Date(Date.now() + 4), (...args) => seen.push(args), "date", 2);
    loop.callLater(16, () => loop.stop());
  });
  assertEquals(seen, [["date", 2], ["number", 1]]);
});

Deno.test("addTimeout() refuses what is no deadline", () => {
  const loop = new IOLoop();
  for (const deadline of ["1", null, undefined, NaN, new Date(NaN)]) {
    assertThrows(
      () => loop.addTimeout(deadline as number, () => {}),
      TypeError,
      "expected a number or Date",
    );
  }
  loop.close();
});

Deno.test("callAt() and callLater() run in order of deadline, equal ones in order of adding", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const seen: string[] = [];
  loop.callLater(20, (name) => seen.push(name), "20 a");
  loop.callAt(10, (name) => seen.push(name), "10 a");
  loop.addTimeout(20, (name) => seen.push(name), "20 b");
  loop.callLater(10, (name) => seen.push(name), "10 b");
  loop.callAt(-5, (name) => seen.push(name), "past");
  await tick(0);
  assertEquals(seen, ["past"]);
  await tick(20);
  assertEquals(seen, ["past", "10 a", "10 b", "20 a", "20 b"]);
  loop.stop();
  await done;
});

Deno.test("callAt() with equal deadlines runs all of them in one turn", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const seen: string[] = [];
  loop.callAt(10, () => {
    seen.push("first");
    loop.addCallback(() => seen.push("callback"));
    loop.callAt(10, () => seen.push("added"));
  });
  loop.callAt(10, () => seen.push("second"));
  await tick(10);
  assertEquals(seen, ["first", "second", "callback", "added"]);
  loop.stop();
  await done;
});

Deno.test("callLater() in a timeout, with a delay that is over, waits for the next turn", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const seen: string[] = [];
  loop.callLater(10, () => {
    loop.callLater(0, () => seen.push("due"));
    loop.addCallback(() => seen.push("callback"));
    seen.push("timeout");
  });
  await tick(10);
  assertEquals(seen, ["timeout", "callback", "due"]);
  loop.stop();
  await done;
});

Deno.test("callLater() sets the timer anew for an earlier deadline", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const times: number[] = [];
  for (const delay of [50, 20, 30, 10]) loop.callLater(delay, () => times.push(loop.time()));
  await tick(60);
  assertEquals(times, [10, 20, 30, 50]);
  loop.stop();
  await done;
});

Deno.test("callLater() waits for a deadline beyond what the runtime takes, and on a restarted loop", async () => {
  using time = new FakeTime();
  const loop = new IOLoop({ timeFunc: Date.now });
  const month = 40 * 24 * 3_600_000;
  let ran = 0;
  loop.callLater(month, () => ran++);
  let done = loop.start();
  await time.tickAsync(1000);
  loop.stop();
  await done;
  done = loop.start();
  await time.tickAsync(month - 1001);
  assertEquals(ran, 0);
  await time.tickAsync(1);
  assertEquals(ran, 1);
  loop.stop();
  await done;
  loop.close();
});

Deno.test("removeTimeout() in a timeout of the same turn keeps the other one from running", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const seen: string[] = [];
  loop.callAt(10, () => {
    seen.push("first");
    loop.removeTimeout(second);
  });
  const second = loop.callAt(10, () => seen.push("second"));
  loop.callAt(10, () => seen.push("third"));
  await tick(10);
  assertEquals(seen, ["first", "third"]);
  loop.stop();
  await done;
});

Deno.test("removeTimeout() does nothing twice, after it ran, and for a timeout of another loop", async () => {
  const { loop, tick } = fakeLoop();
  const other = new IOLoop({ makeCurrent: false });
  const done = loop.start();
  const seen: string[] = [];
  const foreign = other.callLater(1, () => {});
  const ran = loop.callLater(1, () => seen.push("ran"));
  const removed = loop.callLater(2, () => seen.push("removed"));
  loop.callLater(3, () => seen.push("stays"));
  loop.removeTimeout(removed);
  loop.removeTimeout(removed);
  loop.removeTimeout(foreign);
  await tick(1);
  loop.removeTimeout(ran);
  await tick(5);
  assertEquals(seen, ["ran", "stays"]);
  loop.stop();
  await done;
  other.close();
});

Deno.test("removeTimeout() leaves no memory behind of timeouts an hour ahead", async () => {
  const loop = new IOLoop();
  const timeouts = Array.from({ length: 2000 }, () => {
    const timeout = loop.callLater(3_600_000, () => {});
    loop.removeTimeout(timeout);
    return new WeakRef(timeout);
  });
  await collectGarbage();
  assertEquals(timeouts.filter((timeout) => timeout.deref() !== undefined).length, 0);
  loop.close();
});

Deno.test("addFuture() calls back in a later turn, also for a done Future, with that Future", async () => {
  const future = Future.resolved(42);
  let got: unknown;
  await run((loop) => {
    loop.addFuture(future, (done) => {
      got = done;
      loop.stop();
    });
    assertEquals(got, undefined);
  });
  assertStrictEquals(got, future);
});

Deno.test("addFuture() takes a promise and gives a Future of its outcome", async () => {
  const error = new Error("mine");
  await run((loop) => {
    loop.addFuture(Promise.reject(error), (done) => {
      assertStrictEquals(done.exception(), error);
      loop.stop();
    });
  });
});

Deno.test("addHandler() refuses a source that is registered, removeHandler() takes any", () => {
  const loop = new IOLoop();
  const [a, b] = memoryPair();
  const { port, listener } = bindUnusedPort();
  assert(port > 0);
  loop.addHandler(a, () => {}, IOLoop.NONE);
  assertThrows(() => loop.addHandler(a, () => {}, IOLoop.NONE), Error, "registered already");
  loop.addHandler(listener, () => {}, IOLoop.NONE);
  loop.removeHandler(b);
  loop.removeHandler(a);
  loop.removeHandler(a);
  loop.addHandler(a, () => {}, IOLoop.NONE);
  assertThrows(() => loop.updateHandler(b, IOLoop.READ), Error, "not registered");
  loop.close();
  listener.close();
});

Deno.test("addHandler() calls with the registered object and exactly READ", async () => {
  const { listener, port } = bindUnusedPort();
  const [client, server] = await Promise.all([Deno.connect({ port }), listener.accept()]);
  const calls: [unknown, number][] = [];
  await run((loop) => {
    const channel = loop.addHandler(server, (source, events) => {
      calls.push([source, events]);
      assertEquals(channel.take(), Uint8Array.of(7));
      loop.removeHandler(server);
      loop.stop();
    }, IOLoop.READ);
    client.write(Uint8Array.of(7));
  });
  client.close();
  server.close();
  listener.close();
  assertEquals(calls.length, 1);
  assertStrictEquals(calls[0]![0], server);
  assertEquals(calls[0]![1], IOLoop.READ);
});

Deno.test("addHandler() calls again while what arrived is not taken", async () => {
  const [a, b] = memoryPair();
  await a.write(Uint8Array.of(1));
  let calls = 0;
  await run((loop) => {
    const channel = loop.addHandler(b, () => {
      if (++calls < 3) return;
      assertEquals(channel.take(), Uint8Array.of(1));
      loop.addCallback(() => loop.stop());
    }, IOLoop.READ);
  });
  assertEquals(calls, 3);
});

Deno.test("addHandler() accepts connections of a listener", async () => {
  const { listener, port } = bindUnusedPort();
  const client = Deno.connect({ port });
  let accepted: Deno.Conn | undefined;
  await run((loop) => {
    const channel = loop.addHandler(listener, () => {
      accepted = channel.take();
      loop.stop();
    }, IOLoop.READ);
  });
  listener.close();
  accepted!.close();
  (await client).close();
});

Deno.test("addHandler() with WRITE is told while no write is in flight", async () => {
  const [a, b] = memoryPair({ capacity: 1 });
  const seen: unknown[] = [];
  await run((loop) => {
    const channel = loop.addHandler(a, (_, events) => {
      seen.push(events);
      channel.want(IOLoop.NONE);
      channel.write(Uint8Array.of(1, 2)).then((count) => {
        seen.push(count);
        loop.stop();
      });
    }, IOLoop.WRITE);
  });
  assertEquals(seen, [IOLoop.WRITE, 1]);
  b.close();
});

Deno.test("addHandler() reports a handler that throws, and the loop goes on", async () => {
  const [a, b] = memoryPair();
  const loop = new CollectingLoop();
  await a.write(Uint8Array.of(1));
  const channel = loop.addHandler(b, () => {
    channel.take();
    loop.addCallback(() => loop.stop());
    throw new Error("mine");
  }, IOLoop.READ);
  await loop.start();
  assertEquals(loop.failures.map(([, error]) => (error as Error).message), ["mine"]);
});

Deno.test("removeHandler() in the first handler of a turn keeps the second from being called", async () => {
  const pairs = [memoryPair(), memoryPair()];
  for (const [client] of pairs) await client.write(Uint8Array.of(1));
  const servers = pairs.map(([, server]) => server);
  let calls = 0;
  await run((loop) => {
    for (const server of servers) {
      loop.addHandler(server, () => {
        calls++;
        servers.forEach((each) => loop.removeHandler(each));
        loop.addCallback(() => loop.stop());
      }, IOLoop.READ);
    }
  });
  assertEquals(calls, 1);
});

Deno.test("updateHandler() without READ leaves no read in flight, and with it goes on", async () => {
  const [a, b] = memoryPair();
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const seen: unknown[] = [];
  const channel = loop.addHandler(b, () => {
    seen.push(channel.take());
    loop.updateHandler(b, IOLoop.NONE);
  }, IOLoop.READ);
  await a.write(Uint8Array.of(1));
  await tick(0);
  await a.write(Uint8Array.of(2));
  await tick(0);
  assertEquals(seen, [Uint8Array.of(1)]);
  const buffer = new Uint8Array(5);
  assertEquals(await b.read(buffer), 1);
  await a.write(Uint8Array.of(3));
  loop.updateHandler(b, IOLoop.READ);
  await tick(0);
  assertEquals(seen, [Uint8Array.of(1), Uint8Array.of(3)]);
  loop.stop();
  await done;
});

Deno.test("updateHandler() without READ keeps what a read in flight brings, and starts no other", async () => {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  const [a, b] = memoryPair();
  const seen: unknown[] = [];
  const channel = loop.addHandler(b, () => {
    seen.push(channel.take());
  }, IOLoop.READ);
  await tick(0); // a read is in flight now, and can't be called back
  loop.updateHandler(b, IOLoop.NONE);
  await a.write(Uint8Array.of(1));
  await tick(0);
  await a.write(Uint8Array.of(2));
  await tick(0);
  assertEquals(seen, [], "nobody is told");
  loop.updateHandler(b, IOLoop.READ);
  await tick(0);
  assertEquals(seen, [Uint8Array.of(1), Uint8Array.of(2)], "and nothing is lost");
  loop.removeHandler(b);
  loop.removeHandler(b);
  assertThrows(() => loop.updateHandler(b, IOLoop.READ), Error, "not registered");
  loop.stop();
  await done;
});

Deno.test("start() runs until stop(), and can be called again", async () => {
  const loop = new IOLoop();
  let turns = 0;
  for (let i = 0; i < 3; i++) {
    loop.addCallback(() => {
      turns++;
      assert(loop.running);
      loop.stop();
      assert(loop.running);
    });
    assert(!loop.running);
    await loop.start();
    assert(!loop.running);
  }
  assertEquals(turns, 3);
  loop.close();
});

Deno.test("start() dispatches nothing before it is called", async () => {
  const loop = new IOLoop();
  let ran = false;
  loop.addCallback(() => ran = true);
  loop.callLater(0, () => ran = true);
  await new Promise((resolve) => setTimeout(resolve, 3));
  assert(!ran);
  loop.close();
});

Deno.test("start() in a callback throws and does not disturb the loop", async () => {
  const seen: string[] = [];
  await run((loop) => {
    loop.addCallback(() => {
      assertThrows(() => loop.start(), Error, "running already");
      seen.push("refused");
      loop.addCallback(() => {
        seen.push("goes on");
        loop.stop();
      });
    });
  });
  assertEquals(seen, ["refused", "goes on"]);
});

Deno.test("stop() before start() makes it return at once, once", async () => {
  const loop = new IOLoop();
  let ran = 0;
  loop.addCallback(() => {
    ran++;
    loop.stop();
  });
  loop.stop();
  await loop.start();
  assertEquals(ran, 0);
  await loop.start();
  assertEquals(ran, 1);
  loop.close();
});

Deno.test("stop() lets the turn in progress end and keeps what is registered", async () => {
  const loop = new IOLoop();
  const seen: string[] = [];
  loop.addCallback(() => {
    loop.stop();
    loop.addCallback(() => {
      seen.push("kept");
      loop.stop();
    });
  });
  loop.addCallback(() => seen.push("same turn"));
  await loop.start();
  assertEquals(seen, ["same turn"]);
  await loop.start();
  assertEquals(seen, ["same turn", "kept"]);
  loop.close();
});

Deno.test("stop() from outside wakes an idle loop", async () => {
  const loop = new IOLoop();
  const done = loop.start();
  await nextMacrotask();
  loop.stop();
  await done;
  loop.close();
});

Deno.test("current() makes a loop if there is none, with false it gives null", () => {
  IOLoop.clearCurrent();
  IOLoop.clearCurrent();
  assertEquals(IOLoop.current(false), null);
  assert(!IOLoop.initialized());
  const loop = IOLoop.current();
  assert(IOLoop.initialized());
  assertStrictEquals(IOLoop.current(), loop);
  assertStrictEquals(IOLoop.instance(), loop);
  IOLoop.clearInstance();
  assertEquals(IOLoop.current(false), null);
  loop.install();
  assertStrictEquals(IOLoop.current(false), loop);
  loop.close();
  assertEquals(IOLoop.current(false), null);
});

Deno.test("makeCurrent: false gives a loop that is current only while it runs", async () => {
  IOLoop.clearCurrent();
  for (const make of [() => null, () => new IOLoop()]) {
    const former = make();
    const loop = new IOLoop({ makeCurrent: false });
    assertStrictEquals(IOLoop.current(false), former);
    loop.addCallback(() => {
      assertStrictEquals(IOLoop.current(), loop);
      loop.stop();
    });
    await loop.start();
    assertStrictEquals(IOLoop.current(false), former);
    loop.close();
    assertStrictEquals(IOLoop.current(false), former);
  }
  IOLoop.clearCurrent();
});

Deno.test("current() is the loop whose callback runs when two run side by side", async () => {
  const loops = [new IOLoop(), new IOLoop()];
  const done = loops.map((loop) => loop.start());
  for (const loop of loops) {
    loop.addCallback(() => assertStrictEquals(IOLoop.current(), loop));
    loop.callLater(1, () => {
      assertStrictEquals(IOLoop.current(), loop);
      loop.stop();
    });
  }
  await Promise.all(done);
  IOLoop.clearCurrent();
});

// A step that had waited found the loop current that was started last, and stayed on it.
Deno.test("current() in a coroutine is its own loop after each wait, beside another loop", async () => {
  const [one, other] = [new IOLoop(), new IOLoop()];
  const work = (loop: IOLoop) =>
    function* () {
      for (let i = 0; i < 3; i++) {
        assertStrictEquals(IOLoop.current(), loop);
        yield* sleep(1);
        assertStrictEquals(IOLoop.current(), loop);
        yield* Future.from(Promise.resolve());
      }
    };
  const done = other.run(work(other)).then(() => other.close());
  await one.run(work(one));
  await done;
  await one.run(function* () {
    yield* sleep(1);
  });
  one.close();
  IOLoop.clearCurrent();
});

Deno.test("close() is refused while the loop runs, and does nothing the second time", async () => {
  const loop = new IOLoop();
  loop.addCallback(() => {
    assertThrows(() => loop.close(), Error, "it is running");
    loop.stop();
  });
  await loop.start();
  loop.close();
  loop.close();
  assertThrows(() => loop.start(), Error, "closed");
});

Deno.test("close() closes registered sources with allSources only", () => {
  for (const allSources of [false, true]) {
    const loop = new IOLoop();
    const [a] = memoryPair();
    const { listener } = bindUnusedPort();
    loop.addHandler(a, () => {}, IOLoop.NONE);
    loop.addHandler(listener, () => {}, IOLoop.NONE);
    loop.close({ allSources });
    assertEquals(a.closed(), allSources);
    if (allSources) assertThrows(() => listener.close(), Deno.errors.BadResource);
    else listener.close();
  }
});

Deno.test("close() with allSources ends a read and an accept that are in flight", async () => {
  const loop = new IOLoop();
  const { listener, port } = bindUnusedPort();
  const [client, server] = await Promise.all([Deno.connect({ port }), listener.accept()]);
  loop.addHandler(server, () => assert(false), IOLoop.READ);
  loop.addHandler(listener, () => assert(false), IOLoop.READ);
  loop.callLater(2, () => loop.stop());
  await loop.start();
  loop.close({ allSources: true });
  client.close();
});

Deno.test("close() drops timeouts, and later ones are ignored", async () => {
  const loop = new IOLoop();
  loop.callLater(1, () => assert(false));
  loop.close();
  loop.removeTimeout(loop.callLater(1, () => assert(false)));
  await new Promise((resolve) => setTimeout(resolve, 3));
});

Deno.test("addSignalHandler() calls back in the loop until it is removed", async () => {
  const loop = new IOLoop();
  const seen: string[] = [];
  loop.addSignalHandler("SIGUSR2", () => seen.push("replaced"));
  loop.addSignalHandler("SIGUSR2", () => {
    seen.push("signal");
    loop.stop();
  });
  const patience = loop.callLater(5000, () => loop.stop()); // a signal alone lets the process end
  const done = loop.start();
  Deno.kill(Deno.pid, "SIGUSR2");
  await done;
  loop.removeTimeout(patience);
  assertEquals(seen, ["signal"]);
  loop.removeSignalHandler("SIGUSR2");
  loop.removeSignalHandler("SIGUSR2");
  loop.addSignalHandler("SIGUSR2", () => {});
  loop.close(); // gives it up; the resource sanitizer would tell
});

Deno.test("time() is monotonic and anchored at the epoch, or what timeFunc says", () => {
  const loop = new IOLoop();
  assert(Math.abs(loop.time() - Date.now()) < 5000);
  loop.close();
  const fixed = new IOLoop({ timeFunc: () => 42 });
  assertEquals(fixed.time(), 42);
  fixed.close();
});

Deno.test("NONE, READ, WRITE and ERROR are the bits of events", () => {
  assertEquals([IOLoop.NONE, IOLoop.READ, IOLoop.WRITE, IOLoop.ERROR], [0, 1, 4, 0x18]);
  const loop = new IOLoop();
  assertEquals([loop.NONE, loop.READ, loop.WRITE, loop.ERROR], [0, 1, 4, 0x18]);
  loop.close();
});

Deno.test("configure() chooses the class of loops that create() and current() make, and its options", () => {
  class Ours extends IOLoop {}
  IOLoop.clearCurrent();
  assertStrictEquals(IOLoop.configurableBase(), IOLoop);
  assertStrictEquals(IOLoop.configuredClass(), IOLoop.configurableDefault());
  try {
    IOLoop.configure(Ours, { timeFunc: () => 42 });
    const loop = IOLoop.current();
    assert(loop instanceof Ours);
    assertEquals(loop.time(), 42);
    const aside = IOLoop.create({ makeCurrent: false, timeFunc: () => 43 }) as IOLoop;
    assert(aside instanceof Ours);
    assertEquals(aside.time(), 43);
    assertStrictEquals(IOLoop.current(), loop);
    assert(!(new IOLoop({ makeCurrent: false }) instanceof Ours));
  } finally {
    IOLoop.configure(null);
    IOLoop.clearCurrent();
  }
  assert(!(IOLoop.current() instanceof Ours));
  IOLoop.clearCurrent();
});

Deno.test("configure() refuses what does not extend IOLoop", () => {
  class Other {}
  assertThrows(() => IOLoop.configure(Other as never), TypeError, "does not extend it");
});

Deno.test("run() returns the result of a coroutine, a promise or nothing", async () => {
  const loop = new IOLoop();
  const number: number = await loop.run(function* () {
    yield* sleep(1);
    return 42;
  });
  assertEquals(number, 42);
  assertEquals(await loop.run(() => Promise.resolve("promise")), "promise");
  assertEquals(await loop.run(() => Future.resolved("future")), "future");
  assertEquals(await loop.run(() => {}), undefined);
  loop.close();
});

Deno.test("run() rejects with BadYieldError for a plain value", async () => {
  const loop = new IOLoop();
  await assertRejects(() => loop.run((() => 42) as never), BadYieldError, "42");
  loop.close();
});

Deno.test("run() rejects with what the function throws, at once or later", async () => {
  const loop = new IOLoop();
  await assertRejects(
    () =>
      loop.run(() => {
        throw new RangeError("at once");
      }),
    RangeError,
    "at once",
  );
  await assertRejects(
    () =>
      loop.run(function* () {
        yield* sleep(1);
        throw new RangeError("later");
      }),
    RangeError,
    "later",
  );
  loop.close();
});

Deno.test("run() with a timeout cancels the coroutine, whose finally runs", async () => {
  const { loop, tick } = fakeLoop();
  let cleaned = false;
  const rejected = assertRejects(() =>
    loop.run(function* () {
      try {
        yield* sleep(1000);
      } finally {
        cleaned = true;
      }
    }, { timeout: 10 }), TimeoutError);
  await tick(10);
  await rejected;
  assert(cleaned);
  assertEquals(loop.time(), 10);
  loop.close();
});

Deno.test("run() returns a result that comes in the turn in which the time is over", async () => {
  const { loop, tick } = fakeLoop();
  const future = new Future<string>();
  loop.callAt(10, () => future.setResult("in time"));
  const result = loop.run(() => future, { timeout: 10 });
  await tick(10);
  assertEquals(await result, "in time");
  loop.close();
});

Deno.test("run() leaves no timer of its timeout behind", async () => {
  const { loop, tick } = fakeLoop();
  await loop.run(() => {}, { timeout: 1000 });
  const done = loop.start();
  await tick(2000);
  assert(loop.running);
  loop.stop();
  await done;
});

Deno.test("run() rejects when somebody stops the loop, and while it runs", async () => {
  const loop = new IOLoop();
  await assertRejects(
    () =>
      loop.run(function* () {
        loop.stop();
        yield* sleep(1000);
      }),
    Error,
    "stopped before its Future completed",
  );
  const done = loop.start();
  await assertRejects(() => loop.run(() => {}), Error, "running already");
  loop.stop();
  await done;
  loop.close();
});

// What an earlier run() left behind ran in the next one, or stopped it when it was done.
Deno.test("run() is not disturbed by an earlier one that was stopped", async () => {
  const loop = new IOLoop();
  let calls = 0;
  loop.stop();
  await assertRejects(() => loop.run(() => void calls++), Error, "stopped before");
  await assertRejects(
    () =>
      loop.run(function* () {
        loop.stop();
        yield* sleep(1);
      }),
    Error,
    "stopped before",
  );
  const result = loop.run(function* () {
    yield* sleep(10);
    return "whole";
  });
  assertEquals(await result, "whole");
  assertEquals(calls, 0);
  loop.close();
});

/** Echoes over a real socket and waits for a timer, while `disturb` does its worst. */
async function echoBeside(disturb: (loop: IOLoop, going: () => boolean) => void): Promise<void> {
  const loop = new IOLoop();
  const { listener, port } = bindUnusedPort();
  let going = true;
  disturb(loop, () => going);
  const echo = async (): Promise<number[]> => {
    const [client, server] = await Promise.all([Deno.connect({ port }), listener.accept()]);
    const reply = new Uint8Array(3);
    const channel = loop.addHandler(server, () => {
      const bytes = channel.take();
      if (bytes instanceof Uint8Array) channel.write(bytes);
    }, IOLoop.READ);
    await client.write(Uint8Array.of(1, 2, 3));
    await client.read(reply);
    loop.removeHandler(server);
    client.close();
    server.close();
    return [...reply];
  };
  const timer = new Promise<void>((resolve) => void loop.callLater(5, resolve));
  const done = loop.start();
  assertEquals(await echo(), [1, 2, 3]);
  await timer;
  going = false;
  loop.stop();
  await done;
  listener.close();
  loop.close();
}

Deno.test("an endless chain of callbacks starves neither sockets nor timers", async () => {
  await echoBeside((loop, going) => {
    const chain = () => {
      if (going()) loop.addCallback(chain);
    };
    chain();
  });
});

Deno.test("an endless chain of due timeouts starves neither sockets nor callbacks", async () => {
  await echoBeside((loop, going) => {
    const chain = () => {
      if (going()) loop.callLater(0, chain);
    };
    chain();
  });
});

Deno.test("an endless loop of ready yields starves neither sockets nor timers", async () => {
  await echoBeside((loop, going) =>
    loop.addCallback(function* () {
      const ready = Future.resolved(1);
      while (going()) yield ready;
    })
  );
});

Deno.test("an endless loop of ready yield* starves neither sockets nor timers", async () => {
  const ready = coroutine(function* () {
    return yield* Future.resolved(1);
  });
  await echoBeside((loop, going) =>
    loop.addCallback(function* () {
      while (going()) yield* ready();
    })
  );
});

Deno.test("an endless loop of moments starves neither sockets nor timers", async () => {
  await echoBeside((loop, going) =>
    loop.addCallback(function* () {
      while (going()) yield;
    })
  );
});

// A promise that is done, a queue, an event: each step went on in a microtask, for ever.
Deno.test("endless coroutines that wake each other starve neither sockets nor timers", async () => {
  await echoBeside((loop, going) =>
    loop.addCallback(function* () {
      while (going()) yield Promise.resolve();
    })
  );
  await echoBeside((loop, going) => {
    const queue = new queues.Queue<number>(1);
    loop.addCallback(function* () {
      while (going()) yield* queue.put(1);
    });
    loop.addCallback(function* () {
      while (going()) yield* queue.get();
    });
  });
});

// The runtime looks at its sockets every 61st time that it gives way: an echo took some 40 ms.
Deno.test("an endless chain of callbacks lets the runtime look at its sockets in time", async () => {
  let turns = 0; // of the busy loop, one ms each
  await echoBeside((loop, going) => {
    const chain = () => {
      const end = performance.now() + 1;
      while (performance.now() < end);
      turns++;
      if (going()) loop.addCallback(chain);
    };
    chain();
  });
  assert(turns < 60, `${turns} turns went by`);
});

// Its restored predecessor was a loop that had stopped, or was closed, meanwhile.
Deno.test("current() is right when loops side by side end in the order in which they began", async () => {
  IOLoop.clearCurrent();
  const [first, second] = [new IOLoop({ makeCurrent: false }), new IOLoop({ makeCurrent: false })];
  const ends = [first.start(), second.start()];
  first.stop();
  await ends[0];
  assertStrictEquals(IOLoop.current(), second);
  first.close();
  second.stop();
  await ends[1];
  assertStrictEquals(IOLoop.current(false), null);
  second.close();
});

// The error left the turn: the loop never ran again.
Deno.test("handleCallbackException() that throws is logged, and the loop goes on", async () => {
  class Broken extends IOLoop {
    override handleCallbackException(): void {
      throw new Error("broken handler");
    }
  }
  const loop = new Broken();
  loop.addCallback(() => {
    throw new Error("callback");
  });
  loop.callLater(1, () => loop.stop());
  await expectLog(["waterspout", "application"], /broken handler/, () => loop.start());
});

// The timer had been set for an hour on the way back, and was taken for one that is due.
Deno.test("callLater() survives a clock that jumps back and forth", async () => {
  let offset = 0;
  const loop = new IOLoop({ timeFunc: () => Date.now() + offset });
  await loop.run(function* () {
    loop.callLater(1, () => {});
    offset = -3_600_000;
    yield new Promise((resolve) => setTimeout(resolve, 5));
    offset = 0;
    yield;
    yield* sleep(1);
  }, { timeout: 1000 });
  loop.close();
});

// What cannot be cancelled was waited for, for ever.
Deno.test("run() with a timeout ends in time also when its work is shielded", async () => {
  const loop = new IOLoop();
  const never = new Future<void>();
  await assertRejects(() => loop.run(() => shield(never), { timeout: 5 }), TimeoutError);
  assert(!never.done());
});
