import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { coroutine, type CoroutineGenerator, Multi, sleep } from "../../gen/mod.ts";
import { HTTPServer } from "../../http/mod.ts";
import { appLog, Future, IOLoop, type TraceBatch, type TraceEvent } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { expectLog, fakeLoop, memoryPair } from "../../testing/mod.ts";
import { Application, RequestHandler, type Route } from "../../web/mod.ts";
import { withFakeLoop } from "../gen/_with_fake_loop.ts";
import { ask, RawClient } from "../http/_raw_client.ts";

/** Gives the names of the records, and what they say, without turns and flushes. */
function told(events: readonly TraceEvent[]): string[] {
  return events
    .filter(({ name }) => !/^(?:turn|flush|event|callback|timeout)\./.test(name))
    .map(({ name, what, count }) =>
      [name, what, count > 0 ? count : ""].filter((part) => part !== "").join(" ")
    );
}

function named(events: readonly TraceEvent[], name: string): TraceEvent[] {
  return events.filter((event) => event.name === name);
}

/** Runs `body` in a loop whose clock moves only when it is told to, and traces it. */
async function traced(
  body: (pass: (ms: number) => void) => unknown,
): Promise<TraceEvent[]> {
  let now = 1000;
  const loop = new IOLoop({ timeFunc: () => now });
  loop.trace.start();
  loop.addCallback(() => body((ms) => now += ms));
  await loop.start();
  loop.trace.stop();
  return loop.trace.events();
}

Deno.test("trace records nothing, and tracer is null, until it is started", async () => {
  const loop = new IOLoop();
  assertEquals([loop.tracer, loop.trace.recording], [null, false]);
  await loop.run(() => sleep(0));
  assertEquals(loop.trace.events(), []);
  loop.trace.start();
  assert(loop.tracer === loop.trace);
  assert(loop.trace.recording);
  await loop.run(() => sleep(0));
  const { length } = loop.trace.events();
  assert(length > 0);
  loop.trace.stop();
  loop.trace.stop();
  await loop.run(() => sleep(0));
  assertEquals([loop.tracer, loop.trace.events().length], [null, length]);
});

Deno.test("trace tells of each callback and timeout: its name, when, for how long", async () => {
  const events = await traced((pass) => {
    const loop = IOLoop.current();
    loop.addCallback(function think() {
      pass(30);
    });
    loop.callLater(10, function later() {
      pass(5);
      loop.stop();
    });
  });
  const calls = events
    .filter(({ name }) => name === "callback.ended" || name === "timeout.ended")
    .map(({ name, what, at, ms }) => [name, what, at, ms]);
  assertEquals(
    calls,
    [
      ["callback.ended", "(anonymous)", 1000, 0],
      ["callback.ended", "think", 1000, 30],
      ["timeout.ended", "later", 1030, 5],
    ].slice(0, 3),
  );
});

Deno.test("trace counts what a turn ran, and numbers the turns", async () => {
  const events = await traced(() => {
    const loop = IOLoop.current();
    loop.addCallback(() => {});
    loop.addCallback(() => loop.addCallback(() => loop.stop()));
  });
  const turns = named(events, "turn.ended").map(({ turn, count }) => [turn, count]);
  assertEquals(turns, [[1, 1], [2, 2], [3, 1]]);
  assertEquals(named(events, "callback.ended").map(({ turn }) => turn), [1, 2, 2, 3]);
});

Deno.test("trace goes on when a callback throws", async () => {
  const loop = new IOLoop();
  loop.trace.start();
  await expectLog(appLog, "Exception in callback fails", async () => {
    loop.addCallback(function fails() {
      throw new Error("no");
    });
    loop.addCallback(function stops() {
      loop.stop();
    });
    await loop.start();
  });
  const calls = named(loop.trace.events(), "callback.ended").map(({ what }) => what);
  assertEquals(calls, ["fails", "stops"]);
});

