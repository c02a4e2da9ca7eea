// HTTPServer over TLS, asked by a client of another make.
import { assertEquals } from "@std/assert";
import { IOLoop } from "../../ioloop/mod.ts";
import { HTTPHeaders, HTTPServer, type HTTPServerOptions } from "../../http/mod.ts";
import { authority, localhost } from "../iostream/_certificates.ts";

for (
  const [engine, options, listen] of [
    ["Deno", {}, (server) => {
      const address = { hostname: "127.0.0.1", port: 0 };
      server.addListener(Deno.listenTls({ ...address, ...localhost, alpnProtocols: ["http/1.1"] }));
    }],
    ["node:tls", { sslOptions: { ...localhost, alpnProtocols: ["http/1.1"] } }, (server) => {
      server.listen(0, "127.0.0.1");
    }],
  ] as [string, HTTPServerOptions, (server: HTTPServer) => void][]
) {
  Deno.test(`HTTPServer with sslOptions answers over TLS, several requests on a connection (${engine})`, () =>
    new IOLoop().run(async () => {
      const paths: string[] = [];
      const server = new HTTPServer((request) => {
        paths.push(request.path);
        const body = "x".repeat(100_000);
        const headers = new HTTPHeaders({ "Content-Length": String(body.length) });
        request.connection.writeHeaders({ code: 200, reason: "OK" }, headers);
        request.connection.write(body);
        request.connection.finish();
      }, options);
      listen(server);
      const { port } = server.addresses[0] as Deno.NetAddr;
      const client = Deno.createHttpClient({ caCerts: [authority.cert], poolMaxIdlePerHost: 1 });
      for (const path of ["/one", "/two", "/three"]) {
        const response = await fetch(`https://localhost:${port}${path}`, { client });
        assertEquals(response.status, 200);
        assertEquals((await response.text()).length, 100_000);
      }
      assertEquals(paths, ["/one", "/two", "/three"]);
      assertEquals(server.connectionCount, 1);
      client.close();
      assertEquals(await server.shutdown(), { cut: 0 });
    }, { timeout: 10_000 }));
}
