// @ts-ignore: installed for the benches only
import serveStatic from "@fastify/static";
// @ts-ignore: the same
import Fastify from "fastify";
import { Readable } from "node:stream";
import { CHUNK, CHUNKS, GREETING, page, routed, ROUTES, sum } from "./_answers.mjs";
import { FOLDER, listenPeer, makeServer } from "./_node_peer.mjs";

const app = Fastify({ serverFactory: makeServer });
app.get("/", (_request, reply) => reply.type("text/html; charset=UTF-8").send(GREETING));
app.get("/json", () => ({ message: GREETING }));
app.post("/json", ({ body }) => sum(body));
app.get("/page", (_request, reply) => reply.type("text/html; charset=UTF-8").send(page()));
app.get("/stream", (_request, reply) => {
  reply.type("text/plain").send(Readable.from(Array(CHUNKS).fill(CHUNK)));
});
app.register(serveStatic, { root: FOLDER, prefix: "/file/" });
for (let route = 0; route < ROUTES; route++) {
  app.get(`/route${route}/:order/items/:item`, ({ params }, reply) => {
    reply.send(routed(route, params.order, params.item));
  });
}
listenPeer((options, listening) => app.listen(options, listening));