Deno.test("trace tells of a coroutine from its start to its end, and what it waits for", () =>
  withFakeLoop(async (tick, loop) => {
    const inner = coroutine(function* inner(): CoroutineGenerator<number> {
      yield* sleep(20);
      return 1;
    });
    const outer = coroutine(function* outer(): CoroutineGenerator<number> {
      const [one] = yield* Multi([inner(), sleep(5)]);
      return one + (yield* inner());
    });
    loop.trace.start();
    const result = outer();
    await tick(40);
    assertEquals(result.result(), 2);
    loop.trace.stop();
    const events = loop.trace.events();
    assertEquals(
      told(events).filter((line) => !line.startsWith("coroutine.stepped")),
      [
        "coroutine.started outer",
        "coroutine.started inner",
        "coroutine.waiting sleep 20 ms",
        "coroutine.waiting 2 at once",
        "coroutine.ended returned",
        "coroutine.started inner",
        "coroutine.waiting sleep 20 ms",
        "coroutine.waiting inner",
        "coroutine.ended returned",
        "coroutine.ended returned",
      ],
    );
    const [first, second, third] = named(events, "coroutine.started");
    assertEquals([first!.parent, second!.parent, third!.parent], [
      0,
      first!.coroutine,
      first!.coroutine,
    ]);
    const last = named(events, "coroutine.waiting").at(-1)!;
    assertEquals([last.coroutine, last.parent], [first!.coroutine, third!.coroutine]);
    const steps = named(events, "coroutine.stepped").map(({ what }) => what);
    assertEquals(steps, ["inner", "outer", "inner", "inner", "outer", "inner", "outer"]);
  }));

Deno.test("trace tells how a coroutine ended, and what else one may wait for", () =>
  withFakeLoop(async (tick, loop) => {
    loop.trace.start();
    const fails = coroutine(function* (): CoroutineGenerator {
      yield* sleep(1);
      throw new Error("no");
    })();
    const cancelled = coroutine(function* waits(): CoroutineGenerator {
      yield* new Future<void>();
    })();
    await tick(1);
    cancelled.cancel();
    await tick(0);
    assertEquals(fails.exception() instanceof Error, true);
    const lines = told(loop.trace.events());
    assertEquals(lines.filter((line) => line.startsWith("coroutine.ended")), [
      "coroutine.ended failed",
      "coroutine.ended cancelled",
    ]);
    assert(lines.includes("coroutine.waiting a Future"));
    assert(lines.includes("coroutine.started (anonymous)"));
  }));

Deno.test("trace sees a coroutine that began before it, from its next step on", () =>
  withFakeLoop(async (tick, loop) => {
    const work = coroutine(function* early(): CoroutineGenerator {
      yield* sleep(1);
      yield* sleep(2);
    })();
    await tick(0);
    loop.trace.start();
    await tick(3);
    assert(work.done());
    assertEquals(told(loop.trace.events()), [
      "coroutine.started early",
      "coroutine.stepped early",
      "coroutine.waiting sleep 2 ms",
      "coroutine.stepped early",
      "coroutine.ended returned",
    ]);
  }));

class Slowly extends RequestHandler {
  override *get(): CoroutineGenerator {
    yield* sleep(10);
    this.write("slow");
  }
}

class Plain extends RequestHandler {
  override get(): void {
    this.write("plain");
  }
}

const ROUTES: Route[] = [["/slow/([0-9]+)", Slowly], ["/plain", Plain]];

