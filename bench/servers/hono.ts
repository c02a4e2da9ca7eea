import { Hono } from "npm:hono@4.13.19";
import { serveStatic } from "npm:hono@4.13.19/deno";
// Under its own name the formatter would change what it says.
import { html as markup } from "npm:hono@4.13.19/html";
import { stream } from "npm:hono@4.13.19/streaming";
import { CHUNK, CHUNKS, GREETING, routed, ROUTES, ROWS, sum } from "./_answers.mjs";
import { FOLDER, servePeer } from "./_deno_peer.ts";

const app = new Hono();
app.get("/", (context) => context.html(GREETING));
app.get("/json", (context) => context.json({ message: GREETING }));
app.post("/json", async (context) => context.json(sum(await context.req.json())));
app.get("/page", (context) => {
  const rows = ROWS.map(({ id, name, note }) =>
    markup`<tr><td>${id}</td><td>${name}</td><td>${note}</td></tr>\n`
  );
  return context.html(markup`<title>Rows</title>\n<table>\n${rows}</table>\n`);
});
app.get("/stream", (context) =>
  stream(context, async (answer) => {
    for (let i = 0; i < CHUNKS; i++) await answer.write(CHUNK);
  }));
app.get("/file/*", serveStatic({ root: FOLDER, rewriteRequestPath: (path) => path.slice(5) }));
for (let route = 0; route < ROUTES; route++) {
  app.get(`/route${route}/:order/items/:item`, (context) => {
    const { order, item } = context.req.param();
    return context.text(routed(route, order, item));
  });
}

servePeer((request) => app.fetch(request));
