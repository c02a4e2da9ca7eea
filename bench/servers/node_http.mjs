// Node's own server, run by Node, hence without types.
import { createServer } from "node:http";
import process from "node:process";

const server = createServer((_request, response) => {
  response.writeHead(200, {
    "Server": "node",
    "Content-Type": "text/html; charset=UTF-8",
    "Content-Length": 12,
  });
  response.end("Hello, world");
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => {
  process.stdout.write("listening\n");
});
