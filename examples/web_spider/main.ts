/**
 * Crawls a site, and tells its broken links.
 *
 * It teaches bounded concurrency: a `Queue` gives the work to a fixed number of workers and knows
 * when all of it is done, a `Semaphore` spares the servers, `race` ends the workers
 * (`spider.ts`). It ends with 1 if a link is broken, as a check in a build would.
 *
 * Run it with `deno run -P=serve examples/web_spider/main.ts http://127.0.0.1:8888/` beside the
 * gallery, or with the address of your own site.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { SimpleAsyncHTTPClient } from "@waterspout/waterspout/http";
import { IOLoop } from "@waterspout/waterspout/ioloop";
import { print } from "../serve_tcp.ts";
import { Spider } from "./spider.ts";

const MAX_PAGE = 10 * 1024 * 1024; // bytes

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      workers: { type: "string", default: "10" },
      "per-origin": { type: "string", default: "6" },
      "max-pages": { type: "string", default: "10000" },
    },
  });
  if (positionals.length === 0) throw new TypeError("Say where to start: main.ts http://...");
  const workers = Number(values.workers);
  const loop = new IOLoop();
  const began = loop.time();
  const report = await loop.run(function* () {
    const client = new SimpleAsyncHTTPClient({ maxClients: workers, maxBodySize: MAX_PAGE });
    const spider = new Spider(client, {
      workers,
      perOrigin: Number(values["per-origin"]),
      maxPages: Number(values["max-pages"]),
    });
    try {
      return yield* spider.crawl(positionals);
    } finally {
      client.close();
    }
  });
  loop.close();
  for (const { url, from, reason } of report.broken) {
    print(`Broken: ${url}, ${reason}${from === null ? "" : `, on ${from}`}`);
  }
  const { pages, bytes, external, slowest, cut } = report;
  print(`${pages} pages, ${Math.round(bytes / 1000)} kB in ${Math.round(loop.time() - began)} ms`);
  if (slowest !== null) print(`Slowest: ${slowest.url}, ${Math.round(slowest.ms)} ms`);
  print(`${external} links lead to other sites`);
  if (cut) print("There are more pages: see --max-pages");
  if (report.broken.length > 0) Deno.exitCode = 1;
}
