import { assertEquals } from "@std/assert";
import { HTTPHeaders, type HTTPServerOptions } from "../../http/mod.ts";
import { RawClient } from "./_raw_client.ts";
import { serve } from "./_serve.ts";

/** Returns what requests with these fields say of their client, one after the other. */
async function seen(fields: readonly string[], options: HTTPServerOptions): Promise<string[]> {
  const found: string[] = [];
  await serve((request) => {
    found.push(`${request.remoteIp} ${request.protocol}`);
    request.connection.writeHeaders({ code: 204 }, new HTTPHeaders());
    request.connection.finish();
  }, async (port) => {
    using client = await RawClient.connect(port);
    for (const field of fields) {
      await client.send(`GET / HTTP/1.1\r\nHost: x\r\n${field === "" ? "" : `${field}\r\n`}\r\n`);
      await client.answer();
    }
  }, options);
  return found;
}

const CASES: readonly [field: string, expected: string][] = [
  ["X-Real-IP: 4.4.4.4", "4.4.4.4 http"],
  ["X-Real-IP: 2620:0:1cfe:face:b00c::3", "2620:0:1cfe:face:b00c::3 http"],
  ["X-Forwarded-For: 127.0.0.1, 4.4.4.4", "4.4.4.4 http"],
  ["X-Forwarded-For: ::1, 2620:0:1cfe:face:b00c::3", "2620:0:1cfe:face:b00c::3 http"],
  ["X-Forwarded-For: 4.4.4.4, 10.0.0.1, 10.0.0.2", "4.4.4.4 http"],
  ["X-Forwarded-For: 10.0.0.1", "127.0.0.1 http"],
  ["X-Real-IP: 4.4.4.4<script>", "127.0.0.1 http"],
  ["X-Forwarded-For: 4.4.4.4, 5.5.5.5<script>", "127.0.0.1 http"],
  ["X-Real-IP: www.google.com", "127.0.0.1 http"],
  ["X-Real-IP: 4.4.4.4:80", "127.0.0.1 http"],
  ["X-Scheme: https", "127.0.0.1 https"],
  ["X-Forwarded-Proto: https", "127.0.0.1 https"],
  ["X-Forwarded-Proto: https , http", "127.0.0.1 http"],
  ["X-Forwarded-Proto: http,https", "127.0.0.1 https"],
  ["X-Forwarded-Proto: unknown", "127.0.0.1 http"],
  ["", "127.0.0.1 http"], // what a request said is not kept for the next
];

Deno.test("xheaders takes address and scheme from the fields of a proxy, for one request each", async () => {
  const options = { xheaders: true, trustedDownstream: ["10.0.0.1", "10.0.0.2"] };
  assertEquals(await seen(CASES.map(([field]) => field), options), CASES.map(([, is]) => is));
});

Deno.test("without xheaders the fields of a proxy count for nothing", async () => {
  const fields = CASES.map(([field]) => field);
  assertEquals(await seen(fields, {}), fields.map(() => "127.0.0.1 http"));
});
