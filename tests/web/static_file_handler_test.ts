import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { expectLog } from "../../testing/mod.ts";
import { appLog, genLog } from "../../ioloop/mod.ts";
import { RequestHandler, type Route, StaticFileHandler } from "../../web/mod.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "./_serve.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz";
const ETAG = `"${createHash("sha512").update(ALPHABET).digest("hex")}"`;
const MODIFIED = new Date("2024-02-03T04:05:06.700Z");
const TEN_YEARS = 315360000;

// Not Deno.symlink(): that needs to write everywhere.
async function link(target: string, path: string): Promise<void> {
  await new Deno.Command("ln", { args: ["-s", target, path] }).output();
}

// A directory with files, a directory in it with an index, a secret beside it, and links.
async function withFiles(
  body: (served: Served, root: string) => Promise<void>,
  routes: (root: string) => readonly Route[] = (root) => [
    ["/static/(.*)", StaticFileHandler, { path: root }],
    ["/site/(.*)", StaticFileHandler, { path: root, defaultFilename: "index.html" }],
    ["/(.*)", StaticFileHandler, { path: root, defaultFilename: "index.html" }],
  ],
): Promise<void> {
  const top = await Deno.makeTempDir();
  const root = join(top, "root");
  try {
    await Deno.mkdir(join(root, "dir"), { recursive: true });
    await Deno.mkdir(join(root, "empty"));
    await Deno.writeTextFile(join(root, "letters.txt"), ALPHABET);
    await Deno.utime(join(root, "letters.txt"), MODIFIED, MODIFIED);
    await Deno.writeTextFile(join(root, "dir", "index.html"), "<p>index</p>");
    await Deno.writeTextFile(join(root, "none.txt"), "");
    for (const name of ["a.css", "a.js", "a.json", "a.tar.gz", "a.bz2", "a.unknown", "plain"]) {
      await Deno.writeTextFile(join(root, name), name);
    }
    await Deno.writeTextFile(join(top, "secret.txt"), "secret");
    await Deno.writeTextFile(join(top, "root-secret.txt"), "secret");
    await link(join(root, "letters.txt"), join(root, "inside.txt"));
    await link(join(top, "secret.txt"), join(root, "outside.txt"));
    await link(top, join(root, "up"));
    await link(root, join(root, "self"));
    await link(join(root, "nowhere"), join(root, "broken.txt"));
    StaticFileHandler.reset();
    await serve(routes(root), (served) => body(served, root));
  } finally {
    await Deno.remove(top, { recursive: true });
  }
}

Deno.test("StaticFileHandler serves a file with what describes it", () =>
  withFiles(async ({ get }) => {
    const answer = await get("/static/letters.txt");
    assertEquals(answer.status, 200);
    assertEquals(answer.text, ALPHABET);
    assertEquals(answer.headers.get("Content-Length"), "26");
    assertEquals(answer.headers.get("Content-Type"), "text/plain; charset=UTF-8");
    assertEquals(answer.headers.get("Last-Modified"), "Sat, 03 Feb 2024 04:05:06 GMT");
    assertEquals(answer.headers.get("Etag"), ETAG);
    assertEquals(answer.headers.get("Accept-Ranges"), "bytes");
    assertEquals(answer.headers.has("Cache-Control"), false);
    assertEquals(answer.headers.has("Expires"), false);
    assertEquals(answer.headers.has("Transfer-Encoding"), false);
  }));

Deno.test("StaticFileHandler serves an empty file", () =>
  withFiles(async ({ get }) => {
    const answer = await get("/static/none.txt");
    assertEquals(answer.status, 200);
    assertEquals(answer.headers.get("Content-Length"), "0");
    assertEquals((await get("/static/none.txt", { Range: "bytes=0-" })).status, 416);
  }));

