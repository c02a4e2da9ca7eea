// The contract of a stream, for any kind of connection: what holds for one holds for all.
import { coroutine } from "../../gen/mod.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type BaseIOStream,
  type IOStreamOptions,
  StreamBufferFullError,
  StreamClosedError,
  UnsatisfiableReadError,
} from "../../iostream/mod.ts";
import {
  appLog,
  CancelledError,
  ExceptionStackContext,
  genLog,
  IOLoop,
  TimeoutError,
} from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";

/** Two streams that are connected, and what is to be done when both are closed. */
export type StreamPair = readonly [BaseIOStream, BaseIOStream, (() => Promise<unknown>)?];

/** Makes a connected pair; is called inside of a running loop. */
export type MakePair = (options: IOStreamOptions) => StreamPair | PromiseLike<StreamPair>;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Decodes UTF-8. */
export function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Gives bytes of which each place can be told from its neighbours. */
export function pattern(size: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => (i * 31 + (i >> 8)) & 255);
}

/** Lets a few milliseconds go by, in which nothing shall happen. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** Waits until `condition` holds; the time limit of the test ends it otherwise. */
export async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** Waits until the stream is closed and its close callback was called. */
export function closing(stream: BaseIOStream): Promise<void> {
  return new Promise((resolve) => stream.setCloseCallback(resolve));
}

/** Waits until `future` failed with StreamClosedError, and gives that. */
export function failsClosed(future: PromiseLike<unknown>): Promise<StreamClosedError> {
  return assertRejects(() => Promise.resolve(future), StreamClosedError);
}

