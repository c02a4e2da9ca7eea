import { assertEquals, assertMatch } from "@std/assert";
import { coroutine, type CoroutineGenerator, moment, sleep } from "../../gen/mod.ts";
import { appLog, Future, IOLoop } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { asynchronous, HTTPError, RequestHandler } from "../../web/mod.ts";
import { serve } from "./_serve.ts";

function text({ body }: { readonly body: Uint8Array }): string {
  return new TextDecoder().decode(body);
}

function later(callback: () => void, ms = 1): void {
  IOLoop.current().callLater(ms, callback);
}

Deno.test("asynchronous() sends the answer after finish() only", async () => {
  class Later extends RequestHandler {
    @asynchronous
    override get(name: string): void {
      this.write(`Hello, ${name}`);
      later(() => later(() => this.finish("!")));
    }
    override post = asynchronous(function (this: Later) {
      this.finish("at once");
    });
  }
  await serve([["/(.*)", Later]], async ({ ask, get }) => {
    assertEquals(text(await get("/Ada")), "Hello, Ada!");
    assertEquals(text(await ask("POST", "/")), "at once");
  });
});

Deno.test("asynchronous() makes an error in a later callback the answer to that request, not to another", async () => {
  const waiting: (() => void)[] = [];
  class Fails extends RequestHandler {
    @asynchronous
    override get(kind: string): void {
      if (kind === "waits") waiting.push(() => this.finish("unharmed"));
      else {
        later(() =>
          later(() => {
            waiting.shift()!();
            if (kind === "404") throw new HTTPError(404);
            throw new RangeError(kind);
          })
        );
      }
    }
  }
  await serve([["/(.*)", Fails]], async ({ get }) => {
    for (const [kind, status] of [["broken", 500], ["404", 404]] as const) {
      const other = get("/waits");
      while (waiting.length === 0) await new Promise(setImmediate);
      const { matched } = await expectLog(appLog, /Uncaught/, async () => {
        assertEquals((await get(`/${kind}`)).status, status);
      }, { required: false });
      assertEquals(matched.length, kind === "broken" ? 1 : 0);
      assertEquals(text(await other), "unharmed");
    }
  });
});

Deno.test("asynchronous() logs an error that comes behind the answer, and the server goes on", async () => {
  class TooLate extends RequestHandler {
    @asynchronous
    override get(): void {
      later(() => {
        this.finish("finished");
        throw new RangeError("too late");
      });
    }
  }
  await serve([["/", TooLate]], async ({ get }) => {
    const { matched } = await expectLog(appLog, /Uncaught/, async () => {
      assertEquals(text(await get("/")), "finished");
    });
    assertMatch(matched[0]!, /too late/);
    assertEquals(matched.length, 1);
  });
});

Deno.test("asynchronous() finishes the answer when what the method returned is done", async () => {
  class Works extends RequestHandler {
    @asynchronous
    override *get(): CoroutineGenerator {
      yield* sleep(1);
      this.write("generator");
    }
    override post = asynchronous(coroutine(function* (this: Works) {
      yield moment;
      this.write("coroutine");
    }));
    @asynchronous
    override async put(): Promise<void> {
      await Promise.resolve();
      throw new HTTPError(409);
    }
  }
  await serve([["/", Works]], async ({ ask, get }) => {
    assertEquals(text(await get("/")), "generator");
    assertEquals(text(await ask("POST", "/")), "coroutine");
    assertEquals((await ask("PUT", "/")).status, 409);
  });
});

Deno.test("asynchronous() answers a method that returns a number, or throws at once, with 500", async () => {
  class Wrong extends RequestHandler {
    override get = asynchronous(() => 42);
    override post = asynchronous(() => {
      throw new HTTPError(402);
    });
  }
  await serve([["/", Wrong]], async ({ ask, get }) => {
    const { matched } = await expectLog(appLog, /Cannot use what/, async () => {
      assertEquals((await get("/")).status, 500);
    });
    assertEquals(matched.length, 1);
    assertEquals((await ask("POST", "/")).status, 402);
  });
});

Deno.test("asynchronous() cancels the work of a client that left, and ends without a finish()", async () => {
  const left = new Future<string>();
  const begun: string[] = [];
  const closed: string[] = [];
  class Waits extends RequestHandler {
    @asynchronous
    override *get(): CoroutineGenerator {
      begun.push("GET");
      try {
        yield new Future();
      } finally {
        left.setResult("cancelled");
      }
    }
    @asynchronous
    override post(): void {
      begun.push("POST");
    }
    override onConnectionClose(): void {
      closed.push(this.request.method);
    }
  }
  await serve([["/", Waits]], async ({ port }) => {
    for (const method of ["POST", "GET"]) {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(
        new TextEncoder().encode(`${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`),
      );
      while (begun.at(-1) !== method) await new Promise(setImmediate);
      conn.close();
      while (closed.at(-1) !== method) await new Promise(setImmediate);
    }
    assertEquals(await left, "cancelled");
  });
});