Deno.test("StaticFileHandler.getContentType() goes by the extension", () =>
  withFiles(async ({ get }) => {
    const type = async (name: string) => (await get(`/static/${name}`)).headers.get("Content-Type");
    assertEquals(await type("a.css"), "text/css; charset=UTF-8");
    assertEquals(await type("a.js"), "text/javascript; charset=UTF-8");
    assertEquals(await type("a.json"), "application/json");
    assertEquals(await type("a.tar.gz"), "application/gzip");
    assertEquals(await type("a.bz2"), "application/octet-stream");
    assertEquals(await type("a.unknown"), "application/octet-stream");
    assertEquals(await type("plain"), "application/octet-stream");
  }));

Deno.test("StaticFileHandler lets a URL with a version be cached for ten years", () =>
  withFiles(async ({ get }) => {
    const { headers } = await get("/static/letters.txt?v=1");
    assertEquals(headers.get("Cache-Control"), `max-age=${TEN_YEARS}, immutable`);
    const left = Date.parse(headers.get("Expires")!) - Date.now();
    assert(Math.abs(left - 1000 * TEN_YEARS) < 10_000, `${left}`);
  }));

Deno.test("StaticFileHandler.head() sends the headers of get() and no body", () =>
  withFiles(async ({ ask }) => {
    for (const headers of [{}, { Range: "bytes=3-5" }, { Range: "bytes=99-" }]) {
      const got = await ask("GET", "/static/letters.txt", { headers });
      const head = await ask("HEAD", "/static/letters.txt", { headers });
      assertEquals(head.status, got.status);
      assertEquals(head.text, "");
      for (const [name, value] of got.headers) {
        if (/^(content-|etag|last-|accept-)/i.test(name)) {
          assertEquals(head.headers.get(name), value, name);
        }
      }
    }
  }));

Deno.test("StaticFileHandler answers other methods with 405", () =>
  withFiles(async ({ ask }) => {
    const answer = await ask("POST", "/static/letters.txt", { body: "x" });
    assertEquals(answer.status, 405);
    assertEquals(answer.headers.get("Allow"), "GET, HEAD");
  }));

Deno.test("StaticFileHandler answers 304 when a tag matches", () =>
  withFiles(async ({ get }) => {
    for (const tag of [ETAG, `W/${ETAG}`, `"x", ${ETAG}`, "*"]) {
      const answer = await get("/static/letters.txt", { "If-None-Match": tag });
      assertEquals(answer.status, 304, tag);
      assertEquals(answer.headers.get("Etag"), ETAG);
      assertEquals(answer.headers.has("Content-Length"), false);
      assertEquals(answer.headers.has("Content-Type"), false);
    }
    for (const tag of ['"x"', "x", ""]) {
      assertEquals((await get("/static/letters.txt", { "If-None-Match": tag })).status, 200, tag);
    }
  }));

Deno.test("StaticFileHandler reads a list of tags that is full of blanks without holding the loop", () =>
  withFiles(async ({ get }) => {
    const blanks = " ".repeat(60_000);
    const start = performance.now();
    for (const [tags, status] of [[`"x"${blanks}"y"`, 200], [`"x"${blanks},${ETAG}`, 304]]) {
      const answer = await get("/static/letters.txt", { "If-None-Match": String(tags) });
      assertEquals(answer.status, status);
    }
    assert(performance.now() - start < 1000);
  }));

Deno.test("StaticFileHandler answers 304 to a matching tag also with a Range", () =>
  withFiles(async ({ get }) => {
    const headers = { "If-None-Match": ETAG, Range: "bytes=0-9" };
    assertEquals((await get("/static/letters.txt", headers)).status, 304);
  }));

Deno.test("StaticFileHandler answers 304 when the file is not newer, in any form of a date", () =>
  withFiles(async ({ get }) => {
    const status = async (since: string) =>
      (await get("/static/letters.txt", { "If-Modified-Since": since })).status;
    assertEquals(await status("Sat, 03 Feb 2024 04:05:06 GMT"), 304);
    assertEquals(await status("Saturday, 03-Feb-24 04:05:06 GMT"), 304);
    assertEquals(await status("Sat Feb  3 04:05:06 2024"), 304);
    assertEquals(await status("Sun, 04 Feb 2024 00:00:00 GMT"), 304);
    assertEquals(await status("Sat, 03 Feb 2024 04:05:05 GMT"), 200);
    assertEquals(await status("Sat Feb  3 04:05:05 2024"), 200);
    assertEquals(await status("Mon, 01 Jan 1962 00:00:00 GMT"), 200);
    assertEquals(await status("yesterday"), 200);
    assertEquals(await status(""), 200);
  }));

