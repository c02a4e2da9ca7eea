// Our client beside its peers: 10,000 requests for a small file of nginx, through 64 pooled
// connections. Each round is a process of its own, pinned to one processor while nginx has the
// other; rounds alternate between the clients, so that what disturbs, disturbs all. What counts
// is the processor time of a request, all threads of the process included.
//
//   deno run -A bench/http_client_bench.ts --rounds 5 --requests 10000
import { parseArgs } from "node:util";
import { cpuUsage } from "node:process";
import { IOLoop } from "../ioloop/mod.ts";
import { SimpleAsyncHTTPClient } from "../http/mod.ts";
import { LOAD_CPU, pinned, SERVER_CPU } from "./_pinning.ts";
import { availableProgram } from "./_programs.ts";

const CONNECTIONS = 64;
const BODY = "Hello, world";
const BASELINE = "Deno fetch";

/** Fetches the URL once and returns the size of the body. */
type FetchSize = (url: string) => PromiseLike<number>;

interface Client {
  readonly name: string;
  /** Makes the client, gives it to `use`, and closes it. */
  readonly run: (use: (fetchSize: FetchSize) => Promise<void>) => Promise<void>;
}

const CLIENTS: readonly Client[] = [
  {
    name: BASELINE,
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

/** What one round gave. */
interface Sample {
  /** Processor time, in microseconds for one request. */
  readonly cpu: number;
  /** Requests in a second. */
  readonly rate: number;
}

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
    sample = { cpu: (user + system) / requests, rate: requests / seconds };
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

/** Runs one round in a process of its own. */
async function sampleOf(name: string, url: string, requests: number): Promise<Sample> {
  const [program, ...args] = await pinned(LOAD_CPU, [
    Deno.execPath(),
    ...["run", "-A", import.meta.filename!, "--client", name, "--url", url],
    ...["--requests", String(requests)],
  ]);
  const { success, stdout, stderr } = await new Deno.Command(program!, { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${name} failed: ${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout)) as Sample;
}

/** nginx with one small file, while it is not disposed of. */
class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: Deno.ChildProcess, folder: string) {
    this.url = `http://127.0.0.1:${port}/`;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(): Promise<Nginx> {
    const folder = await Deno.makeTempDir();
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr;
    listener.close();
    await Deno.writeTextFile(
      `${folder}/nginx.conf`,
      `daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
      events { worker_connections 1024; }
      http {
        access_log off; keepalive_requests 100000000;
        client_body_temp_path ${folder}; proxy_temp_path ${folder};
        fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
        server { listen 127.0.0.1:${port}; location / { return 200 "${BODY}"; } }
      }`,
    );
    const config = ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`];
    const [program, ...args] = await pinned(SERVER_CPU, ["nginx", ...config]);
    const child = new Deno.Command(program!, { args }).spawn();
    for (;;) {
      try {
        (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
        return new Nginx(port, child, folder);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20)); // it is not there yet
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

async function compare(rounds: number, requests: number): Promise<void> {
  const samples = new Map<string, Sample[]>(CLIENTS.map(({ name }) => [name, []]));
  await using nginx = await Nginx.start();
  for (let round = 0; round < rounds; round++) {
    for (const [name, its] of samples) its.push(await sampleOf(name, nginx.url, requests));
  }
  const cpuOf = (name: string) => median(samples.get(name)!.map(({ cpu }) => cpu));
  for (const [name, its] of samples) {
    const rate = median(its.map(({ rate }) => rate));
    const ratio = cpuOf(name) / cpuOf(BASELINE);
    // deno-lint-ignore no-console -- it is what the program is for
    console.log(
      `${name.padEnd(12)} ${cpuOf(name).toFixed(1).padStart(7)} us CPU/request ` +
        `${rate.toFixed(0).padStart(7)} requests/s  x ${ratio.toFixed(2)}`,
    );
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    requests: { type: "string", default: "10000" },
    client: { type: "string" },
    url: { type: "string" },
  },
});
const requests = Number(values.requests);
if (values.client !== undefined && values.url !== undefined) {
  const sample = await measure(values.client, values.url, requests);
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(sample)));
} else if (await availableProgram("nginx")) await compare(Number(values.rounds), requests);
else throw new Error("Cannot compare the clients: nginx is not installed");
