import { IOStream, type IOStreamOptions, SSLIOStream } from "../../iostream/mod.ts";
import { memoryPair } from "../../testing/mod.ts";
import { localhost } from "./_certificates.ts";
import { streamSuite } from "./_stream_suite.ts";
import { ENGINES, tlsPair } from "./_tls_pair.ts";

// Who checks no certificate need not read all the authorities of the runtime, which takes
// node:tls some 20 ms for each of the many connections here.
const UNCHECKED = { rejectUnauthorized: false, caCerts: [] };

for (const [name, engines] of ENGINES) {
  const client = engines.client === "Deno" ? {} : UNCHECKED;
  streamSuite(`TLS, ${name}`, (streams) => tlsPair(engines, { streams, client }));
}

streamSuite("TLS in memory, byte by byte in its reads and writes", (options) => {
  const [one, other] = memoryPair();
  for (const end of [one, other]) end.maxRead = end.maxWrite = 997;
  return [
    new SSLIOStream(one, { ...options, sslOptions: UNCHECKED }),
    new SSLIOStream(other, { ...options, sslOptions: localhost, serverSide: true }),
  ];
});

streamSuite("TLS after plain text", async (options: IOStreamOptions) => {
  const [one, other] = await IOStream.pair(options);
  const [client, server] = await Promise.all([
    one.startTls(false, UNCHECKED),
    other.startTls(true, localhost),
  ]);
  return [client, server];
});
