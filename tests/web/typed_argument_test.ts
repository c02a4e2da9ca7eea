import { assert, assertEquals } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { genLog } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import { type ArgumentType, RequestHandler } from "../../web/mod.ts";
import { serve } from "./_serve.ts";

const day = (text: string) => {
  const date = new Date(`${text}T00:00:00Z`);
  if (isNaN(date.getTime())) throw new RangeError("not a day");
  return date.getTime();
};

const TYPES: Record<string, ArgumentType> = {
  string: "string",
  int: "int",
  number: "number",
  boolean: "boolean",
  list: ["up", "down"],
  day,
};

class Typed extends RequestHandler {
  override get(type: string): void {
    this.write({ value: this.getArgument("x", { type: TYPES[type]! }) });
  }
}

function ask(
  body: (value: (type: string, text: string) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  return serve([["/(.*)", Typed]], ({ get }) =>
    body(async (type, text) => {
      const answer = await get(`/${type}?x=${encodeURIComponent(text)}`);
      return answer.status === 200 ? JSON.parse(answer.text).value : answer.status;
    }));
}

Deno.test("getArgument() returns values of a type", () =>
  ask(async (value) => {
    assertEquals(await value("string", " a "), "a");
    assertEquals(await value("int", "42"), 42);
    assertEquals(await value("int", " -7 "), -7);
    assertEquals(await value("int", "+0"), 0);
    assertEquals(await value("int", "9007199254740991"), 9007199254740991);
    assertEquals(await value("number", "1.5"), 1.5);
    assertEquals(await value("number", "-.5e3"), -500);
    assertEquals(await value("number", "7"), 7);
    assertEquals(await value("number", "7.e1"), 70);
    for (const text of ["true", "1", "YES", "on"]) assertEquals(await value("boolean", text), true);
    for (const text of ["false", "0", "no", "Off"]) {
      assertEquals(await value("boolean", text), false);
    }
    assertEquals(await value("list", "up"), "up");
    assertEquals(await value("day", "2000-01-01"), 946684800000);
  }));

Deno.test("getArgument() answers 400 to a value that is not of its type", async () => {
  await expectLog(genLog, "", () =>
    ask(async (value) => {
      for (const text of ["", "x", "1.5", "1e3", "0x10", "9007199254740992", "1 2", "٣"]) {
        assertEquals([text, await value("int", text)], [text, 400]);
      }
      for (const text of ["", "x", "1e999", "0x10", "Infinity", "NaN", "1,5", "."]) {
        assertEquals([text, await value("number", text)], [text, 400]);
      }
      for (const text of ["", "2", "maybe"]) assertEquals(await value("boolean", text), 400);
      for (const text of ["", "UP", "sideways"]) assertEquals(await value("list", text), 400);
      assertEquals(await value("day", "yesterday"), 400);
    }), { required: false });
});

Deno.test("getArgument() refuses a long text that is no number without holding the loop", async () => {
  await expectLog(genLog, "", () =>
    ask(async (value) => {
      for (const text of [`${"1".repeat(60_000)}x`, `1.${"1".repeat(60_000)}x`]) {
        const start = performance.now();
        assertEquals(await value("number", text), 400);
        assert(performance.now() - start < 1000);
      }
    }), { required: false });
});

Deno.test("getArgument() says in the answer which argument it was, and the rest in the log", async () => {
  await serve([["/(.*)", Typed]], async ({ get }) => {
    const log = /Invalid argument x: expected a whole number, got "secret"/;
    await expectLog(genLog, log, async () => {
      const { status, reason, text } = await get("/int?x=secret");
      assertEquals([status, reason], [400, "Invalid argument x"]);
      assertEquals(text.includes("Invalid argument x"), true);
      assertEquals(text.includes("secret"), false);
    });
    await expectLog(genLog, /expected one of up, down, got "x{100}\.\.\."/, async () => {
      assertEquals((await get(`/list?x=${"x".repeat(5000)}`)).status, 400);
    });
  });
});

Deno.test("getArgument() of a type gives the default for one that is missing, else 400", async () => {
  class Page extends RequestHandler {
    override get(): void {
      const page = this.getArgument("page", { type: "int", default: 1 });
      assertType<IsExact<typeof page, number>>(true);
      const none = this.getArgument("none", { type: "boolean", default: null });
      assertType<IsExact<typeof none, boolean | null>>(true);
      const missing = this.getArgument("missing", { type: "int", default: undefined });
      assertEquals([page, none, missing], [1, null, undefined]);
      const order = this.getQueryArgument("order", { type: ["up", "down"] as const });
      assertType<IsExact<typeof order, "up" | "down">>(true);
      this.write(order);
    }
    override post(): void {
      const when = this.getBodyArgument("when", { type: day });
      assertType<IsExact<typeof when, number>>(true);
      this.write(String(when + this.getQueryArgument("plus", { type: "number", default: 0.5 })));
    }
  }
  await serve([["/", Page]], async ({ get, ask }) => {
    assertEquals((await get("/?order=up")).text, "up");
    assertEquals((await get("/")).status, 400);
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const post = (body: string) => ask("POST", "/?when=2000-01-01", { headers, body });
    assertEquals((await post("when=1970-01-01")).text, "0.5");
    assertEquals((await post("")).status, 400);
  });
});

Deno.test("getArgument() keeps white space by strip, and takes other records as defaults", async () => {
  class Strip extends RequestHandler {
    override get(): void {
      assertEquals(this.getArgument("x", { type: "string", strip: false }), " a ");
      const record = { type: "circle" };
      assertEquals(this.getArgument("missing", record), record);
      assertEquals(this.getArgument("missing", { types: "int" }), { types: "int" });
    }
  }
  await serve([["/", Strip]], async ({ get }) => {
    assertEquals((await get("/?x=+a+")).status, 200);
  });
});
