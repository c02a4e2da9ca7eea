// The WebSockets that servers of Node use.
import process from "node:process";
import { WebSocketServer } from "ws";

const news = "n".repeat(100);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  // Short messages too, as the others do.
  perMessageDeflate: process.argv[3] === "deflate" && { threshold: 0 },
});
server.on("listening", () => process.stdout.write("listening\n"));
server.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (message !== "broadcast") socket.send(message);
    else for (const receiver of server.clients) receiver.send(news);
  });
});
