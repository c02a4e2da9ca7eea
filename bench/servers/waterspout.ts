import {
  Application,
  DictLoader,
  RequestHandler,
  type Route,
  StaticFileHandler,
} from "@waterspout/waterspout/web";
import type { CoroutineGenerator } from "@waterspout/waterspout/gen";
import { serve } from "@waterspout/waterspout/process";
import { CHUNK, CHUNKS, GREETING, routed, ROUTES, ROWS, sum } from "./_answers.mjs";

const [port, mode = "plain", folder = "."] = Deno.args;

class Hello extends RequestHandler {
  override get(): void {
    this.write(GREETING);
  }
}

class JSONHandler extends RequestHandler {
  override get(): void {
    this.write({ message: GREETING });
  }

  override post(): void {
    this.write(sum(this.getJson()));
  }
}

class Upload extends RequestHandler {
  override post(): void {
    this.write(String(this.request.body.length));
  }
}

class Page extends RequestHandler {
  override get(): void {
    this.render("page.html", { rows: ROWS });
  }
}

class Streamed extends RequestHandler {
  override *get(): CoroutineGenerator {
    for (let i = 0; i < CHUNKS; i++) {
      this.write(CHUNK);
      yield* this.flush();
    }
  }
}

class Routed extends RequestHandler {
  #route = 0;

  override initialize({ route }: { route: number }): void {
    this.#route = route;
  }

  override get(order: string, item: string): void {
    this.write(routed(this.#route, order, item));
  }
}

const templateLoader = new DictLoader({
  "page.html": "<title>Rows</title>\n<table>\n{% for row of rows %}<tr><td>{{ row.id }}</td>" +
    "<td>{{ row.name }}</td><td>{{ row.note }}</td></tr>\n{% end %}</table>\n",
});
const app = new Application([
  ["/", Hello],
  ["/json", JSONHandler],
  ["/upload", Upload],
  ["/page", Page],
  ["/stream", Streamed],
  ["/file/(.*)", StaticFileHandler, { path: folder }],
  ...Array.from(
    { length: ROUTES },
    (_, route): Route => [`/route${route}/([^/]+)/items/([^/]+)`, Routed, { route }],
  ),
], { templateLoader });

await serve(app, {
  port: Number(port),
  numProcesses: mode === "group" ? 2 : 1,
  onListen: () => Deno.stdout.writeSync(new TextEncoder().encode("listening\n")),
  ...(mode === "tls"
    ? { sslOptions: { certFile: `${folder}/cert.pem`, keyFile: `${folder}/key.pem` } }
    : {}),
});
