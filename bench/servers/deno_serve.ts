// The peer that counts: the server of the runtime, with the body and the content
// type of the others.

const port = Number(Deno.args[0]);
const headers = {
  "content-type": "text/html; charset=UTF-8",
  "server": "deno",
};

Deno.serve({
  hostname: "127.0.0.1",
  port,
  onListen: () => {
    Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
  },
}, () => new Response("Hello, world", { headers }));
