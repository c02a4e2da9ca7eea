// What peers on Deno.serve share: the port, TLS, and a second process on the same port.
import { DENO } from "../_deno_command.ts";

const [port, mode = "plain", folder = "."] = Deno.args;

/** The folder of the static files. */
export const FOLDER: string = folder;

/** Serves as the command line says, with a line once it listens. */
export function servePeer(
  handler: (request: Request) => Response | Promise<Response>,
): void {
  if (mode === "group" && !Deno.env.has("BENCH_MEMBER")) {
    const [program, ...flags] = DENO;
    new Deno.Command(program!, {
      args: [...flags, Deno.mainModule, ...Deno.args],
      env: { BENCH_MEMBER: "1" },
      stdout: "null",
    }).spawn();
  }
  const tls = mode === "tls"
    ? {
      cert: Deno.readTextFileSync(`${folder}/cert.pem`),
      key: Deno.readTextFileSync(`${folder}/key.pem`),
    }
    : {};
  Deno.serve({
    hostname: "127.0.0.1",
    port: Number(port),
    reusePort: mode === "group",
    onListen: () => {
      Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
    },
    ...tls,
  }, handler);
}

/** An answer that comes in pieces. */
export function streamOf(chunk: string, count: number): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let left = count;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(encoder.encode(chunk));
      else controller.close();
    },
  });
}
