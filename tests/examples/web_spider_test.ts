import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeGallery } from "../../examples/gallery/main.ts";
import { linksIn } from "../../examples/web_spider/links.ts";
import { type Report, Spider, type SpiderOptions } from "../../examples/web_spider/spider.ts";
import { coroutine, type CoroutineGenerator } from "../../gen/mod.ts";
import { SimpleAsyncHTTPClient } from "../../http/mod.ts";
import { type Future, IOLoop } from "../../ioloop/mod.ts";
import { Application, RequestHandler, type Route, StaticFileHandler } from "../../web/mod.ts";
import { bindUnusedPort } from "../../testing/mod.ts";
import { until } from "../http/_raw_client.ts";

const PAGES = 1000;

interface Site {
  readonly origin: string;
  /** Crawls from paths of the site, or URLs, on. */
  crawl(starts: readonly string[], options?: SpiderOptions): Future<Report>;
}

function withSite(
  app: Application,
  body: (site: Site) => CoroutineGenerator | Promise<void>,
): Promise<void> {
  return new IOLoop().run(async () => {
    const server = app.listen(0, "127.0.0.1");
    const origin = `http://127.0.0.1:${(server.addresses[0] as Deno.NetAddr).port}`;
    const client = new SimpleAsyncHTTPClient({ maxClients: 100 });
    const crawl = coroutine((starts: readonly string[], options?: SpiderOptions) =>
      new Spider(client, options).crawl(starts.map((start) => new URL(start, origin).href))
    );
    await body({ origin, crawl });
    client.close();
    await server.shutdown();
  }, { timeout: 20_000 });
}

/** Routes of pages with these bodies. */
function pages(bodies: Readonly<Record<string, string>>): Route[] {
  return Object.entries(bodies).map(([path, text]) => {
    class Page extends RequestHandler {
      override get(): void {
        this.write(text);
      }
    }
    return [path, Page];
  });
}

Deno.test("linksIn() finds what a page leads to", () => {
  const html = `
    <a href="b">b</a> <A class=x HREF='/c?x=1&amp;y=2#part'>c</A><a href=d.html>d</a>
    <a
      id="e" href="../e#top">e</a> <area href="//other.example/f"> <a href="b#again">again</a>
    <!-- <a href="commented">no</a> --> <a name="anchor">no</a> <a data-href="no">no</a>
    <a href="mailto:ada@example.org">no</a> <a href="javascript:void 0">no</a>
    <a href="http://[bad/">no</a> <link href="style.css"> <a href="">self</a>`;
  assertEquals(linksIn(html, "http://example.org/dir/a"), [
    "http://example.org/dir/b",
    "http://example.org/c?x=1&y=2",
    "http://example.org/dir/d.html",
    "http://example.org/e",
    "http://other.example/f",
    "http://example.org/dir/a",
  ]);
});

Deno.test("Spider.crawl() goes through a thousand pages once each", async () => {
  const path = await Deno.makeTempDir();
  let bytes = 0;
  for (let page = 1; page <= PAGES; page++) {
    const next = [2 * page, 2 * page + 1, page - 1, 1].filter((to) => to >= 1 && to <= PAGES);
    const text = `<title>${page}</title>` +
      next.map((to) => `<a href="${to}.html#top">${to}</a>`).join("\n");
    await Deno.writeTextFile(`${path}/${page}.html`, text);
    bytes += text.length;
  }
  const asked: string[] = [];
  const app = new Application([["/(.*)", StaticFileHandler, { path }]], {
    logFunction: ({ request }) => void asked.push(request.path),
  });
  await withSite(app, async ({ crawl }) => {
    const report = await crawl(["/1.html"]);
    assertEquals([report.pages, report.bytes, report.broken], [PAGES, bytes, []]);
    assertEquals([asked.length, new Set(asked).size], [PAGES, PAGES]);
    assert(report.slowest!.ms > 0);

    const part = await crawl(["/1.html"], { maxPages: 100 });
    assertEquals([part.pages, part.cut, report.cut], [100, true, false]);
  });
  await Deno.remove(path, { recursive: true });
});

