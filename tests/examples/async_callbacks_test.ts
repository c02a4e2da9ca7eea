import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { download } from "../../examples/async_callbacks/download.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import { type IOStream, TCPServer } from "../../iostream/mod.ts";
import { ServerProcess } from "../process/_server_process.ts";

const MAIN = "examples/async_callbacks/main.ts";
const GALLERY = new URL("../../examples/gallery/", import.meta.url);

interface Downloaded {
  status: number | null;
  text: string;
  pieces: number;
  error: unknown;
  ends: number;
}

class Canned extends TCPServer {
  seen = "";
  readonly #pieces: readonly string[];

  constructor(pieces: readonly string[]) {
    super();
    this.#pieces = pieces;
  }

  override *handleStream(stream: IOStream) {
    this.seen = new TextDecoder().decode(yield* stream.readUntil("\r\n\r\n"));
    for (const piece of this.#pieces) {
      yield* stream.write(piece);
      yield null; // lets the other side see this piece alone
    }
    stream.close();
  }
}

/** Downloads what a server sends in these pieces. */
function fromPieces(pieces: readonly string[]): Promise<Downloaded & { seen: string }> {
  return new IOLoop().run(async () => {
    const server = new Canned(pieces);
    server.listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const result = await get(port);
    server.stop();
    return { ...result, seen: server.seen };
  }, { timeout: 10_000 });
}

async function get(port: number): Promise<Downloaded> {
  const result: Downloaded = { status: null, text: "", pieces: 0, error: null, ends: 0 };
  const ended = new Future<void>();
  const decoder = new TextDecoder();
  download(IOLoop.current(), new URL(`http://127.0.0.1:${port}/a?b=c`), {
    onHead: (status) => void (result.status = status),
    onPiece(piece) {
      result.pieces++;
      result.text += decoder.decode(piece, { stream: true });
    },
    onEnd(error) {
      result.ends++;
      result.error = error;
      if (!ended.done()) ended.setResult();
    },
  });
  await ended;
  await new Promise((resolve) => setTimeout(resolve, 10)); // a second end would come by now
  return result;
}

const HEAD = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n";

Deno.test("download() gives a body with a length, and one to the end, piece by piece", async () => {
  for (const length of ["Content-Length: 9\r\n", ""]) {
    const whole = `${HEAD}${length}\r\none two 3`;
    for (const pieces of [[whole], [...whole], [whole.slice(0, 50), whole.slice(50)]]) {
      const { status, text, error, ends, seen } = await fromPieces(pieces);
      assertEquals([status, text, error, ends], [200, "one two 3", null, 1]);
      assertMatch(seen, /^GET \/a\?b=c HTTP\/1\.0\r\nHost: 127\.0\.0\.1:\d+\r\n\r\n$/);
    }
  }
  const large = "x".repeat(2_000_000);
  const { text, pieces } = await fromPieces([`${HEAD}\r\n`, large]);
  assertEquals(text.length, large.length);
  assert(pieces > 1);
  const empty = await fromPieces([`${HEAD}Content-Length: 0\r\n\r\n`]);
  assertEquals([empty.text, empty.error, empty.ends], ["", null, 1]);
});

Deno.test("download() says once what went wrong", async () => {
  const early = await fromPieces([`${HEAD}Content-Length: 9\r\n\r\none`]);
  assertEquals([early.status, early.text, early.ends], [200, "one", 1]);
  assertStringIncludes(String(early.error), "ended early");
  const none = await fromPieces(["HTTP/1.0 200 OK\r\n"]);
  assertEquals([none.status, none.ends], [null, 1]);
  assertStringIncludes(String(none.error), "ended early");
  const other = await fromPieces(["220 mail.example.org\r\n\r\n"]);
  assertEquals([other.status, other.ends], [null, 1]);
  assertStringIncludes(String(other.error), "220 mail");
  const long = await fromPieces([`${HEAD}X: ${"x".repeat(70_000)}`]);
  assertEquals([long.status, long.ends], [null, 1]);
  assert(long.error instanceof Error);
});

Deno.test("download() says that a length is none, and that nobody serves", async () => {
  const { status, error, ends } = await fromPieces([`${HEAD}Content-Length: many\r\n\r\none`]);
  assertEquals([status, ends], [null, 1]);
  assertStringIncludes(String(error), "the length is many");
  await new IOLoop().run(async () => {
    const { listener, port } = bindUnusedPort();
    listener.close();
    const { error, ends } = await get(port);
    assertEquals([error instanceof Deno.errors.ConnectionRefused, ends], [true, 1]);
  }, { timeout: 10_000 });
});

Deno.test("the example of callbacks downloads a page of the gallery", async () => {
  await using gallery = await ServerProcess.listening();
  const main = async (path: string) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-P=serve", MAIN, `http://127.0.0.1:${gallery.port}${path}`],
      cwd: new URL("../../", import.meta.url),
      stdin: "null",
    }).output();
    return { code, stdout, said: new TextDecoder().decode(stderr) };
  };
  const page = await Deno.readFile(new URL("static/style.css", GALLERY));
  const { code, stdout, said } = await main("/style.css");
  assertEquals([code, stdout], [0, page]);
  assertStringIncludes(said, `Status 200, ${page.length} bytes\nGot ${page.length} bytes\n`);
  const none = await main("/none");
  assertEquals(none.code, 1);
  assertStringIncludes(none.said, "Status 404");
});
