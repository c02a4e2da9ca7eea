// A client that fetches a small file many times, through 64 pooled connections, and prints, as
// JSON, what one request took: processor time of all threads of this process, and requests in a
// second. Takes the name of the client, the URL and the number of requests.
import { cpuUsage } from "node:process";
import { SimpleAsyncHTTPClient } from "../http/mod.ts";
import { IOLoop } from "../ioloop/mod.ts";
import type { Sample } from "./_rounds.ts";

const CONNECTIONS = 64;
const BODY = "Hello, world";

/** Fetches the URL once and returns the size of the body. */
type FetchSize = (url: string) => PromiseLike<number>;

interface Client {
  readonly name: string;
  /** Makes the client, gives it to `use`, and closes it. */
  readonly run: (use: (fetchSize: FetchSize) => Promise<void>) => Promise<void>;
}

const CLIENTS: readonly Client[] = [
  {
    name: "Deno fetch",
    run: async (use) => {
      const client = Deno.createHttpClient({ poolMaxIdlePerHost: CONNECTIONS });
      await use(async (url) => (await (await fetch(url, { client })).arrayBuffer()).byteLength);
      client.close();
    },
  },
  {
    name: "undici",
    run: async (use) => {
      const { Agent, request } = await import("npm:undici@^7");
      const dispatcher = new Agent({ connections: CONNECTIONS });
      await use(async (url) => {
        const { body } = await request(url, { dispatcher });
        return (await body.arrayBuffer()).byteLength;
      });
      await dispatcher.close();
    },
  },
  {
    name: "Waterspout",
    run: (use) =>
      new IOLoop().run(async () => {
        const client = new SimpleAsyncHTTPClient({ maxClients: CONNECTIONS });
        await use((url) => client.fetch(url).then(({ body }) => body.length));
        client.close();
      }),
  },
];

async function measure(name: string, url: string, requests: number): Promise<Sample> {
  const client = CLIENTS.find((each) => each.name === name);
  if (client === undefined) throw new Error(`Cannot measure ${name}: there is no such client`);
  let sample: Sample | null = null;
  await client.run(async (fetchSize) => {
    await fetchMany(fetchSize, url, requests); // the compiler sees the code
    const began = performance.now();
    const before = cpuUsage();
    await fetchMany(fetchSize, url, requests);
    const { user, system } = cpuUsage(before);
    const seconds = (performance.now() - began) / 1000;
    sample = { cost: (user + system) / requests, rate: requests / seconds };
  });
  return sample!;
}

async function fetchMany(fetchSize: FetchSize, url: string, requests: number): Promise<void> {
  let left = requests;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (left-- > 0) {
      if (await fetchSize(url) !== BODY.length) throw new Error("the answer was another one");
    }
  }));
}

const [name, url, requests] = Deno.args;
const sample = await measure(name!, url!, Number(requests));
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(sample)));
