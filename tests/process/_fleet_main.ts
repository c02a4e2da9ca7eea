// A server in several processes, as a user would write it. The first argument says how they are
// started, the second how many, the third with which port. Each prints a line when it listens:
// its number, its process and the port. They answer
//
//   GET /            with the number and the process
//   GET /slow?ms=N   with the number, after N ms
//   GET /exit?code=N not at all: the process ends
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { HTTPServer } from "../../http/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { bindSockets } from "../../iostream/mod.ts";
import {
  enablePrettyLogging,
  forkProcesses,
  onShutdown,
  runServer,
  serve,
  taskId,
} from "../../process/mod.ts";
import { AsyncHTTPSTestCase } from "../../testing/mod.ts";
import { Application, RequestHandler } from "../../web/mod.ts";

class Hello extends RequestHandler {
  override get(): void {
    this.setHeader("Connection", "close");
    this.write(`${taskId()} ${Deno.pid}`);
  }
}

class Slow extends RequestHandler {
  override *get(): CoroutineGenerator {
    yield* sleep(Number(this.getArgument("ms")));
    this.write(`${taskId()}`);
  }
}

class Exit extends RequestHandler {
  override get(): void {
    Deno.exit(Number(this.getArgument("code")));
  }
}

const app = new Application([["/", Hello], ["/slow", Slow], ["/exit", Exit]]);
const address = "127.0.0.1";
const [how, number, portArgument, maxRestarts = "100"] = Deno.args;
const port = Number(portArgument);
const count = Number(number);
const options = { maxRestarts: Number(maxRestarts) };

/** Serves until a signal, by hand. */
async function run(server: HTTPServer): Promise<void> {
  const loop = IOLoop.current();
  const takeBack = onShutdown(() => {
    loop.addCallback(() => loop.addFuture(server.shutdown(), () => loop.stop()));
  });
  loop.addCallback(() => tell(server));
  await loop.start();
  takeBack();
}

function tell(server: HTTPServer): void {
  const ports = (server.addresses as Deno.NetAddr[]).map(({ port }) => port);
  print(`listening ${taskId()} ${Deno.pid} ${ports}`);
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

enablePrettyLogging({ color: false });
switch (how) {
  case "fork": {
    print(`joined ${await forkProcesses(count, options)}`);
    await runServer(app, { port, address, reusePort: true, onListen: tell });
    break;
  }
  case "fork and add": {
    await forkProcesses(count, options);
    const server = new HTTPServer(app);
    server.addListeners(bindSockets(port, address, { reusePort: true }));
    await run(server);
    break;
  }
  case "start": { // as in programs that were written for a real fork: nothing is awaited
    const server = new HTTPServer(app);
    server.bind(port, address);
    server.bind(0, "localhost");
    server.start(count, options);
    await run(server);
    break;
  }
  case "serve":
  case "serve with TLS": {
    const { cut } = await serve(app, {
      port,
      address,
      numProcesses: count,
      ...options,
      ...(how === "serve" ? {} : { sslOptions: AsyncHTTPSTestCase.defaultSslOptions() }),
      onListen: tell,
    });
    print(`cut ${cut}`);
    break;
  }
}
print(`over ${taskId()}`);
