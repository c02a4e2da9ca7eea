// A greeting, and an upload that is taken whole and counted.
import { runServer } from "@waterspout/waterspout/process";
import { Application, RequestHandler } from "@waterspout/waterspout/web";

class Main extends RequestHandler {
  override get(): void {
    this.write("Hello, world");
  }

  override post(): void {
    this.write(String(this.request.body.length));
  }
}

await runServer(new Application([["/", Main]]), {
  port: Number(Deno.args[0]),
  onListen: () => {
    Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
  },
});
