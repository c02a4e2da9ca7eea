import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  HTTPInputError,
  readServerSentEvents,
  type ServerSentEvent,
  ServerSentEventParser,
} from "../../http/mod.ts";
import { cutsOf } from "./_cuts.ts";

const encoder = new TextEncoder();

/** Parses a stream that comes in pieces. */
function parse(stream: string | Uint8Array, cuts?: readonly number[]): ServerSentEvent[] {
  const bytes = typeof stream === "string" ? encoder.encode(stream) : stream;
  const parser = new ServerSentEventParser();
  const events: ServerSentEvent[] = [];
  let from = 0;
  for (const cut of cuts ?? [bytes.length]) {
    events.push(...parser.push(bytes.subarray(from, cut)));
    from = cut;
  }
  return events;
}

function event(data: string, type = "message", lastEventId = ""): ServerSentEvent {
  return { type, data, lastEventId };
}

Deno.test("ServerSentEventParser.push() takes a stream cut anywhere, with any line end", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    const lines = [
      "\ufeffevent: tick",
      "id: 7",
      "data: gr\u00fcn",
      "data:two",
      "",
      ": a comment",
      "data",
      "",
      "",
      "id",
      "data:  x",
      "",
      "data: lost",
    ];
    const bytes = encoder.encode(lines.join(end));
    for (const cuts of cutsOf(bytes.length)) {
      assertEquals(parse(bytes, cuts), [
        event("gr\u00fcn\ntwo", "tick", "7"),
        event("", "message", "7"),
        event(" x"),
      ]);
    }
  }
});

Deno.test("ServerSentEventParser.push() gives no event without data", () => {
  assertEquals(parse("event: tick\nid: 1\n\n\n\nretry: 5\n\ndata: x\n\n"), [
    event("x", "message", "1"),
  ]);
});

Deno.test("ServerSentEventParser.push() ignores what it does not know", () => {
  assertEquals(parse("Data: x\n data: y\ndatax: z\nid: a\0b\ndata: ok\n\n"), [event("ok")]);
});

Deno.test("ServerSentEventParser.retry is what the server said last, if it is a number", () => {
  const parser = new ServerSentEventParser();
  assertEquals(parser.retry, null);
  parser.push(encoder.encode("retry: 300\n"));
  parser.push(encoder.encode("retry: 5s\nretry:\nretry: -1\n"));
  parser.push(encoder.encode(`retry: ${"9".repeat(400)}\n`));
  assertEquals(parser.retry, 300);
});

Deno.test("ServerSentEventParser.push() refuses an event or a line that is too large", () => {
  const long = "x".repeat(9);
  for (
    const stream of [
      "data: 12345\n\n",
      "data\ndata\n".repeat(6),
      `:${long}\n`,
      `event: ${long}\n`,
      `id: ${long}\n`,
    ]
  ) {
    const bytes = encoder.encode(stream);
    for (const cuts of cutsOf(bytes.length)) {
      const parser = new ServerSentEventParser({ maxEventSize: 8 });
      const push = (from: number, to?: number) => parser.push(bytes.subarray(from, to));
      const refused = "larger than 8 characters";
      const pushAll = () => cuts.forEach((cut, at) => push(cuts[at - 1] ?? 0, cut));
      assertThrows(pushAll, HTTPInputError, refused);
      assertThrows(() => parser.push(encoder.encode("\n")), HTTPInputError, refused);
    }
  }
  const parser = new ServerSentEventParser({ maxEventSize: 10 });
  assertEquals(parser.push(encoder.encode("data: 1234\n\n")), [event("1234")]);
});

Deno.test("readServerSentEvents() ends with its source, and fails with it", async () => {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield encoder.encode("data: 1\n\ndata: 2\n\nda");
    await Promise.resolve();
    throw new Error("cut");
  }
  const seen: string[] = [];
  await assertRejects(
    async () => {
      for await (const { data } of readServerSentEvents(source())) seen.push(data);
    },
    Error,
    "cut",
  );
  assertEquals(seen, ["1", "2"]);
});