/** Registers the tests of the contract for the streams that `makePair` makes. */
export function streamSuite(
  kind: string,
  makePair: MakePair,
  { skip = [] }: { readonly skip?: readonly string[] } = {},
): void {
  function contract(
    behaviour: string,
    body: (a: BaseIOStream, b: BaseIOStream) => unknown,
    options: IOStreamOptions = {},
  ): void {
    if (skip.includes(behaviour)) return;
    Deno.test(`${kind}: ${behaviour}`, () =>
      new IOLoop().run(async () => {
        const [a, b, cleanUp] = await makePair(options);
        try {
          await body(a, b);
        } finally {
          a.close(a.closed() ? null : new Error("the test is over"));
          b.close(b.closed() ? null : new Error("the test is over"));
          await cleanUp?.();
        }
      }, { timeout: 10_000 }));
  }

  contract(
    "readUntil() gives up to and including the delimiter and leaves the rest",
    async (a, b) => {
      a.write("one\r\ntwo\r\nrest");
      assertEquals(text(await b.readUntil("\r\n")), "one\r\n");
      assertEquals(text(await b.readUntil(encoder.encode("\r\n"))), "two\r\n");
      assertEquals(text(await b.readBytes(4)), "rest");
    },
  );

  contract("readUntil() finds a delimiter cut at each place", async (a, b) => {
    const message = "ab--a-b-ab--ab-END-";
    for (let at = 1; at < message.length; at++) {
      const line = b.readUntil("-END-");
      await a.write(message.slice(0, at));
      await pause();
      a.write(message.slice(at));
      assertEquals(text(await line), message);
    }
  });

  contract("readUntil() finds a delimiter that comes byte by byte", async (a, b) => {
    const line = b.readUntil("\r\n\r\n");
    for (const char of "a\r\nb\r\r\n\r\n!") {
      await a.write(char);
      await null;
    }
    assertEquals(text(await line), "a\r\nb\r\r\n\r\n");
    assertEquals(text(await b.readBytes(1)), "!");
  });

  contract("readUntil() changes its delimiter from read to read", async (a, b) => {
    a.write("a,b;c,;d");
    const got: string[] = [];
    for (const delimiter of [",", ";", ",", ";", "d"]) {
      got.push(text(await b.readUntil(delimiter)));
    }
    assertEquals(got, ["a,", "b;", "c,", ";", "d"]);
  });

  contract("readUntil() gives a line that later reads do not change", async (a, b) => {
    a.write("first\nsecond\n");
    const first = await b.readUntil("\n");
    const second = await b.readUntil("\n");
    first.fill(0x78);
    for (let i = 0; i < 3000; i++) {
      a.write("third\n");
      await b.readUntil("\n");
    }
    assertEquals([text(first), text(second)], ["xxxxxx", "second\n"]);
  });

  contract("readUntil() refuses an empty delimiter", (_a, b) => {
    assertThrows(() => b.readUntil(""), TypeError, "empty delimiter");
    assertThrows(() => b.readUntil(new Uint8Array(0)), TypeError, "empty delimiter");
    assert(!b.reading());
  });

  contract("readUntil() of 4 MiB in pieces of 1 KiB takes linear time", async (a, b) => {
    const piece = "x".repeat(1024);
    for (let i = 0; i < 4096; i++) a.write(piece);
    a.write("\n");
    const began = performance.now();
    const line = await b.readUntil("\n");
    assertEquals(line.length, 4 * 1024 * 1024 + 1);
    assert(performance.now() - began < 3000);
  });

  contract("readUntilRegex() reads up to the end of the first match", async (a, b) => {
    a.write("one\ntwo\r\n\r\nthree\n\nrest");
    assertEquals(text(await b.readUntilRegex(/\r?\n\r?\n/)), "one\ntwo\r\n\r\n");
    assertEquals(text(await b.readUntilRegex("\r?\n\r?\n")), "three\n\n");
    assertEquals(text(await b.readBytes(4)), "rest");
  });

  contract("readUntilRegex() sees each byte as its latin-1 character", async (a, b) => {
    a.write(Uint8Array.of(0x41, 0x80, 0xe9, 0xff, 0x42));
    assertEquals([...await b.readUntilRegex(/\x80/)], [0x41, 0x80]);
    assertEquals([...await b.readUntilRegex(/É/i)], [0xe9]);
    assertEquals([...await b.readUntilRegex(/[\xf0-\xff]\w/u)], [0xff, 0x42]);
  });

  contract(
    "readUntilRegex() minds neither the flags g and y nor where the regex is",
    async (a, b) => {
      a.write("one\ntwo\nthree\n");
      const regex = /\n/gy;
      regex.lastIndex = 100;
      for (const line of ["one\n", "two\n", "three\n"]) {
        assertEquals(text(await b.readUntilRegex(regex)), line);
        assertEquals(regex.lastIndex, 100);
      }
      assertThrows(() => b.readUntilRegex("("), SyntaxError);
      assertEquals(text(await b.readUntilRegex(/x*/)), "");
    },
  );

  for (
    const regex of [
      /\r?\n\r?\n/,
      /b+c\n/,
      /^END/m,
      /\bEND\b/,
      /(?<=\n)END/,
      /(?:E|e)ND(?=!)/,
      /([a-z])\1END/,
      /E[^\]]{2}[!\]]/u,
      /\x45\u004e(?<name>D)/,
      /e.*!/is,
      /[[a-z]--[b]]END/v,
    ]
  ) {
    contract(`readUntilRegex(${regex}) finds a match cut at each place`, async (a, b) => {
      const whole = "abbc aaEND! bbbc\nEND!\r\n\n aaEND!bbbc";
      const expected = whole.slice(0, regex.exec(whole)!.index + regex.exec(whole)![0].length);
      for (let at = 1; at < expected.length; at++) {
        // A match at the very end may come early, when the rest is not there yet.
        const early = regex.exec(whole.slice(0, at));
        const read = b.readUntilRegex(regex);
        await a.write(whole.slice(0, at));
        await eventually(() => read.done() || Deno.inspect(b).includes(` ${at} bytes to read`));
        assertEquals(read.done(), early !== null);
        a.write(`${whole.slice(at)}\0`);
        if (early === null) assertEquals(text(await read), expected);
        await b.readUntil("\0");
      }
    });
  }

  for (const form of ["readUntil", "readUntilRegex"] as const) {
    const read = (stream: BaseIOStream) =>
      form === "readUntil"
        ? stream.readUntil("\n", { maxBytes: 6 })
        : stream.readUntilRegex(/\n/, { maxBytes: 6 });

    contract(
      `${form}() takes a message of exactly maxBytes, before and after it came`,
      async (a, b) => {
        a.write("x12345\n");
        await b.readBytes(1);
        assertEquals(text(await read(b)), "12345\n");
        const later = read(b);
        await a.write("123");
        await pause();
        a.write("45\n");
        assertEquals(text(await later), "12345\n");
      },
    );

    for (const [when, before] of [["before", true], ["after", false]] as const) {
      for (const data of ["123456\n", "123456", "123456789"]) {
        contract(
          `${form}() closes when maxBytes is passed by ${JSON.stringify(data)} ${when} the call`,
          async (a, b) => {
            await expectLog(genLog, /^Unsatisfiable read/, async () => {
              if (before) {
                a.write(`x${data}`);
                await b.readBytes(1);
              }
              const line = read(b);
              if (!before) a.write(data);
              const error = await failsClosed(line);
              const reason = error.realError;
              assertInstanceOf(reason, UnsatisfiableReadError);
              assertEquals(reason.what, form === "readUntil" ? '"\\n"' : "/\\n/");
              assertEquals(reason.maxBytes, 6);
              assert(reason.received >= 6, `${reason.received}`);
              assert(reason.message.includes(`${reason.received} bytes came`), reason.message);
              assertStrictEquals(error.cause, reason);
              assertStrictEquals(b.error, reason);
              assert(b.closed());
            }, { level: "info" });
          },
        );
      }
    }
  }

  contract("readBytes() waits for all of them", async (a, b) => {
    const five = b.readBytes(5);
    await a.write("123");
    await pause();
    assert(!five.done());
    a.write("4567");
    assertEquals(text(await five), "12345");
    assertEquals(text(await b.readBytes(2)), "67");
  });

  contract("readBytes(0) gives an empty array and loses nothing", async (a, b) => {
    a.write("ab");
    assertEquals(text(await b.readBytes(1)), "a");
    assertEquals(await b.readBytes(0), new Uint8Array(0));
    assertEquals(text(await b.readBytes(1)), "b");
  });

  contract("readBytes() with partial gives what is there, at most as many", async (a, b) => {
    const some = b.readBytes(50, { partial: true });
    a.write("hello");
    assertEquals(text(await some), "hello");
    await a.write("0123456789");
    assertEquals(text(await b.readBytes(1)), "0");
    assertEquals(text(await b.readBytes(4, { partial: true })), "1234");
    assertEquals(text(await b.readBytes(0, { partial: true })), "");
    assertEquals(text(await b.readBytes(50, { partial: true })), "56789");
  });

  contract("readBytes() refuses what is not a whole number from 0", (_a, b) => {
    for (const count of [-1, 1.5, NaN, Infinity]) {
      assertThrows(() => b.readBytes(count), RangeError);
    }
    assert(!b.reading());
  });

  contract("readBytes() gives an array of its own", async (a, b) => {
    for (const size of [1, 12, 4096, 65536, 100_000]) {
      const data = pattern(size);
      a.write(data);
      const got = await b.readBytes(size);
      assertEquals(got, data);
      assertEquals(got.buffer.byteLength, size);
    }
  });

  contract("readInto() fills the buffer and leaves the rest to the next call", async (a, b) => {
    const buffer = new Uint8Array(10);
    const first = b.readInto(buffer);
    await a.write("hello");
    await pause();
    assert(!first.done());
    a.write("world!!");
    assertEquals(await first, 10);
    assertEquals(text(buffer), "helloworld");
    buffer.fill(0);
    const second = b.readInto(buffer);
    a.write("01234567more");
    assertEquals(await second, 10);
    assertEquals(text(buffer), "!!01234567");
    assertEquals(text(await b.readBytes(4)), "more");
  });

  contract("readInto() with partial gives what is there, at least one byte", async (a, b) => {
    const buffer = new Uint8Array(10);
    const some = b.readInto(buffer, { partial: true });
    a.write("hello");
    assertEquals(await some, 5);
    assertEquals(text(buffer.subarray(0, 5)), "hello");
    await a.write("world!1234567890");
    assertEquals(text(await b.readBytes(1)), "w");
    await eventually(() => Deno.inspect(b).includes(" 15 bytes"));
    assertEquals(await b.readInto(buffer, { partial: true }), 10);
    assertEquals(text(buffer), "orld!12345");
    assertEquals(await b.readInto(buffer, { partial: true }), 5);
    assertEquals(text(buffer), "6789012345");
  });

  contract("readInto() an empty buffer gives 0 and loses nothing", async (a, b) => {
    a.write("ab");
    assertEquals(text(await b.readBytes(1)), "a");
    assertEquals(await b.readInto(new Uint8Array(0)), 0);
    assertEquals(await b.readInto(new Uint8Array(0), { partial: true }), 0);
    assertEquals(text(await b.readBytes(1)), "b");
  });

  contract("readInto() leaves the bytes around its buffer alone", async (a, b) => {
    const whole = new Uint8Array(100_000);
    const data = pattern(80_000);
    a.write(data);
    assertEquals(await b.readInto(whole.subarray(10_000, 90_000)), 80_000);
    assertEquals(whole.subarray(10_000, 90_000), data);
    assertEquals(whole.subarray(0, 10_000), new Uint8Array(10_000));
    assertEquals(whole.subarray(90_000), new Uint8Array(10_000));
  });

  contract("readUntilClose() gives all up to the end", async (a, b) => {
    a.write("one ");
    a.write("two");
    const all = b.readUntilClose();
    await pause();
    assert(!all.done());
    a.close();
    assertEquals(text(await all), "one two");
    assert(b.closed());
    assertEquals(b.error, null);
  });

  contract("readUntilClose() gives a whole answer of HTTP/1.0", async (a, b) => {
    a.write("GET / HTTP/1.0\r\n\r\n");
    const answer = a.readUntilClose();
    assertEquals(text(await b.readUntil("\r\n\r\n")), "GET / HTTP/1.0\r\n\r\n");
    b.write("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nHello");
    b.close();
    assertEquals(text(await answer), "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nHello");
  });

  contract("readUntilClose() on a closed stream gives the rest once", async (a, b) => {
    a.write("12345");
    await b.readBytes(1);
    await eventually(() => Deno.inspect(b).includes(" 4 bytes"));
    b.close();
    assertEquals(text(await b.readUntilClose()), "2345");
    assertEquals(text(await b.readUntilClose()), "");
  });

  contract("what had arrived is read after the close, in parts and then the rest", async (a, b) => {
    const data = pattern(512);
    a.write(data);
    a.close();
    assertEquals(await b.readBytes(256), data.subarray(0, 256));
    assertEquals(await b.readBytes(128), data.subarray(256, 384));
    assertEquals(await b.readUntilClose(), data.subarray(384));
  });

  contract("streamingCallback gets chunks, and the result of the read is empty", async (a, b) => {
    const chunks: string[] = [];
    const read = b.readBytes(6, { streamingCallback: (chunk) => chunks.push(text(chunk)) });
    a.write("1234");
    await eventually(() => chunks.length === 1);
    assert(!read.done() && b.reading());
    a.write("5678");
    assertEquals(await read, new Uint8Array(0));
    assertEquals(chunks, ["1234", "56"]);
    assert(!b.reading());
    assertEquals(text(await b.readBytes(2)), "78");
  });

  contract("streamingCallback gets what was there before, in a later turn", async (a, b) => {
    a.write("x1234");
    assertEquals(text(await b.readBytes(1)), "x");
    await eventually(() => Deno.inspect(b).includes(" 4 bytes"));
    const chunks: string[] = [];
    const read = b.readBytes(3, { streamingCallback: (chunk) => chunks.push(text(chunk)) });
    assertEquals(chunks, []);
    await read;
    assertEquals(chunks, ["123"]);
    assertEquals(text(await b.readBytes(1)), "4");
  });

  contract("streamingCallback of readUntilClose() gets all up to the end", async (a, b) => {
    let all = "";
    const closed = closing(b);
    const read = b.readUntilClose({ streamingCallback: (chunk) => all += text(chunk) });
    a.write("one ");
    await eventually(() => all === "one ");
    a.write("two");
    a.close();
    assertEquals(await read, new Uint8Array(0));
    assertEquals(all, "one two");
    await closed;
  });

  contract("streamingCallback gets what is left of a closed stream", async (a, b) => {
    a.write("12345");
    await b.readBytes(1);
    await eventually(() => Deno.inspect(b).includes(" 4 bytes"));
    b.close();
    const chunks: string[] = [];
    const streamingCallback = (chunk: Uint8Array) => chunks.push(text(chunk));
    assertEquals(await b.readBytes(2, { streamingCallback }), new Uint8Array(0));
    assertEquals(await b.readUntilClose({ streamingCallback }), new Uint8Array(0));
    assertEquals(chunks, ["23", "45"]);
    assertEquals(await b.readUntilClose({ streamingCallback }), new Uint8Array(0));
    assertThrows(() => b.readBytes(1, { streamingCallback }), StreamClosedError);
    assertEquals(chunks, ["23", "45"]);
  });

  contract("streamingCallback gets what came before the close callback is called", async (a, b) => {
    const order: string[] = [];
    b.setCloseCallback(() => order.push("closed"));
    const read = b.readUntilClose({ streamingCallback: (chunk) => order.push(text(chunk)) });
    a.write("last");
    a.close();
    await read;
    await eventually(() => order.length > 1);
    assertEquals(order, ["last", "closed"]);
  });

  contract(
    "streamingCallback is told of as much as there is when the end is early",
    async (a, b) => {
      const chunks: string[] = [];
      const read = b.readBytes(9, { streamingCallback: (chunk) => chunks.push(text(chunk)) });
      a.write("1234");
      a.close();
      const error = await failsClosed(read);
      assertEquals([chunks.join(""), error.realError], ["1234", null]);
    },
  );

  contract("streamingCallback that returns work holds the next chunk back", async (a, b) => {
    const data = pattern(12_000_000);
    let at = 0;
    let active = 0;
    const written = a.write(data);
    const read = b.readBytes(data.length, {
      streamingCallback: async (chunk) => {
        assertEquals(++active, 1);
        assertEquals([chunk[0], chunk.at(-1)], [data[at], data[at + chunk.length - 1]]);
        if (at === 0) {
          await pause();
          assert(!written.done());
        }
        at += chunk.length;
        active--;
      },
    });
    await read;
    await written;
    assertEquals(at, data.length);
  }, { maxBufferSize: 100_000 });

  contract("an error in a streamingCallback is logged and closes the stream", async (a, b) => {
    const broken = new Error("broken chunk");
    await expectLog(appLog, /^Exception in callback onChunk: Error: broken chunk/, async () => {
      const onChunk = () => {
        throw broken;
      };
      a.write("1");
      const error = await failsClosed(b.readBytes(5, { streamingCallback: onChunk }));
      assertStrictEquals(error.realError, broken);
      assertStrictEquals(b.error, broken);
      await pause();
    });
  });

  contract(
    "work of a streamingCallback that fails is logged and closes the stream",
    async (a, b) => {
      const broken = new Error("broken work");
      await expectLog(appLog, /^Exception in callback onChunk: Error: broken work/, async () => {
        const onChunk = () => Promise.reject(broken);
        a.write("1");
        const error = await failsClosed(b.readUntilClose({ streamingCallback: onChunk }));
        assertStrictEquals(error.realError, broken);
        assertStrictEquals(b.error, broken);
        await pause();
      });
    },
  );

  contract("a streamed read is not bound by maxBufferSize", async (a, b) => {
    const data = pattern(300_000);
    let size = 0;
    const read = b.readUntilClose({ streamingCallback: (chunk) => size += chunk.length });
    await a.write(data);
    a.close();
    await read;
    assertEquals([size, b.error], [data.length, null]);
  }, { maxBufferSize: 10_000 });

  contract("callbacks get the result, in a later turn", async (a, b) => {
    const seen: string[] = [];
    const buffer = new Uint8Array(2);
    await new Promise<void>((resolve) => {
      a.write("one\ntwo\nthreefo5678", () => seen.push("written"));
      b.readUntil("\n", (line) => {
        seen.push(text(line));
        b.readUntilRegex(/\n/, {}, (line) => {
          seen.push(text(line));
          b.readBytes(5, (bytes) => {
            seen.push(text(bytes));
            b.readInto(buffer, (count) => {
              seen.push(`${count}`);
              b.readUntilClose({}, (rest) => {
                seen.push(text(rest));
                resolve();
              });
              a.close();
            });
          });
        });
        seen.push("called");
      });
    });
    assert(seen.includes("written"));
    assertEquals(
      seen.filter((entry) => entry !== "written"),
      ["one\n", "called", "two\n", "three", "2", "5678"],
    );
    assertEquals(text(buffer), "fo");
  });

  contract("a callback runs in the async context of the call", async (a, b) => {
    const seen: (string | undefined)[] = [];
    const { AsyncLocalStorage } = await import("node:async_hooks");
    const storage = new AsyncLocalStorage<string>();
    await new Promise<void>((resolve) => {
      storage.run("write", () => a.write("12", () => seen.push(storage.getStore())));
      storage.run(
        "close",
        () => b.setCloseCallback(() => resolve(void seen.push(storage.getStore()))),
      );
      storage.run("read", () =>
        b.readBytes(1, () => {
          seen.push(storage.getStore());
          storage.run("chunk", () =>
            b.readUntilClose({
              streamingCallback: () => {
                seen.push(storage.getStore());
                a.close();
              },
            }));
        }));
    });
    assertEquals(seen.toSorted(), ["chunk", "close", "read", "write"]);
  });

  contract(
    "errors of a callback and of its operation go to the context of the call",
    async (a, b) => {
      const broken = new Error("broken reader");
      const seen: unknown[] = [];
      const context = new ExceptionStackContext((error) => {
        seen.push(error);
        return true;
      });
      a.write("1");
      context.run(() => {
        b.readBytes(1, () => {
          throw broken;
        });
      });
      await eventually(() => seen.length === 1);
      assertStrictEquals(seen[0], broken);
      assertStrictEquals(b.error, broken);
      context.run(() => void a.readBytes(1, () => assert(false)));
      a.close();
      await eventually(() => seen.length === 2);
      assertInstanceOf(seen[1], StreamClosedError);
    },
  );

  contract("an error in a callback is logged once and closes the stream with it", async (a, b) => {
    const broken = new Error("broken reader");
    const { matched } = await expectLog(appLog, /./, async () => {
      a.write("1");
      const closed = closing(b);
      b.readBytes(1, function onByte() {
        throw broken;
      });
      await closed;
      await pause();
    });
    assertEquals(matched.length, 1);
    assert(
      matched[0]!.startsWith("Exception in callback onByte: Error: broken reader"),
      matched[0],
    );
    assertStrictEquals(b.error, broken);
  });

  contract("a callback whose work fails closes the stream with its error", async (a, b) => {
    const broken = new Error("broken work");
    await expectLog(appLog, /broken work/, async () => {
      a.write("1");
      const closed = closing(b);
      b.readBytes(1, function* () {
        yield null;
        throw broken;
      });
      await closed;
      await pause();
    });
    assertStrictEquals(b.error, broken);
  });

  contract("an error of an operation with a callback goes to the loop", async (_a, b) => {
    const { matched } = await expectLog(appLog, /./, async () => {
      b.readBytes(1, function onByte() {
        assert(false);
      });
      b.close(new Error("why"));
      await pause();
    });
    assertEquals(matched.length, 1);
    assert(
      matched[0]!.startsWith("Exception in callback onByte: StreamClosedError"),
      matched[0],
    );
  });

  contract("a read that the buffer can answer is done at once", async (a, b) => {
    a.write("ab\ncd!ef");
    await b.readBytes(1);
    await eventually(() => Deno.inspect(b).includes(" 7 bytes"));
    assertEquals(text(b.readUntil("\n").result()), "b\n");
    assertEquals(text(b.readUntilRegex(/[!]/).result()), "cd!");
    assertEquals(text(b.readBytes(1).result()), "e");
    assertEquals(b.readInto(new Uint8Array(1)).result(), 1);
  });

  contract("a second read is refused while one is pending", async (a, b) => {
    const first = b.readBytes(2);
    assert(b.reading());
    for (
      const second of [
        () => b.readBytes(1),
        () => b.readUntil("x"),
        () => b.readUntilRegex(/x/),
        () => b.readInto(new Uint8Array(1)),
        () => b.readUntilClose(),
      ]
    ) assertThrows(second, Error, "another read is pending");
    a.write("ok");
    assertEquals(text(await first), "ok");
    assert(!b.reading());
  });

  contract("a read of a closed stream throws StreamClosedError", (_a, b) => {
    b.close();
    assertThrows(() => b.readBytes(1), StreamClosedError);
    assertThrows(() => b.readUntil("x"), StreamClosedError);
    assertThrows(() => b.readUntilRegex(/x/), StreamClosedError);
    assertThrows(() => b.readInto(new Uint8Array(1)), StreamClosedError);
    assert(!b.reading());
  });

  contract("a read that is cancelled leaves its bytes to the next", async (a, b) => {
    const space = new Uint8Array(10);
    const reads = [
      () => b.readUntil("\n"),
      () => b.readUntilRegex(/.+\n/),
      () => b.readBytes(10),
      () => b.readInto(space),
      () => b.readUntilClose(),
    ];
    for (const start of reads) {
      const read = start();
      await a.write("half");
      await pause();
      read.cancel("not any more");
      assertThrows(() => read.result(), CancelledError);
      assert(!b.reading());
      a.write(" whole\n");
      assertEquals(text(await b.readUntil("\n")), "half whole\n");
    }
  });

  contract("a large readInto() that is cancelled leaves its bytes to the next", async (a, b) => {
    const data = pattern(60_000);
    const space = new Uint8Array(50_000);
    const read = b.readInto(space);
    a.write(data.subarray(0, 20_000));
    await pause();
    read.cancel();
    a.write(data.subarray(20_000));
    assertEquals(await b.readBytes(25_000), data.subarray(0, 25_000));
    assertEquals(await b.readInto(space.subarray(0, 35_000)), 35_000);
    assertEquals(space.subarray(0, 35_000), data.subarray(25_000));
  });

  contract("a read that is out of time fails and leaves its bytes to the next", async (a, b) => {
    const space = new Uint8Array(10);
    const reads: (() => PromiseLike<unknown>)[] = [
      () => b.readUntil("\n", { timeout: 5 }),
      () => b.readUntilRegex(/\n/, { timeout: 5 }),
      () => b.readBytes(10, { timeout: 5 }),
      () => b.readInto(space, { timeout: 5 }),
      () => b.readUntilClose({ timeout: 5 }),
    ];
    for (const start of reads) {
      a.write("xhalf");
      await b.readBytes(1);
      const error = await assertRejects(() => Promise.resolve(start()), TimeoutError);
      assert(error.message.startsWith("Timed out after 5 ms: cannot read "), error.message);
      assert(!b.reading() && !b.closed());
      a.write(" whole\n");
      assertEquals(text(await b.readUntil("\n", { timeout: 5000 })), "half whole\n");
    }
  });

  contract("for await gives chunk by chunk, up to the end", async (a, b) => {
    const data = pattern(300_000);
    a.write(data);
    a.close();
    let size = 0;
    for await (const chunk of b) {
      assertEquals(chunk, data.subarray(size, size + chunk.length));
      size += chunk.length;
    }
    assertEquals(size, data.length);
    assert(b.closed());
  });

  contract("for await that is left early leaves the stream open", async (a, b) => {
    a.write("one");
    for await (const chunk of b) {
      assert(chunk.length > 0);
      break;
    }
    const rest = b.readUntil("\n");
    a.write("two\n");
    assert(text(await rest).endsWith("two\n"));
  });

  contract("for await throws when the stream closes with an error", async (a, b) => {
    a.write("one");
    const why = new Error("why");
    const error = await assertRejects(async () => {
      for await (const _ of b) b.close(why);
    }, StreamClosedError);
    assertStrictEquals(error.realError, why);
  });

  contract("for await holds back a peer that sends faster", async (a, b) => {
    const written = a.write(pattern(10_000_000));
    for await (const chunk of b) {
      await pause();
      await pause();
      assert(!written.done());
      assert(chunk.length <= 65536);
      break;
    }
  });

  contract("using closes the stream", async (a, b) => {
    {
      using stream = a;
      assert(!stream.closed());
    }
    assert(a.closed());
    await closing(b);
  });

  contract("a burst larger than the buffer arrives in small reads", async (a, b) => {
    const data = pattern(100 * 1024);
    a.write(data);
    for (let at = 0; at < data.length; at += 1024) {
      assertEquals(await b.readBytes(1024), data.subarray(at, at + 1024));
    }
  }, { maxBufferSize: 10 * 1024 });

  contract("a write waits while its reader does not read, and then arrives whole", async (a, b) => {
    const data = pattern(10 * 1024 * 1024);
    const written = a.write(data);
    await pause();
    assert(!written.done());
    assert(a.writing());
    let at = 0;
    while (at < data.length) {
      const some = await b.readBytes(1024 * 1024, { partial: true });
      assertEquals(some[0], data[at]);
      at += some.length;
      assertEquals(some[some.length - 1], data[at - 1]);
    }
    await written;
    assert(!a.writing());
  }, { maxBufferSize: 5 * 1024 * 1024 });

  contract("a read that needs more than maxBufferSize closes the stream", async (a, b) => {
    a.write("x".repeat(20_000));
    const error = await failsClosed(b.readUntil("\n"));
    const reason = error.realError;
    assertInstanceOf(reason, StreamBufferFullError);
    assertEquals([reason.buffer, reason.limit], ["read", 10_000]);
    assert(reason.size > 10_000);
    assertStrictEquals(b.error, reason);
  }, { maxBufferSize: 10_000 });

  contract("a read of exactly maxBufferSize is answered", async (a, b) => {
    a.write("x".repeat(9999) + "\n");
    assertEquals((await b.readUntil("\n")).length, 10_000);
  }, { maxBufferSize: 10_000 });

  contract("write() settles in order, an empty one too", async (a, b) => {
    const order: number[] = [];
    const writes = ["one", "", "two", new Uint8Array(0)].map((data, i) =>
      Promise.resolve(a.write(data)).then(() => order.push(i))
    );
    await Promise.all(writes);
    assertEquals(order, [0, 1, 2, 3]);
    assertEquals(text(await b.readBytes(6)), "onetwo");
  });

  contract(
    "write() takes any view as its bytes, to be used again when it is done",
    async (a, b) => {
      for (const size of [3, 3000]) {
        const view = new Uint32Array(size).map((_, i) => i + 1).subarray(1);
        const expected = [...view];
        await a.write(view);
        view.fill(0);
        const got = await b.readBytes(4 * (size - 1));
        assertEquals([...new Uint32Array(got.buffer)], expected);
      }
      await a.write(new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2));
      assertEquals([...await b.readBytes(2)], [2, 3]);
    },
  );

  // An ArrayBuffer was taken for a view of nothing: no byte went out, and nobody was told.
  contract("write() refuses what is neither text nor a view", (a) => {
    for (
      const [data, what] of [[new ArrayBuffer(3), "ArrayBuffer"], [42, "Number"], [[1], "Array"]]
    ) {
      assertThrows(
        () => a.write(data as unknown as Uint8Array),
        TypeError,
        `Cannot write: expected text or a view of bytes, got ${what}`,
      );
    }
    assert(!a.writing());
  });

  contract("write() sends text as UTF-8, short and long", async (a, b) => {
    a.write("é€😀");
    assertEquals(text(await b.readBytes(9)), "é€😀");
    a.write("é".repeat(20_000));
    assertEquals(text(await b.readBytes(40_000)), "é".repeat(20_000));
  });

  contract("write() and drain() of a closed stream throw StreamClosedError", (a) => {
    const why = new Error("why");
    a.close(why);
    const error = assertThrows(() => a.write("x"), StreamClosedError);
    assertStrictEquals(error.realError, why);
    assertThrows(() => a.drain(), StreamClosedError);
  });

  contract("write() beyond maxWriteBufferSize throws and writes nothing", async (a, b) => {
    const first = a.write("1".repeat(60));
    const error = assertThrows(() => a.write("2".repeat(41)), StreamBufferFullError);
    assertEquals([error.buffer, error.size, error.limit], ["write", 101, 100]);
    a.write("3".repeat(40));
    await first;
    assertEquals(text(await b.readBytes(100)), "1".repeat(60) + "3".repeat(40));
    await a.write("4".repeat(100));
    assertThrows(() => a.write("5".repeat(101)), StreamBufferFullError);
    assertEquals(text(await b.readBytes(100)), "4".repeat(100));
    await a.write("6");
    assertEquals(text(await b.readBytes(1)), "6");
  }, { maxWriteBufferSize: 100 });

  contract("drain() waits until no more than the mark is queued", async (a, b) => {
    assert(a.drain(0).done());
    a.write("12345");
    assert(a.drain(5).done());
    const below = a.drain(4);
    const empty = a.drain(0);
    assert(!below.done());
    await empty;
    assert(below.done() && !a.writing());
    assertThrows(() => a.drain(-1), RangeError);
    assertThrows(() => a.drain(NaN), RangeError);
    assertEquals(text(await b.readBytes(5)), "12345");
  });

  contract(
    "drain() keeps a writer within maxWriteBufferSize, whatever the reader does",
    async (a, b) => {
      const data = pattern(3_000_000);
      const sending = (async () => {
        for (let at = 0; at < data.length; at += 25_000) {
          a.write(data.subarray(at, at + 25_000));
          await a.drain();
        }
      })();
      let at = 0;
      for await (const chunk of b) {
        assertEquals(chunk, data.subarray(at, at + chunk.length));
        if ((at += chunk.length) === data.length) break;
      }
      await sending;
    },
    { maxWriteBufferSize: 50_000 },
  );

  contract("drain() of a coroutine that writes and waits again is not lost", async (a, b) => {
    const sending = coroutine(function* () {
      for (let i = 0; i < 5; i++) {
        a.write("12345");
        yield* a.drain(0);
      }
      return "sent";
    })();
    assertEquals(text(await b.readBytes(25)), "12345".repeat(5));
    assertEquals(await sending, "sent");
  });

  contract("drain() fails when the stream closes, and may be cancelled", async (a) => {
    const written = a.write(new Uint8Array(20_000_000));
    const drained = a.drain();
    const given = a.drain(10);
    given.cancel();
    assertThrows(() => given.result(), CancelledError);
    await pause();
    assert(!drained.done());
    a.close(new Error("why"));
    await failsClosed(drained);
    await failsClosed(written);
  });

  contract("many writers on one stream lose nothing", async (a, b) => {
    const writers = Array.from({ length: 10 }, async (_, i) => {
      for (let n = 0; n < 50; n++) await a.write(`${i}`.repeat(100));
    });
    const all = text(await b.readBytes(50_000));
    await Promise.all(writers);
    for (let i = 0; i < 10; i++) assertEquals(all.split(`${i}`).length - 1, 5000);
  });

  contract("a million bytes in mixed sizes arrive unchanged, both ways at once", async (a, b) => {
    const data = pattern(1_000_000);
    const send = async (stream: BaseIOStream, step: number) => {
      for (let at = 0, size = 1; at < data.length; at += size, size = (size * step) % 9973 + 1) {
        const written = stream.write(data.subarray(at, at + size));
        if (size % 3 === 0) await written;
      }
    };
    const receive = async (stream: BaseIOStream, step: number) => {
      const space = new Uint8Array(8000);
      let at = 0;
      for (let size = 1; at < data.length; size = (size * step) % 7919 + 1) {
        const want = Math.min(size, data.length - at);
        const partial = size % 2 === 0;
        const got = size % 5 < 2
          ? space.subarray(0, await stream.readInto(space.subarray(0, want), { partial }))
          : await stream.readBytes(want, { partial });
        assert(got.length === want || (partial && got.length > 0));
        assertEquals(got, data.subarray(at, at + got.length));
        at += got.length;
      }
    };
    await Promise.all([send(a, 7), send(b, 11), receive(a, 13), receive(b, 17)]);
  });

  contract(
    "data that came before the end is read after it, then the stream closes",
    async (a, b) => {
      let closes = 0;
      b.setCloseCallback(() => closes++);
      a.write("12");
      a.close();
      assertEquals(text(await b.readBytes(1)), "1");
      await pause();
      assertEquals([b.closed(), closes], [false, 0]);
      assertEquals(text(await b.readBytes(1)), "2");
      await eventually(() => b.closed());
      await pause();
      assertEquals([closes, b.error], [1, null]);
    },
  );

  contract("a pending read is answered by what came last, together with the end", async (a, b) => {
    const done = b.readUntil("done");
    a.write("nearly done");
    a.close();
    assertEquals(text(await done), "nearly done");
  });

  contract("a pending read fails when the end comes without what it waits for", async (a, b) => {
    const closed = closing(b);
    const space = new Uint8Array(10);
    const read = b.readInto(space);
    a.write("never");
    a.close();
    const error = await failsClosed(read);
    assertEquals(error.realError, null);
    await closed;
    assertEquals(text(await b.readUntilClose()), "never");
  });

  contract("the close callback is called once though nobody reads", async (a, b) => {
    let closes = 0;
    b.setCloseCallback(() => closes++);
    a.close();
    await eventually(() => closes > 0);
    assert(b.closed());
    b.close();
    await pause();
    assertEquals(closes, 1);
  });

  contract("the close callback is called once when a read was pending", async (a, b) => {
    let closes = 0;
    b.setCloseCallback(() => closes++);
    const read = b.readUntil("\n");
    a.close();
    await failsClosed(read);
    await eventually(() => closes > 0);
    await pause();
    assertEquals(closes, 1);
  });

  contract("setCloseCallback() on a closed stream is called in a later turn", async (_a, b) => {
    b.close();
    let closes = 0;
    b.setCloseCallback(() => closes++);
    assertEquals(closes, 0);
    await pause();
    assertEquals(closes, 1);
  });

  contract("setCloseCallback(null) takes the callback away", async (_a, b) => {
    b.setCloseCallback(() => assert(false));
    b.setCloseCallback(null);
    b.close();
    await pause();
  });

  contract("close() lets what was written leave, and ends the pending read", async (a, b) => {
    const read = b.readUntilClose();
    const pending = a.readBytes(1);
    const written = a.write("last words");
    a.close();
    await failsClosed(pending);
    await written;
    assertEquals(text(await read), "last words");
    assertEquals(a.conn, null);
  });

  contract("close() answers readUntilClose() with what came", async (a, b) => {
    a.write("some");
    const all = b.readUntilClose();
    await eventually(() => Deno.inspect(b).includes(" 4 bytes"));
    b.close();
    assertEquals(text(await all), "some");
  });

  contract("close() with an error drops what was written and says why", async (a) => {
    const why = new Error("why");
    const written = a.write(new Uint8Array(20_000_000));
    const read = a.readBytes(1);
    a.close(why);
    a.close(new Error("too late"));
    assertStrictEquals(a.error, why);
    const error = await failsClosed(written);
    assertStrictEquals(error.cause, why);
    assert(error.message.includes("why"), error.message);
    await failsClosed(read);
  });

  contract("closeWrite() ends one direction: the answer still comes", async (a, b) => {
    const question = b.readUntil("\n");
    a.write("question\n");
    await a.closeWrite();
    assertEquals(text(await question), "question\n");
    b.write("answer");
    assertEquals(text(await a.readUntilClose()), "answer");
    await closing(b);
  });

  contract(
    "the last bytes can still be answered when their sender ended its side",
    async (a, b) => {
      a.write("one\ntwo\n");
      await a.closeWrite();
      assertEquals(text(await b.readUntil("\n")), "one\n");
      b.write("1");
      await pause();
      assertEquals(text(await b.readUntil("\n")), "two\n");
      b.write("2");
      assertEquals(text(await a.readUntilClose()), "12");
      await closing(b);
    },
  );

  // It closed once nothing was left to read, under the hands of who was writing.
  contract("a stream that was ended by its peer lets its writer finish", async (a, b) => {
    const closed = closing(b);
    const writing = (async () => {
      for (let i = 0; i < 30; i++) await b.write(pattern(100_000));
    })();
    await a.closeWrite();
    await pause();
    assertEquals((await a.readUntilClose()).length, 3_000_000);
    await writing;
    await closed; // nobody uses it any more
    assertEquals(b.error, null);
  });

  contract("a stream that was ended by its peer still sends what is queued", async (a, b) => {
    const data = pattern(3_000_000);
    const written = b.write(data);
    await a.closeWrite();
    await pause();
    const got = await a.readUntilClose();
    assertEquals(got.length, data.length);
    assertEquals(got.subarray(-1000), data.subarray(-1000));
    await written;
  });

  contract("endless data that nobody asked for stays outside", async (a, b) => {
    let flooding = true;
    let sent = 0;
    const flood = (async () => {
      const piece = pattern(65536);
      while (flooding) {
        await a.write(piece);
        sent += piece.length;
      }
    })();
    let before = -1;
    await eventually(() => {
      const still = sent === before;
      before = sent;
      return sent > 0 && still;
    });
    const [held] = /\d+(?= bytes to read)/.exec(Deno.inspect(b))!;
    assert(Number(held) <= 65536, held);
    flooding = false;
    b.close(new Error("enough"));
    await flood.catch((error) => assertInstanceOf(error, StreamClosedError));
  });

  contract("setNoDelay() is harmless", (a) => a.setNoDelay(true));

  contract("shows its state where it is printed", async (a, b) => {
    a.write("12345");
    await b.readBytes(1);
    await eventually(() => Deno.inspect(b).includes(" 4 bytes"));
    const name = b.constructor.name;
    assertEquals(Deno.inspect(b), `${name} { open, 4 bytes to read, 0 to write }`);
    b.close();
    assertEquals(Deno.inspect(b), `${name} { closed, 4 bytes to read, 0 to write }`);
  });
}
