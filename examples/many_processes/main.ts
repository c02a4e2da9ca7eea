/**
 * A server in several processes on one port, each of which says who it is.
 *
 * It needs Linux; run it with
 *
 *     deno run --unstable-net --allow-net --allow-run=deno --allow-env \
 *       examples/many_processes/main.ts --processes 4
 *
 * Then ask it several times (`curl http://127.0.0.1:8888/`), kill one of the processes, and see
 * it come back under its number; Ctrl-C ends them all.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Application, RequestHandler } from "@waterspout/waterspout/web";
import { enablePrettyLogging, serve, taskId } from "@waterspout/waterspout/process";

class WhoHandler extends RequestHandler {
  override get(): void {
    this.setHeader("Connection", "close"); // the next request may meet another process
    this.write(`process ${taskId()}, pid ${Deno.pid}\n`);
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) {
  const { values: { port, processes } } = parseArgs({
    args: Deno.args,
    options: {
      port: { type: "string", default: "8888" },
      processes: { type: "string", default: "0" }, // one for each processor
    },
  });
  enablePrettyLogging();
  const { cut } = await serve(new Application([["/", WhoHandler]]), {
    port: Number(port),
    numProcesses: Number(processes),
    onListen(server) {
      const { port } = server.addresses[0] as Deno.NetAddr;
      print(`Process ${taskId()} listens on port ${port}`);
    },
  });
  print(`Process ${taskId()} has ended, ${cut} connections were cut`);
}
