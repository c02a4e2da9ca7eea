import { assert, assertEquals, assertThrows } from "@std/assert";
import { Callback, type CoroutineGenerator, sleep, Task, Wait } from "../../gen/mod.ts";
import { accessLog, Future, IOLoop } from "../../ioloop/mod.ts";
import { StreamClosedError } from "../../iostream/mod.ts";
import { HTTPServerRequest } from "../../http/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { Application, asynchronous, HTTPError, RequestHandler } from "../../web/mod.ts";
import { collectGarbage } from "../testing/_garbage.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

Deno.test("getArgument() makes blanks of control characters, then trims", async () => {
  class Show extends RequestHandler {
    override get(): void {
      this.write({
        bare: this.getArgument("x"),
        kept: this.getArgument("x", null, { strip: false }),
        all: this.getArguments("x", { strip: false }),
      });
    }
  }
  await serve([["/", Show]], async ({ get }) => {
    const read = async (text: string) =>
      JSON.parse((await get(`/?x=${encodeURIComponent(text)}`)).text);
    for (const code of [0, 1, 8, 14, 31]) {
      const char = String.fromCharCode(code);
      assertEquals(await read(`${char}a${char}b`), { bare: "a b", kept: " a b", all: [" a b"] });
    }
    const spaces = "\ta\nb\r\x0b\x0c\x7f";
    assertEquals(await read(spaces), { bare: "a\nb\r\x0b\x0c\x7f", kept: spaces, all: [spaces] });
  });
});

Deno.test("getArgument() of an empty value is the empty text, not the default", async () => {
  class Show extends RequestHandler {
    override get(): void {
      this.write(`[${this.getArgument("x", "default")}]`);
    }
  }
  await serve([["/", Show]], async ({ get }) => {
    assertEquals((await get("/?x=")).text, "[]");
    assertEquals((await get("/?x")).text, "[]");
    assertEquals((await get("/")).text, "[default]");
  });
});

Deno.test("flush() and finish() call back, or fail, once it is known what became of the bytes", async () => {
  const seen: string[] = [];
  class Streaming extends RequestHandler {
    override *post(): CoroutineGenerator {
      this.write("one");
      const flushed = new Future<void>();
      this.flush(() => {
        seen.push("flushed");
        flushed.setResult();
      });
      yield* flushed;
      yield* sleep(60_000);
    }
    override *get(): CoroutineGenerator {
      yield* this.flush();
      try {
        for (;;) {
          this.write("x".repeat(100_000));
          yield* this.flush();
        }
      } catch (error) {
        seen.push((error as Error).name);
        throw error;
      } finally {
        assertThrows(() => this.finish(), StreamClosedError);
        seen.push("end");
      }
    }
  }
  await serve([["/", Streaming]], async ({ port }) => {
    using writer = await RawClient.connect(port);
    await writer.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    await until(() => seen.includes("flushed"));
    const client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.bytes(10);
    client[Symbol.dispose]();
    await until(() => seen.includes("end"));
    assert(["CancelledError", "StreamClosedError"].includes(seen[1]!), seen[1]);
  });
});

Deno.test("finish() gives a Future that fails when the client goes before it has the answer", async () => {
  let failure: unknown = null;
  class Large extends RequestHandler {
    override post(): void {
      const finished = this.finish("x".repeat(30_000_000));
      IOLoop.current().addFuture(finished, () => {
        failure = finished.exception();
      });
    }
  }
  await serve([["/", Large]], async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    await client.bytes(10);
    client[Symbol.dispose]();
    await until(() => failure !== null);
    assertEquals((failure as Error).name, "StreamClosedError");
  });
});

Deno.test("sendError() drops what was written, and takes status, reason and error", async () => {
  const seen: unknown[] = [];
  class Failing extends RequestHandler {
    override get(): void {
      this.write("half a page");
      this.setHeader("X-Half", "1");
      this.sendError(502, { reason: "Backend Down", error: new HTTPError(502) });
      assertThrows(() => this.write("more"), Error, "the answer was finished");
    }
    override post(): void {
      this.sendError();
    }
  }
  class Own extends Failing {
    override writeError(status: number, options: { error?: unknown; reason?: string }): void {
      seen.push([status, (options.error as Error)?.name, options.reason]);
      this.write(`own page ${status}`);
    }
  }
  await serve([["/", Failing], ["/own", Own]], async ({ get, ask }) => {
    const { status, reason, text, headers } = await get("/");
    assertEquals([status, reason, headers.has("X-Half")], [502, "Backend Down", false]);
    assertEquals(
      text,
      "<html><title>502: Backend Down</title><body>502: Backend Down</body></html>",
    );
    assertEquals((await ask("POST", "/")).status, 500);
    assertEquals((await get("/own")).text, "own page 502");
    assertEquals(seen, [[502, "HTTPError", "Backend Down"]]);
  });
});

