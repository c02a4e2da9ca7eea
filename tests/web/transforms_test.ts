import { assert, assertEquals } from "@std/assert";
import { gunzipSync } from "node:zlib";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { GzipDecompressor, type HTTPHeaders, type HTTPServerRequest } from "../../http/mod.ts";
import {
  Application,
  type FirstChunk,
  GZipContentEncoding,
  OutputTransform,
  RequestHandler,
  StaticFileHandler,
} from "../../web/mod.ts";
import { RawClient } from "../http/_raw_client.ts";
import { serve } from "./_serve.ts";

const LONG = "text that repeats itself, ".repeat(100);
const GZIP = { "Accept-Encoding": "gzip" };

class Page extends RequestHandler {
  override get(): void {
    const type = this.getArgument("type", null);
    if (type !== null) this.setHeader("Content-Type", type);
    for (const [name, value] of this.getArguments("header").map((text) => text.split("="))) {
      this.setHeader(name!, value!);
    }
    this.write(LONG.slice(0, Number(this.getArgument("length", "2000"))));
  }
  override head(): void {
    this.get();
  }
}

// Sends the answer in parts; the last may be empty.
class Parts extends RequestHandler {
  override *get(): CoroutineGenerator {
    for (const part of this.getArguments("part")) {
      this.write(part);
      yield* this.flush();
      yield* sleep(1);
    }
    this.finish(this.getArgument("last", ""));
  }
}

const ON = { compressResponse: true };

Deno.test("compressResponse compresses for a client that takes gzip", async () => {
  for (const settings of [ON, { gzip: true }]) {
    await serve([["/", Page]], async ({ get }) => {
      const { headers, body } = await get("/", GZIP);
      assertEquals(headers.get("Content-Encoding"), "gzip");
      assertEquals(headers.get("Vary"), "Accept-Encoding");
      assertEquals(headers.get("Content-Length"), String(body.length));
      assert(body.length < 200);
      assertEquals(new TextDecoder().decode(gunzipSync(body)), LONG.slice(0, 2000));
    }, settings);
  }
});

Deno.test("compressResponse heeds what a client takes, and always says Vary", async () => {
  await serve([["/", Page]], async ({ get }) => {
    const cases: [string | null, boolean][] = [
      [null, false],
      ["", false],
      ["identity", false],
      ["gzip;q=0", false],
      ["gzip; q=0.0, br", false],
      ["deflate, GZIP ;q=0.5, br", true],
      ["gzip;q=0.001", true],
      ["xgzip", false],
    ];
    for (const [field, compressed] of cases) {
      const { headers, text } = await get("/", field === null ? {} : { "Accept-Encoding": field });
      assertEquals([field, headers.has("Content-Encoding")], [field, compressed]);
      assertEquals(headers.get("Vary"), "Accept-Encoding");
      if (!compressed) assertEquals(text.length, 2000);
    }
  }, ON);
});

Deno.test("compressResponse leaves what is short, encoded, a range or does not shrink", async () => {
  await serve([["/", Page]], async ({ get }) => {
    const compressed = async (query: string) =>
      (await get(`/?${query}`, GZIP)).headers.get("Content-Encoding");
    assertEquals(await compressed("length=1023"), null);
    assertEquals(await compressed("length=1024"), "gzip");
    assertEquals(await compressed("header=Content-Encoding=br"), "br");
    assertEquals(await compressed("header=Content-Range=bytes+0-1/2"), null);
    for (const type of ["image/png", "application/zip", "font/woff2"]) {
      assertEquals([type, await compressed(`type=${type}`)], [type, null]);
    }
    for (
      const type of [
        "text/css",
        "application/javascript",
        "application/json;+charset=UTF-8",
        "application/xml",
        "application/atom%2Bxml",
        "application/xhtml%2Bxml",
        "image/svg%2Bxml",
      ]
    ) assertEquals([type, await compressed(`type=${type}`)], [type, "gzip"]);
  }, ON);
});

Deno.test("compressResponse adds to a Vary that is there, and weakens a strong tag", async () => {
  await serve([["/", Page]], async ({ get }) => {
    const { headers } = await get("/?header=Vary=Cookie&header=Etag=%22v1%22", GZIP);
    assertEquals(headers.getList("Vary"), ["Cookie, Accept-Encoding"]);
    assertEquals(headers.get("Etag"), 'W/"v1"');
    const answer = await get("/", {
      ...GZIP,
      "If-None-Match": (await get("/", GZIP)).headers.get("Etag")!,
    });
    assertEquals(answer.headers.get("Etag")?.startsWith("W/") ?? false, false);
    assertEquals([answer.status, answer.headers.get("Vary")], [304, "Accept-Encoding"]);
    assertEquals(answer.headers.has("Content-Encoding"), false);
  }, ON);
});