Deno.test("trace follows a request from accept to close", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const server = new HTTPServer(new Application(ROUTES), { ioLoop: loop });
  const [client, end] = memoryPair();
  loop.trace.start();
  const address: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  server.handleStream(new IOStream(end, { ioLoop: loop }), address);
  const get = "GET /slow/1?token=secret HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await client.write(new TextEncoder().encode(get));
  await tick(10);
  client.close();
  await tick(0);
  loop.trace.stop();
  const events = loop.trace.events();
  const wrote = named(events, "connection.wrote")[0]!.count;
  assertEquals(told(events), [
    "connection.opened",
    `connection.read ${get.length}`,
    "request.parsed GET /slow/1",
    "request.routed /slow/([0-9]+)",
    "handler.started Slowly",
    "coroutine.started get",
    "coroutine.stepped get",
    "coroutine.waiting sleep 10 ms",
    "coroutine.stepped get",
    "coroutine.ended returned",
    "answer.began 200",
    "request.answered",
    `connection.wrote ${wrote}`,
    "connection.ended",
    "connection.closed",
  ]);
  const connection = named(events, "connection.opened")[0]!.connection;
  const request = named(events, "request.parsed")[0]!.request;
  for (const event of events) {
    if (event.connection > 0) assertEquals(event.connection, connection, event.name);
    if (event.request > 0) assertEquals(event.request, request, event.name);
    if (/^(?:request|handler|answer|coroutine)/.test(event.name)) assert(event.request > 0);
  }
  assertEquals(named(events, "answer.began")[0]!.at, 10);
  assert(!JSON.stringify(events).includes("secret"));
  loop.stop();
  await running;
});

Deno.test("trace of a real server begins with the accept, and tells the peer and the flushes", () =>
  new IOLoop().run(async () => {
    const loop = IOLoop.current();
    const server = new Application(ROUTES).listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    loop.trace.start();
    assertEquals((await ask(port, "GET", "/plain")).text, "plain");
    await server.shutdown();
    loop.trace.stop();
    const events = loop.trace.events();
    const [accepted, opened] = told(events);
    assert(/^connection\.accepted 127\.0\.0\.1:\d+$/.test(accepted!), accepted);
    assertEquals(opened, "connection.opened");
    assertEquals(
      new Set(named(events, "connection.accepted").map((event) => event.connection)),
      new Set(named(events, "connection.closed").map((event) => event.connection)),
    );
    assertEquals(named(events, "flush.ended").map(({ count }) => count), [1]);
    assert(named(events, "event.ended").length >= 2);
  }, { timeout: 20_000 }));

Deno.test("trace keeps the last records, in order", async () => {
  const loop = new IOLoop();
  for (const capacity of [1, 7]) {
    loop.trace.start({ capacity });
    let left = 20;
    loop.addCallback(function step() {
      if (left-- > 0) loop.addCallback(step);
      else loop.stop();
    });
    await loop.start();
    loop.trace.stop();
    const events = loop.trace.events();
    assertEquals(events.length, capacity);
    assertEquals(events.at(-1)!.name, "turn.ended");
    const turns = events.map(({ turn }) => turn);
    assertEquals(turns, turns.toSorted((one, other) => one - other));
  }
  loop.trace.clear();
  assertEquals(loop.trace.events(), []);
});

Deno.test("trace.start() refuses a capacity that is no number from 1", () => {
  const loop = new IOLoop();
  for (const capacity of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => loop.trace.start({ capacity }), RangeError, "whole number from 1");
  }
  assertEquals(loop.tracer, null);
});

Deno.test("trace cuts what it cites at 120 characters", async () => {
  const events = await traced(() => {
    const loop = IOLoop.current();
    loop.addCallback(Object.defineProperty(() => loop.stop(), "name", { value: "x".repeat(500) }));
  });
  assertEquals(Math.max(...events.map(({ what }) => what.length)), 120);
});

Deno.test("trace.subscribe() gives batches, the least time apart, and none when nothing happens", () =>
  withFakeLoop(async (tick, loop) => {
    const batches: [at: number, batch: TraceBatch][] = [];
    const end = loop.trace.subscribe((batch) => batches.push([loop.time(), batch]));
    assert(loop.tracer === loop.trace);
    loop.addCallback(() => {});
    loop.callLater(60, () => {});
    loop.callLater(120, () => {});
    await tick(1000);
    assertEquals(batches.map(([at]) => at), [100, 220]);
    assert(batches.every(([, { cut, events }]) => !cut && events.length > 0));
    end();
    end();
    assertEquals(loop.tracer, null);
    await tick(1000);
    assertEquals(batches.length, 2);
  }));

