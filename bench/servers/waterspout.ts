import { Application, RequestHandler } from "@waterspout/waterspout/web";
import { runServer } from "@waterspout/waterspout/process";

class Hello extends RequestHandler {
  override get(): void {
    this.write("Hello, world");
  }
}

await runServer(new Application([["/", Hello]]), {
  port: Number(Deno.args[0]),
  onListen: () => Deno.stdout.writeSync(new TextEncoder().encode("listening\n")),
});