Deno.test("Spider.crawl() keeps to its bounds, of workers and of an origin", async () => {
  let now = 0;
  let most = 0;
  let open = Promise.withResolvers<void>();
  const links = Array.from({ length: 30 }, (_, at) => `<a href="/page/${at}">${at}</a>`).join("");
  class Page extends RequestHandler {
    override async get(): Promise<void> {
      most = Math.max(most, ++now);
      await open.promise;
      now--;
      this.write("page");
    }
  }
  const app = new Application([...pages({ "/": links }), ["/page/.*", Page]]);
  await withSite(app, async ({ crawl }) => {
    for (
      const [workers, perOrigin, bound] of [[4, 9, 4], [9, 3, 3], [1, 1, 1], [50, 50, 30]] as const
    ) {
      [most, open] = [0, Promise.withResolvers()];
      const crawling = crawl(["/"], { workers, perOrigin });
      await until(() => now === bound);
      open.resolve();
      assertEquals((await crawling).pages, 31);
      assertEquals(most, bound);
    }
  });
});

Deno.test("Spider.crawl() tells broken links, follows redirects, and stays on its sites", async () => {
  const { listener, port } = bindUnusedPort();
  listener.close();
  const nobody = `http://127.0.0.1:${port}/`;
  class Moved extends RequestHandler {
    override get(): void {
      this.redirect("/target");
    }
  }
  class Breaks extends RequestHandler {
    override get(): void {
      this.detach().close();
    }
  }
  const app = new Application([
    ...pages({
      "/": '<a href="/moved">1</a><a href="/none">2</a><a href="/breaks">3</a>' +
        '<a href="http://other.example/">4</a>',
      "/target": '<a href="http://other.example/">5</a><a href="/none">6</a>',
    }),
    ["/moved", Moved],
    ["/breaks", Breaks],
  ]);
  await withSite(app, async ({ origin, crawl }) => {
    const { pages, broken, external } = await crawl(["/", nobody]);
    assertEquals([pages, external], [2, 1]);
    const found = broken.map(({ url, from, reason }) => [url.replace(origin, ""), from, reason])
      .sort();
    assertEquals(found.map(([url, from]) => [url, from]), [
      ["/breaks", `${origin}/`],
      ["/none", `${origin}/`],
      [nobody, null],
    ]);
    assertMatch(found[0]![2]!, /closed|HTTP 599/);
    assertEquals(found[1]![2], "404 Not Found");
    assertMatch(found[2]![2]!, /refused/i);
  });
});

Deno.test("Spider.crawl() gives up a page that takes too long, and all when it is cancelled", async () => {
  let left = 0;
  class Never extends RequestHandler {
    override async get(): Promise<void> {
      await new Promise<void>((resolve) => this.#gone = resolve);
    }
    #gone = () => {};
    override onConnectionClose(): void {
      left++;
      this.#gone();
    }
  }
  const app = new Application([...pages({ "/": '<a href="never">never</a>' }), ["/never", Never]]);
  await withSite(app, async ({ crawl }) => {
    const { pages, broken } = await crawl(["/"], { timeout: 50 });
    assertEquals([pages, broken.length], [1, 1]);
    assertMatch(broken[0]!.reason, /Timeout/);
    await until(() => left === 1);

    const crawling = crawl(["/never"]);
    crawling.cancel("enough");
    await crawling.catch(() => {});
    assert(crawling.cancelled());
  });
});

async function runSpider(args: readonly string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-P=serve", "examples/web_spider/main.ts", ...args],
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const warning = /^.*Permissions in the config file.*\n/gm;
  assertEquals(decode(stderr).replace(warning, ""), "");
  return { code, text: decode(stdout) };
}

Deno.test("the spider goes through the gallery, and reports", () =>
  withSite(makeGallery(), async ({ origin }) => {
    const { code, text } = await runSpider([`${origin}/`]);
    assertEquals(code, 0, text);
    assertMatch(text, /^\d+ pages, \d+ kB in \d+ ms\nSlowest: http.*, \d+ ms\n\d+ links lead/);
    assert(Number(/^\d+/.exec(text)![0]) >= 4, text);
    const broken = await runSpider([`${origin}/none`]);
    assertEquals(broken.code, 1);
    assertMatch(broken.text, /^Broken: http.*\/none, 404 Not Found\n0 pages/);
  }));