Deno.test("trace.subscribe() does not tell of the turns that deliver its batches", () =>
  withFakeLoop(async (tick, loop) => {
    const batches: TraceBatch[] = [];
    const end = loop.trace.subscribe((batch) => batches.push(batch), { every: 10 });
    loop.addCallback(() => {});
    await tick(10_000);
    assertEquals(batches.length, 1);
    end();
  }));

Deno.test("trace.subscribe() gives `limit` records, and records nothing until the next batch", () =>
  withFakeLoop(async (tick, loop) => {
    const batches: TraceBatch[] = [];
    const end = loop.trace.subscribe((batch) => batches.push(batch), { every: 100, limit: 5 });
    const burst = () => {
      for (let i = 0; i < 50; i++) loop.addCallback(() => {});
    };
    burst();
    await tick(50);
    assertEquals(loop.tracer, null);
    assertEquals(loop.trace.events().length, 6); // the one by which it was known was the last
    burst();
    await tick(50);
    assert(loop.tracer === loop.trace);
    assertEquals(batches.map(({ events, cut }) => [events.length, cut]), [[5, true]]);
    loop.addCallback(() => {});
    await tick(100);
    assertEquals(batches.map(({ cut }) => cut), [true, false]);
    end();
  }));

Deno.test("trace.subscribe() does not hold back what start() records", () =>
  withFakeLoop(async (tick, loop) => {
    loop.trace.start();
    const batches: TraceBatch[] = [];
    const end = loop.trace.subscribe((batch) => batches.push(batch), { limit: 5 });
    for (let i = 0; i < 50; i++) loop.addCallback(() => {});
    await tick(50);
    assertEquals(named(loop.trace.events(), "callback.ended").length, 50);
    assert(loop.tracer === loop.trace);
    await tick(50);
    assertEquals(batches.map(({ events, cut }) => [events.length, cut]), [[5, true]]);
    end();
    assert(loop.tracer === loop.trace);
    loop.trace.stop();
    assertEquals(loop.tracer, null);
  }));

Deno.test("trace.subscribe() logs what a listener throws, and goes on", () =>
  withFakeLoop(async (tick, loop) => {
    let batches = 0;
    const end = loop.trace.subscribe(() => {
      batches++;
      throw new Error("cannot take it");
    });
    await expectLog(appLog, "cannot take it", async () => {
      loop.addCallback(() => {});
      await tick(100);
      loop.addCallback(() => {});
      await tick(100);
    });
    assertEquals(batches, 2);
    end();
  }));

Deno.test("trace.subscribe() refuses numbers that make no sense", () => {
  const { trace } = new IOLoop();
  for (const every of [-1, NaN]) {
    assertThrows(() => trace.subscribe(() => {}, { every }), RangeError);
  }
  for (const limit of [0, 1.5, NaN]) {
    assertThrows(() => trace.subscribe(() => {}, { limit }), RangeError);
  }
  assert(!trace.recording);
});

Deno.test("trace.ignore() leaves out what a stream reads and writes", () =>
  new IOLoop().run(async () => {
    const loop = IOLoop.current();
    const [one, other] = await IOStream.pair();
    loop.trace.start();
    loop.trace.ignore(one);
    await one.write("hello");
    assertEquals((await other.readBytes(5)).length, 5);
    loop.trace.stop();
    assertEquals(told(loop.trace.events()), ["connection.read 5"]);
    assertEquals(named(loop.trace.events(), "flush.ended"), []);
    one.close();
    other.close();
  }));

Deno.test("the tracer shows its state where it is printed", () => {
  const { trace } = new IOLoop();
  assertEquals(Deno.inspect(trace), "Tracer { off, 0 records }");
  trace.start();
  assertEquals(Deno.inspect(trace), "Tracer { recording, 0 records }");
});