Deno.test("StaticFileHandler looks at tags before the date", () =>
  withFiles(async ({ get }) => {
    const since = "Sun, 04 Feb 2024 00:00:00 GMT";
    const headers = { "If-Modified-Since": since, "If-None-Match": '"other"' };
    assertEquals((await get("/static/letters.txt", headers)).status, 200);
  }));

Deno.test("StaticFileHandler answers a single range with 206", () =>
  withFiles(async ({ get }) => {
    const cases = [
      ["bytes=0-9", "abcdefghij", "bytes 0-9/26"],
      ["bytes=25-", "z", "bytes 25-25/26"],
      ["bytes=22-", "wxyz", "bytes 22-25/26"],
      ["bytes=-4", "wxyz", "bytes 22-25/26"],
      ["bytes=1-10000000", ALPHABET.slice(1), "bytes 1-25/26"],
      ["bytes=3-3", "d", "bytes 3-3/26"],
    ];
    for (const [range, body, contentRange] of cases) {
      const answer = await get("/static/letters.txt", { Range: range! });
      assertEquals(answer.status, 206, range);
      assertEquals(answer.text, body, range);
      assertEquals(answer.headers.get("Content-Range"), contentRange);
      assertEquals(answer.headers.get("Content-Length"), String(body!.length));
      assertEquals(answer.headers.get("Etag"), ETAG);
    }
  }));

Deno.test("StaticFileHandler answers 200 to a range of all, and to one it does not understand", () =>
  withFiles(async ({ get }) => {
    const ranges = [
      "bytes=0-",
      "bytes=0-10000000",
      "bytes=-1000000",
      "bytes=0-25",
      "asdf=0-9",
      "bytes=x-9",
      "bytes",
      "bytes=0-1,4-5",
    ];
    for (const range of ranges) {
      const answer = await get("/static/letters.txt", { Range: range });
      assertEquals(answer.status, 200, range);
      assertEquals(answer.text, ALPHABET, range);
      assertEquals(answer.headers.has("Content-Range"), false, range);
    }
  }));

Deno.test("StaticFileHandler answers 416 to a range beyond the end, or that ends before it starts", () =>
  withFiles(async ({ get }) => {
    for (const range of ["bytes=26-", "bytes=-0", "bytes=100-200", "bytes=10-3"]) {
      const answer = await get("/static/letters.txt", { Range: range });
      assertEquals(answer.status, 416, range);
      assertEquals(answer.headers.get("Content-Range"), "bytes */26");
      assertEquals(answer.text, "");
    }
  }));

Deno.test("StaticFileHandler sends a range only if If-Range names this file", () =>
  withFiles(async ({ get }) => {
    const status = async (condition: string) =>
      (await get("/static/letters.txt", { Range: "bytes=0-9", "If-Range": condition })).status;
    assertEquals(await status(ETAG), 206);
    assertEquals(await status("Sat, 03 Feb 2024 04:05:06 GMT"), 206);
    assertEquals(await status('"other"'), 200);
    assertEquals(await status(`W/${ETAG}`), 200);
    assertEquals(await status("Sun, 04 Feb 2024 00:00:00 GMT"), 200);
  }));

Deno.test("StaticFileHandler answers 404 to what is missing or cannot be a name", () =>
  withFiles(async ({ get }) => {
    const paths = [
      "missing.txt",
      "missing/x",
      "letters.txt/x",
      "broken.txt",
      "a%00b",
      "letters.txt%00",
      "x".repeat(300),
      "%252e%252e%252fsecret.txt",
    ];
    for (const path of paths) assertEquals((await get(`/static/${path}`)).status, 404, path);
  }));

