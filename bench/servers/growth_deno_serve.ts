// The server of the runtime: a greeting, and an upload that is taken whole and counted.
const headers = { "content-type": "text/html; charset=UTF-8", "server": "deno" };

Deno.serve({
  hostname: "127.0.0.1",
  port: Number(Deno.args[0]),
  onListen: () => {
    Deno.stdout.writeSync(new TextEncoder().encode("listening\n"));
  },
}, async (request) => {
  if (request.method !== "POST") return new Response("Hello, world", { headers });
  const { byteLength } = await request.arrayBuffer();
  return new Response(String(byteLength), { headers });
});
