import { RequestHandler } from "@waterspout/waterspout/web";

/** Shows the smallest handler: a plain `get` and a group of its route. */
export class HelloHandler extends RequestHandler {
  override get(name = "world"): void {
    this.setHeader("Content-Type", "text/plain; charset=UTF-8");
    this.write(`Hello, ${name}`);
  }
}