Deno.test("StaticFileHandler never leaves its root, in any encoding of dots and slashes", () =>
  withFiles(async ({ get }) => {
    const paths = [
      "../secret.txt",
      "dir/../../secret.txt",
      "..%2fsecret.txt",
      "%2e%2e/secret.txt",
      "%2E%2E%2Fsecret.txt",
      ".%2e/secret.txt",
      "../root-secret.txt",
      "../nothing-there",
      "..",
      "/etc/passwd",
      "%2fetc/passwd",
      "//etc/passwd",
    ];
    await expectLog(genLog, /is not in the root directory/, async () => {
      for (const path of paths) {
        const answer = await get(`/static/${path}`);
        assertEquals(answer.status, 403, path);
        assertEquals(answer.text.includes("secret"), false);
      }
    });
    // Overlong UTF-8 for dots and slashes is no UTF-8.
    await expectLog(genLog, /is not UTF-8/, async () => {
      for (const path of ["%c0%ae%c0%ae/secret.txt", "..%c0%afsecret.txt"]) {
        assertEquals((await get(`/static/${path}`)).status, 400, path);
      }
    });
    // On this system a backslash is part of a name, which here begins with a dot.
    assertEquals((await get("/static/..%5csecret.txt")).status, 403);
  }));

Deno.test("StaticFileHandler goes up and down inside its root", () =>
  withFiles(async ({ get }) => {
    assertEquals((await get("/static/dir/../letters.txt")).text, ALPHABET);
    assertEquals((await get("/static/./letters.txt")).text, ALPHABET);
  }));

Deno.test("StaticFileHandler follows links inside its root and refuses those that lead out", () =>
  withFiles(async ({ get }) => {
    assertEquals((await get("/static/inside.txt")).text, ALPHABET);
    await expectLog(genLog, /is not in the root directory/, async () => {
      for (const path of ["outside.txt", "up/secret.txt", "up/root/../secret.txt"]) {
        const answer = await get(`/static/${path}`);
        assertEquals([answer.status, answer.text.includes("secret")], [403, false], path);
      }
    });
  }));

Deno.test("StaticFileHandler serves a root that is itself a link", () =>
  withFiles(async ({ get }) => {
    assertEquals((await get("/linked/letters.txt")).text, ALPHABET);
  }, (root) => [["/linked/(.*)", StaticFileHandler, { path: join(root, "self") }]]));

Deno.test("StaticFileHandler refuses directories, without a default file", () =>
  withFiles(async ({ get }) => {
    await expectLog(genLog, /is not a file/, async () => {
      for (const path of ["dir", "dir/", ""]) {
        assertEquals((await get(`/static/${path}`)).status, 403, path);
      }
    });
  }));

Deno.test("StaticFileHandler serves the default file of a directory", () =>
  withFiles(async ({ get }) => {
    const answer = await get("/site/dir/");
    assertEquals([answer.status, answer.text], [200, "<p>index</p>"]);
    assertEquals(answer.headers.get("Content-Type"), "text/html; charset=UTF-8");
    assertEquals((await get("/site/empty/")).status, 404);
  }));

Deno.test("StaticFileHandler redirects a directory to its path with a slash", () =>
  withFiles(async ({ get }) => {
    const answer = await get("/site/dir?a=1");
    assertEquals(answer.status, 301);
    assertEquals(answer.headers.get("Location"), "/site/dir/?a=1");
    await expectLog(genLog, /begins with two slashes|is not in the root/, async () => {
      for (const path of ["//evil.com/..", "//evil.com/%2e%2e", "//dir"]) {
        const refused = await get(path);
        assertEquals([refused.status, refused.headers.has("Location")], [403, false], path);
      }
    });
  }));

Deno.test("StaticFileHandler notices that a file changed", () =>
  withFiles(async ({ get }, root) => {
    await get("/static/letters.txt");
    await Deno.writeTextFile(join(root, "letters.txt"), "changed");
    const answer = await get("/static/letters.txt", { "If-None-Match": ETAG });
    assertEquals([answer.status, answer.text], [200, "changed"]);
    assertNotEquals(answer.headers.get("Etag"), ETAG);
  }));