Deno.test("compressResponse sends each flushed part so that it can be read at once", async () => {
  await serve([["/", Parts]], async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET /?part=one&part=two&last=three HTTP/1.1\r\nHost: a\r\n");
    await client.send("Accept-Encoding: gzip\r\n\r\n");
    const { headers, body } = await client.answer();
    assertEquals(headers.get("Content-Encoding"), "gzip");
    assertEquals(headers.get("Transfer-Encoding"), "chunked");
    const decompressor = new GzipDecompressor();
    assertEquals(new TextDecoder().decode(decompressor.decompress(body)), "onetwothree");
    decompressor.flush();
  }, ON);
});

Deno.test("compressResponse ends a flushed answer rightly when nothing more was written", async () => {
  await serve([["/", Parts]], async ({ get }) => {
    for (const query of ["part=one", "part=&last="]) {
      const { body } = await get(`/?${query}`, GZIP);
      assertEquals(new TextDecoder().decode(gunzipSync(body)), query === "part=one" ? "one" : "");
    }
  }, ON);
});

Deno.test("compressResponse keeps a HEAD answer without a body", async () => {
  await serve([["/", Page]], async ({ ask }) => {
    const { status, headers } = await ask("HEAD", "/", { headers: GZIP });
    assertEquals([status, headers.get("Content-Encoding")], [200, "gzip"]);
  }, ON);
});

Deno.test("compressResponse compresses static files too, and leaves their ranges", async () => {
  const path = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${path}/a.txt`, LONG);
    await serve([["/(.*)", StaticFileHandler, { path }]], async ({ get }) => {
      const whole = await get("/a.txt", GZIP);
      assertEquals(whole.headers.get("Content-Encoding"), "gzip");
      assertEquals(new TextDecoder().decode(gunzipSync(whole.body)), LONG);
      const range = await get("/a.txt", { ...GZIP, Range: "bytes=0-1499" });
      assertEquals([range.status, range.headers.get("Content-Encoding")], [206, null]);
      assertEquals(range.text, LONG.slice(0, 1500));
    }, ON);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("GZipContentEncoding may be changed by a subclass", async () => {
  class Eager extends GZipContentEncoding {
    static override MIN_LENGTH = 1;
    static override CONTENT_TYPES = ["image/png"];
  }
  await serve([["/", Page]], async ({ get }) => {
    const { headers } = await get("/?length=20&type=image/png", GZIP);
    assertEquals(headers.get("Content-Encoding"), "gzip");
  }, { transforms: [Eager] });
});

class Upper extends OutputTransform {
  override transformFirstChunk(
    status: number,
    headers: HTTPHeaders,
    chunk: Uint8Array,
    finishing: boolean,
  ): FirstChunk {
    headers.set("X-First", String(finishing));
    return [status === 200 ? 203 : status, headers, this.transformChunk(chunk, finishing)];
  }
  override transformChunk(chunk: Uint8Array, finishing: boolean): Uint8Array {
    const text = new TextDecoder().decode(chunk).toUpperCase();
    return new TextEncoder().encode(finishing ? `${text}.` : text);
  }
}

Deno.test("transforms change status, headers and each piece, one after the other", async () => {
  class Bracket extends OutputTransform {
    readonly #query: string;
    constructor(request: HTTPServerRequest) {
      super(request);
      this.#query = request.query;
    }
    override transformFirstChunk(
      ...args: Parameters<OutputTransform["transformFirstChunk"]>
    ): FirstChunk {
      const [status, headers, chunk] = args;
      headers.set("X-Query", this.#query);
      return [status, headers, Uint8Array.of(0x5b, ...chunk)];
    }
  }
  await serve([["/", Parts]], async ({ app, get }) => {
    const flushed = await get("/?part=a&part=b&last=c");
    assertEquals([flushed.status, flushed.text], [203, "[ABC."]);
    assertEquals(flushed.headers.get("X-First"), "false");
    const whole = await get("/?last=x");
    assertEquals([whole.status, whole.text], [203, "[X."]);
    assertEquals(whole.headers.get("Content-Length"), "3");
    assertEquals(whole.headers.get("X-First"), "true");
    assertEquals(whole.headers.get("X-Query"), "last=x");
    app.addTransform(Upper);
    assertEquals((await get("/?last=x")).text, "[X..");
  }, { transforms: [Upper, Bracket] });
});

Deno.test("transforms that fail make the answer a 500, and only once headers were sent a cut", async () => {
  class Failing extends OutputTransform {
    override transformFirstChunk(
      status: number,
      headers: HTTPHeaders,
      chunk: Uint8Array,
    ): FirstChunk {
      if (status === 200) throw new RangeError("no");
      return [status, headers, chunk];
    }
  }
  const logged: unknown[] = [];
  class Logging extends Page {
    override logException(error: unknown): void {
      logged.push(error);
    }
  }
  await serve([["/", Logging]], async ({ get }) => {
    assertEquals((await get("/")).status, 500);
    assertEquals(logged.length, 1);
  }, { transforms: [Failing] });
});

Deno.test("transforms of an application can be read", () => {
  assertEquals(new Application([], { transforms: [Upper] }).transforms, [Upper]);
  assertEquals(new Application([], ON).transforms, [GZipContentEncoding]);
  assertEquals(new Application().transforms, []);
});
