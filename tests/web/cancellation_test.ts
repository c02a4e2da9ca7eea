import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { appLog, CancelledError, Future } from "../../ioloop/mod.ts";
import { coroutine, type CoroutineGenerator, shield, sleep } from "../../gen/mod.ts";
import { StreamClosedError } from "../../iostream/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { RequestHandler, type Route } from "../../web/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "./_serve.ts";

const WHILE_MS = 200; // the client waits so long before it leaves
const SOON_MS = 2_000; // it takes some 20 ms, more on a busy machine; the handlers would take 10 s

// What the handlers of a test did, with the time of each.
let events: string[] = [];
let times: number[] = [];

function note(event: string): void {
  events.push(event);
  times.push(performance.now());
}

// What the client sends before its request, by the way in which its close() then ends the
// connection: with an answer in its buffer that it did not read, that is a reset.
const WAYS: Readonly<Record<string, string>> = {
  "closes": "",
  "resets the connection": "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n",
};

class Quick extends RequestHandler {
  override get(): void {
    this.write("quick");
  }
}

// Asks `method /`, leaves, and returns how long it took from there until `ended` was noted.
async function askAndLeave(
  { port }: Served,
  way: string,
  method: string,
  ended: string,
  behind = "",
): Promise<number> {
  events = [];
  times = [];
  using client = await RawClient.connect(port);
  await client.send(`${WAYS[way]}${method} / HTTP/1.1\r\nHost: x\r\n\r\n${behind}`);
  await sleep(WHILE_MS);
  const left = performance.now();
  client.close();
  await until(() => events.includes(ended));
  return times[events.indexOf(ended)]! - left;
}

function onEachWay(
  behaviour: string,
  handler: new (...args: ConstructorParameters<typeof RequestHandler>) => RequestHandler,
  body: (served: Served, way: string) => Promise<void>,
): void {
  const routes: Route[] = [["/", handler], ["/quick", Quick]];
  for (const way in WAYS) {
    Deno.test(`RequestHandler whose client ${way}: ${behaviour}`, () =>
      serve(routes, (served) => body(served, way)));
  }
}

class Sleeping extends RequestHandler {
  override *get(): CoroutineGenerator {
    try {
      yield* sleep(10_000);
      note("went on");
    } finally {
      note("finally");
    }
    note("went on");
  }

  override onConnectionClose(): void {
    note("onConnectionClose");
  }

  override onFinish(): void {
    note("onFinish");
  }
}

onEachWay("its coroutine is cancelled and its finally runs", Sleeping, async (served, way) => {
  assert(await askAndLeave(served, way, "GET", "finally") < SOON_MS);
  await sleep(20);
  assertEquals(events.toSorted(), ["finally", "onConnectionClose"]);
});

// What a client sends behind a request waits, up to some 60 KB; further bytes stay in the kernel,
// and the end with them.
Deno.test("RequestHandler is cancelled when its client leaves, many requests behind it or not", () =>
  serve([["/", Sleeping], ["/quick", Quick]], async (served) => {
    for (const size of [1000, 20_000, 33_000, 50_000, 60_000]) {
      const request = WAYS["resets the connection"]!;
      const behind = request.repeat(size / request.length);
      assert(await askAndLeave(served, "closes", "GET", "finally", behind) < SOON_MS);
    }
  }));

class Unwinding extends RequestHandler {
  override *get(): CoroutineGenerator {
    try {
      try {
        yield* this.inner();
        note("went on");
      } finally {
        note("outer");
        yield* sleep(1);
        note("outer ended");
      }
      note("went on");
    } catch (error) {
      assertInstanceOf(error, CancelledError);
      note("caught");
      throw error;
    }
  }

  *inner(): CoroutineGenerator {
    try {
      yield* sleep(10_000);
      note("went on");
    } finally {
      note("inner");
      yield* sleep(1);
      yield sleep(1);
      note("inner ended");
    }
    note("went on");
  }
}

onEachWay(
  "finally blocks run innermost first, and may yield",
  Unwinding,
  async (served, way) => {
    assert(await askAndLeave(served, way, "GET", "caught") < SOON_MS);
    await sleep(20);
    assertEquals(events, ["inner", "inner ended", "outer", "outer ended", "caught"]);
  },
);

