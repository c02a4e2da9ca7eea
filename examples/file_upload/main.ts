/**
 * Uploads of any size, with a bar that shows how far they are.
 *
 * It teaches to take a body as it arrives: small files are kept in memory, large ones go to disk
 * while they come, and a disk that is slow slows the client. A client that leaves, leaves nothing
 * behind. The page sends by XMLHttpRequest, which tells of its progress and can be cancelled, and
 * carries the token against forged requests in a header, since the form is not read before.
 *
 * Run it with
 *
 *     deno run --allow-net --allow-env --allow-read --allow-write=uploads \
 *       examples/file_upload/main.ts
 *
 * and open http://127.0.0.1:8888/. `--directory` names another place for the files, which are kept
 * under their SHA-256.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  Application,
  FormUpload,
  RequestHandler,
  streamRequestBody,
  type UploadedFile,
} from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { print } from "../serve_tcp.ts";

const MAX_BODY = 4 * 2 ** 30;
const MAX_TIME = 3_600_000; // for a slow line

class PageHandler extends RequestHandler {
  override get(): void {
    this.render("upload.html");
  }
}

@streamRequestBody
class UploadHandler extends RequestHandler {
  readonly #form = new FormUpload(this, { directory: this.#directory });

  override prepare(): void {
    this.request.connection.setMaxBodySize(MAX_BODY);
    this.request.connection.setBodyTimeout(MAX_TIME);
  }

  override dataReceived(chunk: Uint8Array): Promise<void> {
    return this.#form.push(chunk); // the next chunk comes when this one is done
  }

  override async post(): Promise<void> {
    const kept = [];
    for (const file of this.#form.finish().files) kept.push(await this.#keep(file));
    this.writeJson(kept);
  }

  // What is on disk is renamed, or it would go with the request.
  async #keep({ filename, size, path, body }: UploadedFile) {
    const hash = createHash("sha256");
    if (body !== null) hash.update(body);
    else {
      using file = await Deno.open(path!);
      const buffer = new Uint8Array(65536);
      for (let count; (count = await file.read(buffer)) !== null;) {
        hash.update(buffer.subarray(0, count));
      }
    }
    const sha256 = hash.digest("hex");
    const target = join(this.#directory, sha256);
    if (body !== null) await Deno.writeFile(target, body);
    else await Deno.rename(path!, target);
    return { filename, size, sha256 };
  }

  get #directory(): string {
    return this.settings["directory"] as string;
  }
}

/** Makes the application; files are kept in `directory`. */
export function makeUpload(directory: string): Application {
  const folder = decodeURIComponent(new URL("./", import.meta.url).pathname);
  return new Application([["/", PageHandler], ["/upload", UploadHandler]], {
    directory,
    xsrfCookies: true,
    xsrfCookieKwargs: { httpOnly: true, sameSite: "Lax" },
    templatePath: folder,
    staticPath: join(folder, "static"),
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
      directory: { type: "string", default: "uploads" },
    },
  });
  enablePrettyLogging();
  await Deno.mkdir(values.directory, { recursive: true });
  await runServer(makeUpload(values.directory), {
    port: Number(values.port),
    address: values.address,
    onListen(server) {
      const { hostname, port } = server.addresses[0] as Deno.NetAddr;
      print(`Files are taken on http://${hostname}:${port}/ (Ctrl-C ends it)`);
    },
  });
}
