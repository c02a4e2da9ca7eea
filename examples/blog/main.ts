/**
 * A blog with one author: who signs up first writes, the others read.
 *
 * It teaches how the parts of a web application go together: templates with a UI module, forms
 * that other sites cannot send (XSRF), sign-in by a signed cookie, pages in two languages. The
 * database is SQLite, whose calls block, and a password takes long to check on purpose: both run
 * in workers (`database.ts`, `passwords.ts`), and the handlers are generators that wait for them.
 *
 * Run it with
 *
 *     deno run --allow-net --allow-env --allow-read --allow-write=blog.db,blog.db-journal \
 *       examples/blog/main.ts
 *
 * and open http://127.0.0.1:8888/. `--database` names another file. Set BLOG_COOKIE_SECRET to a
 * long random text, or everybody is signed out when the program ends.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Application, loadTranslations } from "@waterspout/waterspout/web";
import { enablePrettyLogging, runServer } from "@waterspout/waterspout/process";
import { print } from "../serve_tcp.ts";
import { EntryModule, ROUTES } from "./handlers.ts";
import { Store } from "./store.ts";

/** Makes the application; `store` is closed by whoever made it. */
export function makeBlog(store: Store, cookieSecret: string): Application {
  const folder = (name: string) => decodeURIComponent(new URL(name, import.meta.url).pathname);
  return new Application(ROUTES, {
    store,
    cookieSecret,
    loginUrl: "/sign-in",
    xsrfCookies: true,
    xsrfCookieKwargs: { httpOnly: true, sameSite: "Lax" },
    templatePath: folder("./templates"),
    staticPath: folder("./static"),
    uiModules: { Entry: EntryModule },
  });
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      address: { type: "string", default: "127.0.0.1" },
      database: { type: "string", default: "blog.db" },
    },
  });
  enablePrettyLogging();
  await loadTranslations(decodeURIComponent(new URL("./translations", import.meta.url).pathname));
  const store = new Store(values.database);
  const secret = Deno.env.get("BLOG_COOKIE_SECRET") ?? crypto.randomUUID() + crypto.randomUUID();
  try {
    await runServer(makeBlog(store, secret), {
      port: Number(values.port),
      address: values.address,
      onListen(server) {
        const { hostname, port } = server.addresses[0] as Deno.NetAddr;
        print(`The blog is open on http://${hostname}:${port}/ (Ctrl-C closes it)`);
      },
    });
  } finally {
    store.close();
  }
  print("The blog is closed");
}