class Swallowing extends RequestHandler {
  override *get(): CoroutineGenerator {
    for (;;) {
      try {
        yield sleep(10_000);
        note("went on");
      } catch {
        note("swallowed");
        if (events.length === 3) break;
      }
    }
    note("ended");
  }
}

onEachWay(
  "code that swallows its cancellation gets it again at its next yield",
  Swallowing,
  async (served, way) => {
    assert(await askAndLeave(served, way, "GET", "ended") < SOON_MS);
    assertEquals(events, ["swallowed", "swallowed", "swallowed", "ended"]);
  },
);

class Shielding extends RequestHandler {
  override *get(): CoroutineGenerator {
    try {
      yield* shield(this.save());
      note("went on");
    } finally {
      note("finally");
    }
  }

  *save(): CoroutineGenerator {
    yield* sleep(WHILE_MS + 100);
    note("saved");
  }
}

onEachWay("what is shielded ends first", Shielding, async (served, way) => {
  await askAndLeave(served, way, "GET", "finally");
  assertEquals(events, ["saved", "finally"]);
});

class Posting extends RequestHandler {
  override *post(): CoroutineGenerator {
    yield* sleep(WHILE_MS + 60);
    note("went on");
  }

  override onConnectionClose(): void {
    note("onConnectionClose");
  }
}

onEachWay(
  "a POST goes on, and onConnectionClose() is called once",
  Posting,
  async (served, way) => {
    await askAndLeave(served, way, "POST", "went on");
    await sleep(20);
    assertEquals(events, ["onConnectionClose", "went on"]);
  },
);

class CancelledPost extends Sleeping {
  static override CANCEL_ON_DISCONNECT = ["POST"];

  override post(): CoroutineGenerator {
    return this.get();
  }
}

onEachWay("CANCEL_ON_DISCONNECT lists the methods", CancelledPost, async (served, way) => {
  assert(await askAndLeave(served, way, "POST", "finally") < SOON_MS);
});

class NeverCancelled extends RequestHandler {
  static override CANCEL_ON_DISCONNECT = false;

  override *get(): CoroutineGenerator {
    yield* sleep(WHILE_MS + 60);
    note("went on");
  }
}

onEachWay("CANCEL_ON_DISCONNECT may be off", NeverCancelled, async (served, way) => {
  await askAndLeave(served, way, "GET", "went on");
});

class Started extends RequestHandler {
  override *get(): CoroutineGenerator {
    this.write("part");
    yield* this.flush();
    try {
      yield* sleep(10_000);
      note("went on");
    } finally {
      note("finally");
    }
  }

  override onConnectionClose(): void {
    note("onConnectionClose");
  }
}

onEachWay("an answer that began is cancelled as well", Started, async (served, way) => {
  assert(await askAndLeave(served, way, "GET", "finally") < SOON_MS);
  await sleep(20);
  assertEquals(events.toSorted(), ["finally", "onConnectionClose"]);
});

class Endless extends RequestHandler {
  override *get(): CoroutineGenerator {
    try {
      for (;;) {
        this.write("x".repeat(10_000));
        yield* this.flush();
        yield* sleep(1);
      }
    } finally {
      note("finally");
    }
  }
}

onEachWay("an answer without end is cancelled", Endless, async (served, way) => {
  assert(await askAndLeave(served, way, "GET", "finally") < SOON_MS);
});

class InPrepare extends RequestHandler {
  override *prepare(): CoroutineGenerator {
    try {
      yield* sleep(10_000);
    } finally {
      note("finally");
    }
  }

  override get(): void {
    note("went on");
  }
}

onEachWay("prepare() is cancelled and the method not called", InPrepare, async (served, way) => {
  assert(await askAndLeave(served, way, "GET", "finally") < SOON_MS);
  await sleep(20);
  assertEquals(events, ["finally"]);
});

class Async extends RequestHandler {
  override async get(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.signal.addEventListener("abort", () => resolve());
    await promise;
    note(`aborted: ${this.signal.reason.message}`);
    assert(this.finished);
  }
}

onEachWay("signal tells an async method", Async, async (served, way) => {
  const ms = await askAndLeave(served, way, "GET", "aborted: Cancelled: the client left");
  assert(ms < SOON_MS);
});

class LateWriter extends RequestHandler {
  readonly #left = new Future<void>();

  override onConnectionClose(): void {
    this.#left.setResult();
  }