interface Exported {
  readonly name: string;
  readonly ph: string;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly id?: string;
  readonly args: Record<string, unknown>;
}

/** Checks what Chrome's format demands, and returns the events. */
function checked(json: string): readonly Exported[] {
  const { traceEvents } = JSON.parse(json) as { traceEvents: Exported[] };
  let last = 0;
  const ends: number[] = []; // of the spans that are open
  const open = new Set<string>();
  for (const event of traceEvents) {
    const { name, ph, cat, ts, dur, pid, tid, id, args } = event;
    assert(typeof name === "string" && name !== "");
    assert(pid > 0 && tid > 0);
    assert(typeof args === "object");
    if (ph === "M") {
      assertEquals(ts, undefined);
      continue;
    }
    assert(typeof cat === "string" && cat !== "");
    assert(Number.isInteger(ts) && ts! >= last, `${name} at ${ts} comes behind ${last}`);
    last = ts!;
    const key = `${cat} ${id}`;
    switch (ph) {
      case "X": {
        assert(Number.isInteger(dur) && dur! >= 0);
        while (ends.length > 0 && ends.at(-1)! <= ts! && dur! > 0) ends.pop();
        while (ends.length > 0 && ends.at(-1)! < ts!) ends.pop();
        if (ends.length > 0) assert(ts! + dur! <= ends.at(-1)!, `${name} does not nest`);
        ends.push(ts! + dur!);
        break;
      }
      case "b":
        assert(!open.has(key), `${key} begins twice`);
        open.add(key);
        break;
      case "n":
      case "e":
        assert(open.has(key), `${name} of ${key} stands outside`);
        if (ph === "e") open.delete(key);
        break;
      default:
        throw new Error(`no such phase: ${ph}`);
    }
  }
  return traceEvents;
}

Deno.test("trace.export() is JSON of Chrome's trace format: nested spans, and ones side by side", () =>
  new IOLoop().run(async () => {
    const loop = IOLoop.current();
    const server = new Application(ROUTES).listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    loop.trace.start();
    await Promise.all(
      ["/plain", "/slow/1", "/slow/2", "/none"].map((path) => ask(port, "GET", path)),
    );
    using leaves = await RawClient.connect(port);
    await leaves.send("GET /slow/3 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await sleep(2);
    leaves.close();
    await server.shutdown();
    loop.trace.stop();
    const events = checked(loop.trace.export());
    const begun = (cat: string) =>
      events.filter((event) => event.cat === cat && event.ph === "b").map(({ name }) => name);
    assertEquals(begun("connection").length, 5);
    assertEquals(begun("request").sort(), [
      "GET /none",
      "GET /plain",
      "GET /slow/1",
      "GET /slow/2",
      "GET /slow/3",
    ]);
    assertEquals(begun("coroutine").filter((name) => name === "get").length, 3);
    for (const cat of ["connection", "request"]) {
      const ended = events.filter((event) => event.cat === cat && event.ph === "e");
      assertEquals(ended.length, 5, cat);
    }
    assert(events.some(({ name, ph }) => name === "turn" && ph === "X"));
    assert(events.some(({ name, ph }) => name === "coroutine get" && ph === "X"));
  }, { timeout: 20_000 }));

Deno.test("trace.export() is right where the beginnings are no longer kept", () =>
  new IOLoop().run(async () => {
    const loop = IOLoop.current();
    const server = new Application(ROUTES).listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    for (let capacity = 1; capacity <= 20; capacity++) {
      loop.trace.start({ capacity });
      await ask(port, "GET", "/slow/1");
      assertEquals(loop.trace.events().length, capacity);
      checked(loop.trace.export());
    }
    loop.trace.stop();
    await server.shutdown();
  }, { timeout: 20_000 }));

Deno.test("trace.export() of nothing is a file without spans", () => {
  const json = new IOLoop().trace.export();
  assertEquals(checked(json).map(({ ph }) => ph), ["M", "M"]);
  assertStringIncludes(json, '"displayTimeUnit":"ms"');
});
