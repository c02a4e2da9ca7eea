// @ts-ignore: installed for the benches only
import express from "express";
import { CHUNK, CHUNKS, GREETING, page, routed, ROUTES, sum } from "./_answers.mjs";
import { FOLDER, listenPeer, makeServer, writeStream } from "./_node_peer.mjs";

const app = express();
app.get("/", (_request, response) => response.type("html").send(GREETING));
app.get("/json", (_request, response) => response.json({ message: GREETING }));
app.post("/json", express.json(), ({ body }, response) => response.json(sum(body)));
app.get("/page", (_request, response) => response.type("html").send(page()));
app.get("/stream", (_request, response) => writeStream(response, CHUNK, CHUNKS));
app.use("/file", express.static(FOLDER));
for (let route = 0; route < ROUTES; route++) {
  app.get(`/route${route}/:order/items/:item`, ({ params }, response) => {
    response.type("text").send(routed(route, params.order, params.item));
  });
}
const server = makeServer(app);
listenPeer((options, listening) => server.listen(options, listening));