  override *post(): CoroutineGenerator {
    yield* this.#left;
    assert(this.signal.aborted); // though nobody had asked for it before
    assertThrows(() => this.finish(), StreamClosedError);
    note("wrote");
    this.write("late");
  }
}

onEachWay(
  "what writes later ends with StreamClosedError, and no log line",
  LateWriter,
  async (served, way) => {
    const { matched } = await expectLog(appLog, /Uncaught/, async () => {
      await askAndLeave(served, way, "POST", "wrote");
      await sleep(1);
    }, { required: false });
    assertEquals(matched, []);
  },
);

const background = coroutine(function* (name: string): CoroutineGenerator {
  try {
    yield* sleep(10_000);
  } finally {
    note(name);
  }
});

class Spawning extends RequestHandler {
  override *get(): CoroutineGenerator {
    background("child");
    try {
      yield* sleep(10_000);
    } finally {
      note("handler");
    }
  }
}

onEachWay("coroutines that it started are cancelled", Spawning, async (served, way) => {
  assert(await askAndLeave(served, way, "GET", "child") < SOON_MS);
  await until(() => events.includes("handler"));
});

class LeavingChild extends RequestHandler {
  override *get(): CoroutineGenerator {
    background("child");
    yield* sleep(1);
    this.write("done");
  }
}

Deno.test("RequestHandler cancels the coroutines that it leaves behind when it has answered", () =>
  serve([["/", LeavingChild]], async ({ get }) => {
    events = [];
    assertEquals((await get("/")).text, "done");
    await until(() => events.includes("child"));
  }));

class ShieldingChild extends RequestHandler {
  override get(): void {
    coroutine(function* () {
      yield* shield(saved());
      note("child goes on");
    })();
    this.write("done");
  }
}

const saved = coroutine(function* () {
  yield* sleep(5);
  yield* coroutine(function* () {
    yield* sleep(5);
  })();
  note("saved");
});

Deno.test("RequestHandler that has answered lets what a child shields end", () =>
  serve([["/", ShieldingChild]], async ({ get }) => {
    events = [];
    await get("/");
    await until(() => events.includes("saved"));
    await sleep(5);
    assertEquals(events, ["saved"]);
  }));

class NotOwned extends RequestHandler {
  static shared: Future<string> = new Future();

  override *get(): CoroutineGenerator {
    this.write(yield* NotOwned.shared);
  }
}

Deno.test("RequestHandler that is cancelled leaves what others wait for alone", () =>
  serve([["/", NotOwned]], async ({ get, port }) => {
    NotOwned.shared = new Future();
    const waiting = get("/");
    const client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await sleep(20);
    client.close();
    await sleep(60);
    assert(!NotOwned.shared.done());
    NotOwned.shared.setResult("shared");
    assertEquals((await waiting).text, "shared");
  }));

Deno.test("RequestHandler.onConnectionClose() is not called after finish()", () =>
  serve([["/", Sleeping], ["/quick", Quick]], async ({ get }) => {
    events = [];
    await get("/quick");
    await sleep(20);
    assertEquals(events, []);
  }));

class SlowGet extends RequestHandler {
  override *get(): CoroutineGenerator {
    yield* sleep(150);
    this.write("answer");
  }
}

Deno.test("RequestHandler answers a client that only ended its sending side", () =>
  serve([["/", SlowGet]], async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.closeWrite();
    let interim = 0;
    let answer = await client.answer();
    for (; answer.status === 100; interim++) answer = await client.answer();
    assertEquals([answer.status, answer.text], [200, "answer"]);
    assert(interim > 0);
  }));

Deno.test("RequestHandler in progress is cut by a shutdown after its grace", () =>
  serve([["/", Sleeping]], async ({ port, server }) => {
    events = [];
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await sleep(20);
    assertEquals(await server.shutdown({ grace: 20 }), { cut: 1 });
    await until(() => events.includes("finally"));
    assert(!events.includes("went on"));
  }));

class SpawningPost extends Posting {
  override *post(): CoroutineGenerator {
    background("child");
    yield* super.post();
  }
}

onEachWay("coroutines that a POST started end behind it", SpawningPost, async (served, way) => {
  await askAndLeave(served, way, "POST", "child");
  assertEquals(events, ["onConnectionClose", "went on", "child"]);
});
