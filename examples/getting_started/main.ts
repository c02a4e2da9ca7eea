/**
 * The smallest whole application: a page, a form, and an address with a name and a number in it.
 *
 * It teaches the three ways something comes in: a name from the path (`pathParams`, typed by the
 * pattern), a number from the query, which is checked and answered with 400 if it is none, and a
 * field of a form. The page comes from a template, which escapes what it shows.
 *
 * Run it with `deno run -P=serve examples/getting_started/main.ts` and open
 * http://127.0.0.1:8888/.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Application, RequestHandler, url } from "@waterspout/waterspout/web";
import { runServer } from "@waterspout/waterspout/process";
import { print, readPlace } from "../serve_tcp.ts";

const MAX_TIMES = 100;

class HomeHandler extends RequestHandler {
  override get(): void {
    this.render("page.html", { greetings: [] });
  }

  override post(): void {
    const name = this.getBodyArgument("name"); // 400 if there is none
    this.redirect(this.reverseUrl("greet", name), { status: 303 });
  }
}

class GreetHandler extends RequestHandler<"/greet/:name"> {
  override get(): void {
    const times = this.getArgument("times", { type: "int", default: 1 });
    const greeting = `Hello, ${this.pathParams.name}!`;
    const count = Math.max(0, Math.min(times, MAX_TIMES));
    this.render("page.html", { greetings: Array<string>(count).fill(greeting) });
  }
}

/** Makes the application. */
export function makeGettingStarted(): Application {
  return new Application([
    ["/", HomeHandler],
    url("/greet/:name", GreetHandler, {}, "greet"),
  ], {
    templatePath: fileURLToPath(new URL("./", import.meta.url)),
    xsrfCookies: true, // a form of another site is refused
    xsrfCookieKwargs: { httpOnly: true, sameSite: "Lax" },
  });
}

if (import.meta.main) {
  await runServer(makeGettingStarted(), {
    ...readPlace(8888),
    onListen(server) {
      const { hostname, port } = server.addresses[0] as Deno.NetAddr;
      print(`Open http://${hostname}:${port}/ (Ctrl-C ends it)`);
    },
  });
}
