/**
 * What the examples share: `--port` and `--address` from the command line, a line that says where
 * they are, and for those on TCP an orderly end on Ctrl-C.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { HTTPServer } from "@waterspout/waterspout/http";
import { IOLoop } from "@waterspout/waterspout/ioloop";
import type { TCPServer } from "@waterspout/waterspout/iostream";
import { enablePrettyLogging } from "@waterspout/waterspout/process";

/** Is where a program listens, or connects to. */
export interface Place {
  readonly port: number;
  readonly address: string;
}

/** Reads `--port` and `--address`; `rest` holds the words that are no option. */
export function readPlace(port: number): Place & { readonly rest: readonly string[] } {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      port: { type: "string", default: String(port) },
      address: { type: "string", default: "127.0.0.1" },
    },
  });
  return { port: Number(values.port), address: values.address, rest: positionals };
}

/** Serves until Ctrl-C; then whoever is connected has a second to end. */
export async function serveTcp(server: TCPServer, { port, address }: Place): Promise<void> {
  enablePrettyLogging();
  const loop = IOLoop.current();
  server.listen(port, address);
  for (const { hostname, port } of server.addresses as Deno.NetAddr[]) {
    print(`Listening on ${hostname} port ${port} (Ctrl-C ends it)`);
  }
  loop.addSignalHandler("SIGINT", () => {
    loop.addFuture(server.drain({ timeout: 1000 }), (drained) => {
      print(`Closed, ${drained.result().cut} connections were cut`);
      loop.stop();
    });
  });
  await loop.start();
  loop.close();
}

/** Gives what says, once a server listens, where it is. */
export function announce(what: string, path = "/"): (server: HTTPServer) => void {
  return ({ addresses }) => {
    const { hostname, port } = addresses[0] as Deno.NetAddr;
    print(`${what} is on http://${hostname}:${port}${path} (Ctrl-C ends it)`);
  };
}

/** Prints a line. */
export function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