Deno.test("StaticFileHandler sends a large file in pieces, and any range of it", () =>
  withFiles(async ({ get }, root) => {
    const large = new Uint8Array(1_000_000).map((_, i) => i * i >> 3);
    await Deno.writeFile(join(root, "large.bin"), large);
    const [whole, again] = await Promise.all([
      get("/static/large.bin"),
      get("/static/large.bin"),
    ]);
    assertEquals(whole.body, large);
    assertEquals(again.body, large);
    for (const [from, to] of [[65535, 65536], [65536, 131071], [1, 999_999]] as const) {
      const answer = await get("/static/large.bin", { Range: `bytes=${from}-${to}` });
      assertEquals(answer.body, large.subarray(from, to + 1));
    }
  }));

// That the file itself is closed is what the sanitizer of resources looks at.
class Counting extends StaticFileHandler {
  static reading = 0;

  static override async *getContent(
    path: string,
    start?: number,
    end?: number,
  ): AsyncGenerator<Uint8Array> {
    Counting.reading++;
    try {
      yield* super.getContent(path, start, end) as AsyncGenerator<Uint8Array>;
    } finally {
      Counting.reading--;
    }
  }
}

Deno.test("StaticFileHandler closes the file when its client leaves in the middle", () =>
  withFiles(async ({ port }, root) => {
    await Deno.writeFile(join(root, "large.bin"), new Uint8Array(20_000_000));
    using client = await RawClient.connect(port);
    await client.send("GET /static/large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.bytes(100_000);
    assertEquals(Counting.reading, 1);
    client.close();
    await until(() => Counting.reading === 0);
  }, (root) => [["/static/(.*)", Counting, { path: root }]]));

Deno.test("StaticFileHandler serves the files of the setting staticPath, favicon and robots", () =>
  withFiles((_, root) => {
    Deno.writeTextFileSync(join(root, "favicon.ico"), "icon");
    Deno.writeTextFileSync(join(root, "robots.txt"), "robots");
    return serve([], async ({ get }) => {
      assertEquals((await get("/s/letters.txt")).text, ALPHABET);
      assertEquals((await get("/favicon.ico")).text, "icon");
      assertEquals((await get("/robots.txt")).text, "robots");
      assertEquals((await get("/letters.txt")).status, 404);
    }, { staticPath: root, staticUrlPrefix: "/s/" });
  }));

Deno.test("StaticFileHandler.makeStaticUrl() carries the version, the same as the tag", () =>
  withFiles(({ get }, root) => {
    const settings = { staticPath: root };
    const url = StaticFileHandler.makeStaticUrl(settings, "letters.txt");
    assertEquals(url, `/static/letters.txt?v=${ETAG.slice(1, -1)}`);
    assertEquals(
      StaticFileHandler.makeStaticUrl(settings, "letters.txt", { includeVersion: false }),
      "/static/letters.txt",
    );
    return get(url).then(({ status }) => assertEquals(status, 200));
  }));

Deno.test("StaticFileHandler.makeStaticUrl() leaves the version out, and logs, for no file", () =>
  withFiles(async (_, root) => {
    await expectLog(genLog, /^Cannot read static file missing.txt/, () => {
      const url = StaticFileHandler.makeStaticUrl({ staticPath: root }, "missing.txt");
      assertEquals(url, "/static/missing.txt");
    });
  }));

class FromMemory extends StaticFileHandler {
  static override getAbsolutePath(_root: string, path: string): string {
    return path;
  }

  // deno-lint-ignore require-yield -- it finds at once
  override *validateAbsolutePath(_root: string, path: string): Generator<never, string> {
    return path;
  }

  static override getContent(path: string, start = 0, end?: number): Uint8Array {
    return new TextEncoder().encode(`content of ${path}`).subarray(start, end);
  }

  static override getContentVersion(path: string): string {
    return `version-${path.length}`;
  }

  override getContentSize(): number {
    return `content of ${this.absolutePath}`.length;
  }

  override getModifiedTime(): null {
    return null;
  }

  override setExtraHeaders(path: string): void {
    this.setHeader("X-Path", path);
  }
}

Deno.test("StaticFileHandler serves content that a subclass has from elsewhere", () =>
  serve([["/m/(.*)", FromMemory, { path: "/nowhere" }]], async ({ get }) => {
    const answer = await get("/m/blue.css");
    assertEquals([answer.status, answer.text], [200, "content of blue.css"]);
    assertEquals(answer.headers.get("Etag"), '"version-8"');
    assertEquals(answer.headers.get("X-Path"), "blue.css");
    assertMatch(answer.headers.get("Content-Type")!, /^text\/css/);
    assertEquals(answer.headers.has("Last-Modified"), false);
    const part = await get("/m/blue.css", { Range: "bytes=-4" });
    assertEquals([part.status, part.text], [206, ".css"]);
  }));

Deno.test("StaticFileHandler sends all of a large file to a client that ended its sending side", () =>
  withFiles(async ({ port }, root) => {
    await Deno.writeFile(join(root, "large.bin"), new Uint8Array(20_000_000));
    using client = await RawClient.connect(port);
    await client.send("GET /static/large.bin HTTP/1.1\r\nHost: x\r\n\r\n");
    await client.closeWrite();
    let all = await client.rest();
    while (all.startsWith("HTTP/1.1 100")) all = all.slice(all.indexOf("\r\n\r\n") + 4);
    assertEquals(all.length - all.indexOf("\r\n\r\n") - 4, 20_000_000);
  }));

Deno.test("StaticFileHandler answers several ranges with a part for each, if that pays", () =>
  withFiles(async ({ get, ask }, root) => {
    const content = Array.from({ length: 5000 }, (_, i) => `${i},`).join("");
    await Deno.writeTextFile(join(root, "long.txt"), content);
    const size = content.length;
    const Range = "bytes=0-4, 100-199,-3";
    const { status, headers, text, body } = await get("/static/long.txt", { Range });
    assertEquals(status, 206);
    const type = headers.get("Content-Type")!;
    const [, boundary] = /^multipart\/byteranges; boundary=([-0-9a-f]{36})$/.exec(type)!;
    assertEquals(headers.get("Content-Length"), String(body.length));
    const part = (start: number, end: number) =>
      `\r\n--${boundary}\r\nContent-Type: text/plain; charset=UTF-8\r\n` +
      `Content-Range: bytes ${start}-${end - 1}/${size}\r\n\r\n${content.slice(start, end)}`;
    assertEquals(
      text,
      `${part(0, 5)}${part(100, 200)}${part(size - 3, size)}\r\n--${boundary}--\r\n`,
    );
    const head = await ask("HEAD", "/static/long.txt", { headers: { Range } });
    assertEquals([head.status, head.headers.get("Content-Length")], [206, String(body.length)]);

    const one = await get("/static/long.txt", { Range: "bytes=0-4,900000-" });
    assertEquals([one.status, one.text], [206, content.slice(0, 5)]);
    const none = await get("/static/long.txt", { Range: "bytes=900000-,5-2" });
    assertEquals([none.status, none.headers.get("Content-Range")], [416, `bytes */${size}`]);
  }));

Deno.test("StaticFileHandler answers 200 to several ranges that would be more than the file", () =>
  withFiles(async ({ get }, root) => {
    await Deno.writeTextFile(join(root, "long.txt"), "x".repeat(10_000));
    const many = Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join(",");
    for (const list of ["0-9000,0-9000", many, "0-1,x", "0-1,,2-3", "0-1,2-3;"]) {
      const { status, text } = await get("/static/long.txt", { Range: `bytes=${list}` });
      assertEquals([list, status, text.length], [list, 200, 10_000]);
    }
    assertEquals((await get("/static/letters.txt", { Range: "bytes=0-1,3-4" })).status, 200);
  }));

Deno.test("StaticFileHandler refuses names that begin with a dot, unless told otherwise", async () => {
  await withFiles(async ({ get }, root) => {
    await Deno.mkdir(join(root, ".git"));
    await Deno.mkdir(join(root, ".well-known"));
    for (const name of [".env", ".git/config", ".well-known/security.txt", "dir/..x"]) {
      await Deno.writeTextFile(join(root, name), name);
    }
    for (
      const name of [".env", ".git/config", "dir/..x", "dir/../.env", "%2eenv", ".git", ".none"]
    ) {
      const { status, text } = await get(`/static/${name}`);
      assertEquals([name, status], [name, 403]);
      assertEquals(text.includes("config"), false);
      if (name !== ".git" && name !== ".none") {
        assertEquals([name, (await get(`/open/${name}`)).status], [name, 200]);
      }
    }
    assertEquals((await get("/static/.well-known/security.txt")).status, 200);
  }, (path) => [
    ["/static/(.*)", StaticFileHandler, { path }],
    ["/open/(.*)", StaticFileHandler, { path, dotFiles: true }],
  ]);
});

Deno.test("StaticFileHandler sends a compressed sibling to a client that takes it", () =>
  withFiles(async ({ get, ask }, root) => {
    for (const name of ["letters.txt.gz", "letters.txt.br", "a.css.gz"]) {
      await Deno.writeTextFile(join(root, name), name);
    }
    await Deno.mkdir(join(root, "a.js.gz"));
    const cases: [string, string | null, string | null, string][] = [
      ["letters.txt", null, null, ALPHABET],
      ["letters.txt", "gzip;q=0, identity", null, ALPHABET],
      ["letters.txt", "gzip", "gzip", "letters.txt.gz"],
      ["letters.txt", "gzip, br", "br", "letters.txt.br"],
      ["a.css", "gzip, br", "gzip", "a.css.gz"],
      ["a.js", "gzip, br", null, "a.js"],
    ];
    for (const [name, accepted, encoding, text] of cases) {
      const fields: Record<string, string> = accepted === null
        ? {}
        : { "Accept-Encoding": accepted };
      const answer = await get(`/${name}`, fields);
      assertEquals([name, answer.status, answer.text], [name, 200, text]);
      assertEquals(answer.headers.get("Content-Encoding"), encoding);
      assertEquals(answer.headers.get("Vary"), "Accept-Encoding");
      assertMatch(answer.headers.get("Content-Type")!, /^text\//);
      const Etag = answer.headers.get("Etag")!;
      assertEquals((await get(`/${name}`, { ...fields, "If-None-Match": Etag })).status, 304);
    }
    const range = await ask("GET", "/a.css", {
      headers: { "Accept-Encoding": "gzip", Range: "bytes=0-4" },
    });
    assertEquals([range.status, range.text], [206, "a.css"]);
  }, (path) => [["/(.*)", StaticFileHandler, { path, precompressed: true }]]));

class Linking extends RequestHandler {
  includeHost = this.getArgument("host", "") !== "";
  override get(): void {
    const options = JSON.parse(this.getArgument("options", "{}"));
    this.write(this.staticUrl(this.getArgument("path"), options));
  }
}

Deno.test("staticUrl() has the version, and the host by option or property", () =>
  withFiles(async (_served, root) => {
    await serve([["/", Linking]], async ({ get }) => {
      const url = async (query: string) => (await get(`/?path=letters.txt&${query}`)).text;
      const options = (value: object) => `options=${encodeURIComponent(JSON.stringify(value))}`;
      const version = ETAG.slice(1, -1);
      const here = "http://localhost";
      assertEquals(await url(""), `/static/letters.txt?v=${version}`);
      assertEquals(await url(options({ includeVersion: false })), "/static/letters.txt");
      assertEquals(await url("host=1"), `${here}/static/letters.txt?v=${version}`);
      assertEquals(
        await url(options({ includeHost: true, includeVersion: false })),
        `${here}/static/letters.txt`,
      );
      assertEquals(
        await url(`host=1&${options({ includeHost: false, includeVersion: false })}`),
        "/static/letters.txt",
      );
    }, { staticPath: root });
  }));

class Versioned extends StaticFileHandler {
  static override makeStaticUrl(
    _settings: Readonly<Record<string, unknown>>,
    path: string,
    { includeVersion = true } = {},
  ): string {
    const version = includeVersion ? this.getVersion() : null;
    const extension = path.lastIndexOf(".");
    return version === null
      ? `/static/${path}`
      : `/static/${path.slice(0, extension)}.${version}${path.slice(extension)}`;
  }
  override parseUrlPath(path: string): string {
    return path.replace(/\.[^.]*(?=\.[^.]*$)/, "");
  }
  static override getVersion(): string {
    return "42";
  }
}

Deno.test("staticUrl() follows a static handler class with its own scheme", () =>
  withFiles(async (_served, root) => {
    await serve([["/", Linking]], async ({ get }) => {
      const { text } = await get("/?path=letters.txt");
      assertEquals(text, "/static/letters.42.txt");
      assertEquals((await get(text)).text, ALPHABET);
      const bare = "/?path=a.css&options=%7B%22includeVersion%22:false%7D";
      assertEquals((await get(bare)).text, "/static/a.css");
    }, { staticPath: root, staticHandlerClass: Versioned });
  }));

Deno.test("staticUrl() without the setting staticPath is an error that names it", async () => {
  await serve([["/", Linking]], async ({ get }) => {
    await expectLog(
      appLog,
      /Cannot use staticUrl: the application needs the setting staticPath/,
      async () => {
        assertEquals((await get("/?path=x")).status, 500);
      },
    );
  });
});

Deno.test("staticHashCache off reads a file for each version", () =>
  withFiles((_served, root) => {
    const file = join(root, "a.css");
    const version = (staticHashCache: boolean) =>
      StaticFileHandler.getVersion({ staticPath: root, staticHashCache }, "a.css");
    const first = version(true);
    const { atime, mtime } = Deno.statSync(file);
    Deno.writeTextFileSync(file, "b.css"); // of the same size
    Deno.utimeSync(file, atime!, mtime!);
    assertEquals(version(true), first);
    assertNotEquals(version(false), first);
    return Promise.resolve();
  }));

Deno.test("StaticFileHandler refuses the device names and slashes of Windows", () =>
  withFiles(async ({ get }) => {
    for (const name of ["CON", "c:%5Cboot.ini", "..%5C..%5Csecret.txt", "con.txt", "NUL:"]) {
      const { status } = await get(`/static/${name}`);
      assert([403, 404].includes(status), `${name}: ${status}`);
    }
  }));

Deno.test("StaticFileHandler methods may be overridden one by one", () =>
  withFiles(async ({ get }) => {
    const answer = await get("/x/letters.txt");
    assertEquals(answer.headers.get("Cache-Control"), "max-age=60");
    assertEquals(answer.headers.get("X-Extra"), "letters.txt");
    assertEquals(answer.headers.get("Content-Type"), "text/x-letters");
    assertEquals(answer.headers.get("Last-Modified"), null);
    assertEquals(answer.headers.get("Etag"), '"own"');
    assertEquals(answer.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    assertEquals((await get("/x/letters.txt?fresh=1")).status, 304);
    assertEquals((await get("/x/elsewhere.txt")).text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  }, (path) => [["/x/(.*)", Overriding, { path }]]));

class Overriding extends StaticFileHandler {
  static override getAbsolutePath(root: string, path: string): string {
    return super.getAbsolutePath(root, path === "elsewhere.txt" ? "letters.txt" : path);
  }
  static override async *getContent(path: string, start?: number, end?: number) {
    for await (const piece of super.getContent(path, start, end) as AsyncIterable<Uint8Array>) {
      yield new TextEncoder().encode(new TextDecoder().decode(piece).toUpperCase());
    }
  }
  override getModifiedTime(): null {
    return null;
  }
  override getContentType(): string {
    return "text/x-letters";
  }
  override getCacheTime(): number {
    return 60;
  }
  override setExtraHeaders(path: string): void {
    this.setHeader("X-Extra", path);
  }
  override computeEtag(): string {
    return '"own"';
  }
  override shouldReturn304(): boolean {
    return this.getArgument("fresh", null) !== null;
  }
}
