// Shares a port: two listeners of this process serve it, others may too. Prints the port,
// answers each connection with the number of the process, and ends with its input.
import { IOLoop } from "../../ioloop/mod.ts";
import { bindSockets, type IOStream, TCPServer } from "../../iostream/mod.ts";

class Server extends TCPServer {
  override handleStream(stream: IOStream): void {
    stream.write(String(Deno.pid));
    stream.close();
  }
}

const loop = new IOLoop();
const server = new Server();
server.listen(Number(Deno.args[0]), "127.0.0.1", { reusePort: true });
const { port } = server.addresses[0] as Deno.NetAddr;
server.addListeners(bindSockets(port, "127.0.0.1", { reusePort: true }));
Deno.stdout.writeSync(new TextEncoder().encode(`${port}\n`));
Deno.stdin.read(new Uint8Array(1)).then(() => {
  server.stop();
  loop.stop();
});
await loop.start();
