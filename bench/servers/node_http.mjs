// Node's own server, with what its users would write by hand.
import { Buffer } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { CHUNK, CHUNKS, GREETING, page, routed, sum } from "./_answers.mjs";
import { FOLDER, listenPeer, makeServer, writeStream } from "./_node_peer.mjs";

const ROUTE_REGEXP = /^\/route(\d+)\/([^/]+)\/items\/([^/]+)$/;

function send(response, type, text) {
  response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
  response.end(text);
}

function sendJson(response, value) {
  send(response, "application/json", JSON.stringify(value));
}

async function sendFile(response, name) {
  const path = `${FOLDER}/${name}`;
  const { size } = await stat(path);
  response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": size });
  createReadStream(path).pipe(response);
}

function takeJson(request, response) {
  let text = "";
  request.setEncoding("utf8");
  request.on("data", (chunk) => text += chunk);
  request.on("end", () => sendJson(response, sum(JSON.parse(text))));
}

const server = makeServer((request, response) => {
  const { url, method } = request;
  if (url === "/") send(response, "text/html; charset=UTF-8", GREETING);
  else if (url === "/json") {
    if (method === "GET") sendJson(response, { message: GREETING });
    else takeJson(request, response);
  } else if (url === "/page") send(response, "text/html; charset=UTF-8", page());
  else if (url === "/stream") writeStream(response, CHUNK, CHUNKS);
  else if (url.startsWith("/file/")) sendFile(response, url.slice("/file/".length));
  else {
    const [, route, order, item] = ROUTE_REGEXP.exec(url) ?? [];
    if (route === undefined) response.writeHead(404).end();
    else send(response, "text/plain", routed(route, order, item));
  }
});
listenPeer((options, listening) => server.listen(options, listening));
