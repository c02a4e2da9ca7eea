// The peer that counts: the WebSockets of the runtime.
const news = "n".repeat(100);
const sockets = new Set<WebSocket>();

Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen: () => {
    Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
  },
}, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  socket.onmessage = ({ data }) => {
    if (data !== "broadcast") socket.send(data);
    else for (const receiver of sockets) receiver.send(news);
  };
  return response;
});
