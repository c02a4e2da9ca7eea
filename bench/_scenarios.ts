// What is asked of the HTTP servers. All of them have the routes that are asked for here.
import { CHUNK, CHUNKS, GREETING, page, routed, ROUTES, sum } from "./servers/_answers.mjs";
import type { Load, LoadRequest } from "./_load_runner.ts";
import type { Work } from "./_rounds.ts";
import { FILE_SIZES } from "./_server_files.ts";

/** How a server is started: alone, with TLS, or as two processes on one port. */
export type Mode = "plain" | "tls" | "group";

/** Requests, and the answer that they must get. */
export interface Scenario extends Work {
  readonly mode: Mode;
  readonly load: Required<Omit<Load, "seconds" | "ca">>;
  /** The body of the answer to the last of the paths. */
  readonly answer: string;
}

const CONNECTIONS = 64;

/** A file of 1 MiB fills what the kernel holds for a connection: fewer keep a server as busy. */
const FILE_CONNECTIONS = 16;
const PIPELINE_DEPTH = 16;

const GET: LoadRequest = { method: "GET", paths: ["/"], headers: {}, body: "" };

/** Some 1 KiB of JSON. */
const ITEMS = Array.from({ length: 20 }, (_, id) => ({
  id,
  name: `an item of the order ${id}`,
  price: id * 5,
}));

/** What a browser sends with a request that a page makes. */
const BROWSER_HEADERS = {
  "User-Agent":
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 " +
    "Safari/537.36",
  "Accept": "application/json, text/plain, */*",
  "Accept-Encoding": "gzip, deflate, br, zstd",
  "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
  "Cache-Control": "no-cache",
  "Connection": "keep-alive",
  "Cookie": "session=5f2d7c1a9b3e4f60; theme=dark; consent=necessary",
  "DNT": "1",
  "Origin": "https://shop.example.com",
  "Pragma": "no-cache",
  "Priority": "u=1, i",
  "Referer": "https://shop.example.com/orders",
  "Sec-CH-UA": '"Chromium";v="140", "Not=A?Brand";v="24"',
  "Sec-CH-UA-Mobile": "?0",
  "Sec-CH-UA-Platform": '"Linux"',
  "Sec-Fetch-Dest": "empty",
  "Sec-Fetch-Mode": "cors",
  "Sec-Fetch-Site": "same-origin",
  "X-Requested-With": "XMLHttpRequest",
};

function scenario(
  name: string,
  title: string,
  request: Partial<LoadRequest>,
  answer: string,
  { mode = "plain", connections = CONNECTIONS, depth = 1 }: {
    readonly mode?: Mode;
    readonly connections?: number;
    readonly depth?: number;
  } = {},
): Scenario {
  return {
    name,
    title,
    answer,
    mode,
    load: { connections, depth, request: { ...GET, ...request } },
  };
}

function fileScenario(name: string, title: string, file: string, connections: number): Scenario {
  return scenario(name, title, { paths: [`/file/${file}`] }, "f".repeat(FILE_SIZES[file]!), {
    connections,
  });
}

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  scenario("plain", "plain GET", {}, GREETING),
  scenario("pipelined", `plain GET, ${PIPELINE_DEPTH} at once`, {}, GREETING, {
    depth: PIPELINE_DEPTH,
  }),
  scenario("json", "JSON", { paths: ["/json"] }, JSON.stringify({ message: GREETING })),
  scenario(
    "post",
    "POST of 1 KiB of JSON",
    {
      method: "POST",
      paths: ["/json"],
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ items: ITEMS }),
    },
    JSON.stringify(sum({ items: ITEMS })),
  ),
  scenario(
    "routed",
    `${ROUTES} routes, 20 headers`,
    {
      paths: Array.from({ length: ROUTES }, (_, route) => `/route${route}/${7000 + route}/items/3`),
      headers: BROWSER_HEADERS,
    },
    routed(ROUTES - 1, `${7000 + ROUTES - 1}`, "3"),
  ),
  scenario("page", "page of 50 rows", { paths: ["/page"] }, page()),
  fileScenario("small file", "file of 1 KiB", "small.bin", CONNECTIONS),
  fileScenario("large file", "file of 1 MiB", "large.bin", FILE_CONNECTIONS),
  scenario("stream", `stream of ${CHUNKS} chunks`, { paths: ["/stream"] }, CHUNK.repeat(CHUNKS)),
  scenario("tls", "plain GET over TLS", {}, GREETING, { mode: "tls" }),
  scenario("group", "plain GET, two processes", {}, GREETING, { mode: "group" }),
];
