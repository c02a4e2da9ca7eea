// The peer that counts: the server of the runtime, with what its users would write by hand.
import { CHUNK, CHUNKS, GREETING, page, routed, sum } from "./_answers.mjs";
import { FOLDER, servePeer, streamOf } from "./_deno_peer.ts";

const ROUTE_REGEXP = /^\/route(\d+)\/([^/]+)\/items\/([^/]+)$/;
const html = { "content-type": "text/html; charset=UTF-8" };

async function serveFile(name: string): Promise<Response> {
  const file = await Deno.open(`${FOLDER}/${name}`);
  const { size } = await file.stat();
  return new Response(file.readable, { headers: { "content-length": String(size) } });
}

servePeer((request) => {
  const { url, method } = request;
  const path = url.slice(url.indexOf("/", 8));
  if (path === "/" || path.startsWith("/?")) return new Response(GREETING, { headers: html });
  if (path === "/json") {
    if (method === "GET") return Response.json({ message: GREETING });
    return request.json().then((body) => Response.json(sum(body)));
  }
  if (path === "/upload") {
    return request.arrayBuffer().then(({ byteLength }) => new Response(String(byteLength)));
  }
  if (path === "/page") return new Response(page(), { headers: html });
  if (path === "/stream") return new Response(streamOf(CHUNK, CHUNKS));
  if (path.startsWith("/file/")) return serveFile(path.slice("/file/".length));
  const [, route, order, item] = ROUTE_REGEXP.exec(path) ?? [];
  if (route !== undefined) return new Response(routed(route, order, item));
  return new Response("Not Found", { status: 404 });
});