Deno.test("RequestHandler writes what Callback, Wait and Task bring, in order", async () => {
  class Sequence extends RequestHandler {
    *#steps(): CoroutineGenerator {
      const loop = IOLoop.current();
      loop.addCallback(yield Callback("k1"));
      yield Wait("k1");
      this.write("1");
      loop.addCallback(yield Callback("k2"));
      yield Wait("k2");
      this.write("2");
      yield* sleep(1);
      this.write("3");
    }
    override *get(): CoroutineGenerator {
      yield* this.#steps();
    }
    @asynchronous
    override *post(): CoroutineGenerator {
      yield* this.#steps();
      this.finish();
    }
  }
  await serve([["/", Sequence]], async ({ get, ask }) => {
    assertEquals((await get("/")).text, "123");
    assertEquals((await ask("POST", "/")).text, "123");
  });
});

Deno.test("RequestHandler catches what a task throws", async () => {
  class Catching extends RequestHandler {
    override *get(): CoroutineGenerator {
      try {
        yield Task(() => {
          throw new RangeError("from the task");
        });
      } catch (error) {
        this.write(`caught ${(error as Error).message}`);
      }
    }
  }
  await serve([["/", Catching]], async ({ get }) => {
    assertEquals((await get("/")).text, "caught from the task");
  });
});

Deno.test("RequestHandler that is finished can be collected", async () => {
  const made: [string, WeakRef<RequestHandler>][] = [];
  class Base extends RequestHandler {
    override initialize(): void {
      made.push([this.constructor.name, new WeakRef(this)]);
    }
  }
  class Plain extends Base {
    override get(): void {
      this.write("ok");
    }
  }
  class Failing extends Base {
    override get(): void {
      throw new HTTPError(500);
    }
  }
  class Waiting extends Base {
    override *get(): CoroutineGenerator {
      yield* sleep(1);
      this.write("ok");
    }
  }
  class Later extends Base {
    @asynchronous
    override get(): void {
      IOLoop.current().callLater(1, () => this.finish("ok"));
    }
  }
  class Limited extends Waiting {
    static override timeout = 60_000;
  }
  const classes = { Plain, Failing, Waiting, Later, Limited };
  const routes = Object.entries(classes).map(([name, handler]) => [`/${name}`, handler] as const);
  await serve(routes, async ({ get }) => {
    for (const name in classes) await get(`/${name}`);
    for (let round = 0; made.some(([, ref]) => ref.deref() !== undefined); round++) {
      if (round === 50) break;
      await collectGarbage();
      await sleep(1);
    }
    assertEquals(made.filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name), []);
    assertEquals(made.length, 5);
  });
});

Deno.test("Application.logRequest() writes a line also where the address is not known", async () => {
  const request = new HTTPServerRequest({ uri: "/", peer: { remoteIp: "" } });
  const app = new Application();
  const { matched } = await expectLog(accessLog, /200 GET \/ \(\) [0-9.]+ms/, () => {
    app.logRequest({ request, getStatus: () => 200 });
  });
  assertEquals(matched.length, 1);
});

Deno.test("RequestHandler goes through prepare, the method and onFinish, and finishes by itself", async () => {
  const steps: string[] = [];
  class Steps extends RequestHandler {
    override initialize(options: string): void {
      steps.push(`initialize ${options} ${this.pathArgs.length}`);
    }
    override *prepare(): CoroutineGenerator {
      steps.push(`prepare ${this.pathArgs} ${this.request.body.length}`);
      yield* sleep(1);
      steps.push("prepared");
    }
    override async post(name: string): Promise<void> {
      steps.push(`post ${name} ${this.application === served}`);
      await sleep(1);
      this.write("done");
      steps.push(`finished ${this.finished}`);
    }
    override onFinish(): void {
      steps.push("onFinish");
    }
  }
  let served: unknown;
  await serve([["/(.*)", Steps, "options"]], async ({ app, ask }) => {
    served = app;
    assertEquals((await ask("POST", "/x", { body: "12345" })).text, "done");
    assertEquals(steps, [
      "initialize options 0",
      "prepare x 5",
      "prepared",
      "post x true",
      "finished false",
      "onFinish",
    ]);
  });
});

Deno.test("asynchronous does not finish by itself", async () => {
  const go = new Future<void>();
  let returned = false;
  class Later extends RequestHandler {
    override get = asynchronous(function (this: RequestHandler) {
      IOLoop.current().addFuture(go, () => this.finish("later"));
      returned = true;
    });
  }
  await serve([["/", Later]], async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => returned);
    await sleep(1);
    go.setResult();
    assertEquals((await client.answer()).text, "later");
  });
});
