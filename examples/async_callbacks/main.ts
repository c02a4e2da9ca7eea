/**
 * Downloads a file, in callback style all the way down.
 *
 * It teaches the callback form of `IOStream`: `addFuture` to connect, `readUntil` with a callback
 * for the head, streaming callbacks for the body, which never lies in memory as a whole, and the
 * close callback for what fails (`download.ts`). The other examples do the same with `yield*`.
 *
 * Run it with `deno run -P=serve examples/async_callbacks/main.ts http://127.0.0.1:8888/` beside
 * the gallery; `> file` keeps what comes, the rest is said on standard error.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { IOLoop } from "@waterspout/waterspout/ioloop";
import { download } from "./download.ts";

function say(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

if (import.meta.main) {
  const { positionals: [text] } = parseArgs({ args: Deno.args, allowPositionals: true });
  const url = URL.parse(text ?? "");
  if (url?.protocol !== "http:") throw new TypeError("Say what to download: main.ts http://...");
  const loop = new IOLoop();
  let bytes = 0;
  download(loop, url, {
    onHead(status, headers) {
      say(`Status ${status}, ${headers.get("Content-Length", "an unknown number of")} bytes`);
      if (status !== 200) Deno.exitCode = 1;
    },
    onPiece(piece) {
      bytes += piece.length;
      writeAll(piece);
    },
    onEnd(error) {
      say(error === null ? `Got ${bytes} bytes` : `Failed behind ${bytes} bytes: ${error}`);
      if (error !== null) Deno.exitCode = 1;
      loop.stop();
    },
  });
  await loop.start();
  loop.close();
}
