// The WebSockets that servers of Node use, without compression as the others.
import process from "node:process";
import { WebSocketServer } from "ws";

const news = "n".repeat(100);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  perMessageDeflate: false,
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
