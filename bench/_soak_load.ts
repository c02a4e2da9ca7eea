// Clients of all kinds, good and bad: each does its thing again and again, as if by chance. Every
// second it prints a line of JSON: `SoakCounts`. Ends when standard input does.
import { parseArgs } from "node:util";
import WebSocket from "ws";
import { type RawAnswer, RawClient } from "./_soak_client.ts";
import { SOAK_LIMITS, type SoakCounts } from "./_soak_status.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    intensity: { type: "string", default: "1" },
  },
});
const port = Number(values.port);
const encoder = new TextEncoder();

/** Errors that are shown; a server that is down would fill the disk. */
const SHOWN = 20;

const counts = { requests: 0, expected: 0, unexpected: 0 };
let ending = false;

/** Gives a whole number below `bound`. */
function chance(bound: number): number {
  return Math.floor(Math.random() * bound);
}

function pick<T>(values: readonly T[]): T {
  return values[chance(values.length)]!;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function check(answer: RawAnswer | null, status: number, body?: RegExp): void {
  const as = `expected status ${status}${body === undefined ? "" : ` and ${body}`}`;
  if (answer === null) throw new Error(`${as}, but the server closed`);
  if (answer.status !== status || body !== undefined && !body.test(answer.body)) {
    throw new Error(`${as}, got ${answer.status} and ${answer.body.slice(0, 200)}`);
  }
  if (status < 400) counts.requests++;
  else counts.expected++;
}

function get(path: string, ...fields: readonly string[]): string {
  return [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", ...fields, "", ""].join("\r\n");
}

function post(path: string, length: number): string {
  return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${length}\r\n\r\n`;
}

/** Requests that are answered at once or a little later, each with what the body must be. */
const GOOD: readonly (() => readonly [request: string, body: RegExp])[] = [
  () => [get("/"), /^Hello, world$/],
  () => [get("/page"), /&lt;row &amp; 19&gt;/],
  () => [get("/page", "Accept-Encoding: gzip"), /^/],
  () => [get("/wait"), /^waited$/],
  () => [get("/stream"), /c{1000}/],
  () => {
    const length = chance(50_000);
    const path = pick(["/upload", "/streamed-upload"]);
    return [post(path, length) + "u".repeat(length), new RegExp(`^${length}$`)];
  },
];

async function keepsAlive(): Promise<void> {
  using client = await RawClient.connect(port);
  for (let left = 1 + chance(100); left > 0 && !ending; left--) {
    const [request, body] = pick(GOOD)();
    await client.send(request);
    check(await client.answer(), 200, body);
    if (chance(10) === 0) await pause(chance(200));
  }
}

async function asksOnce(): Promise<void> {
  using client = await RawClient.connect(port);
  await client.send(get("/", "Connection: close"));
  check(await client.answer(), 200, /^Hello, world$/);
  if (await client.drain() > 0) throw new Error("expected the end, got more");
}

async function pipelines(): Promise<void> {
  using client = await RawClient.connect(port);
  const count = 2 + chance(30);
  await client.send(get("/").repeat(count - 1) + get("/", "Connection: close"));
  let text = "";
  for (let part; (part = await client.read()) !== "";) text += part;
  const answers = text.split("Hello, world").length - 1;
  if (answers !== count) throw new Error(`expected ${count} answers, got ${answers}`);
  counts.requests += count;
}

async function polls(): Promise<void> {
  using client = await RawClient.connect(port);
  await client.send(get("/poll"));
  if (chance(2) === 0) check(await client.answer(), 200, /^news$/);
  else {
    await pause(chance(100));
    counts.expected++;
  }
}

async function idles(): Promise<void> {
  using client = await RawClient.connect(port);
  await client.send(get("/"));
  check(await client.answer(), 200);
  if (await client.drain() > 0) throw new Error("expected the end, got more");
  counts.expected++;
}

/** Leaves in the middle of something. */
async function leaves(): Promise<void> {
  using client = await RawClient.connect(port);
  await pick([
    () => client.send(get("/").slice(0, 1 + chance(20))),
    () => client.send(post("/upload", 1_000_000) + "u".repeat(chance(500_000))),
    () => client.send(post("/streamed-upload", 1_000_000) + "u".repeat(chance(500_000))),
    async () => {
      await client.send(get("/stream"));
      for (let parts = 1 + chance(5); parts > 0; parts--) await client.read();
    },
    async () => {
      await client.send(get("/large"));
      for (let parts = 1 + chance(20); parts > 0; parts--) await client.read();
    },
    () => client.send(get("/wait").repeat(1 + chance(10))),
    () => pause(chance(50)),
  ])();
  counts.expected++;
}

const BAD: readonly (readonly [request: string, status: number])[] = [
  ["\u0016\u0003\u0001 what is this\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\n\r\n", 400],
  ["GET / HTTP/1.1\nHost: a\n\n", 400],
  ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
  ["POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400],
  [
    "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
    400,
  ],
  ["POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
  [get("/", `X-Large: ${"x".repeat(SOAK_LIMITS.headerSize)}`), 431],
  [get(`/${"x".repeat(SOAK_LIMITS.headerSize)}`), 414],
  [post("/upload", SOAK_LIMITS.bodySize + 1), 413],
  [get("/nothing-here"), 404],
  ["DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405],
];

async function sendsBadInput(): Promise<void> {
  using client = await RawClient.connect(port);
  const [request, status] = pick(BAD);
  await client.send(request);
  check(await client.answer(), status);
  // Without an end of its own a connection that was not refused would be waited for.
  if (status === 404 || status === 405) return;
  if (await client.drain() > 0) throw new Error("expected the end, got more");
}

/** Sends byte by byte, in time; or stops in a head, or in a body. */
async function sendsSlowly(): Promise<void> {
  using client = await RawClient.connect(port);
  await pick([
    async () => {
      for (const char of get("/")) {
        await client.send(char);
        await pause(10);
      }
      check(await client.answer(), 200);
    },
    async () => {
      await client.send(get("/").slice(0, 20));
      check(await client.answer(), 408);
    },
    async () => {
      await client.send(post("/upload", 1000) + "u".repeat(500));
      if (await client.answer() !== null) throw new Error("expected the end, got an answer");
      counts.expected++;
    },
  ])();
}

/** Does not take its answer until the server gives up. */
async function readsSlowly(): Promise<void> {
  using client = await RawClient.connect(port);
  await client.send(get("/large"));
  await pause(2 * SOAK_LIMITS.time + chance(1000));
  await client.drain();
  counts.expected++;
}

const HANDSHAKE = get(
  "/echo",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
);

/** Frames that break a rule, and the code that the server closes with. */
const BAD_FRAMES: readonly (readonly [frame: readonly number[], code: number])[] = [
  [[0x81, 0x01, 0x61], 1002], // no mask
  [[0xf1, 0x81, 0, 0, 0, 0, 0x61], 1002], // reserved bits
  [[0x83, 0x81, 0, 0, 0, 0, 0x61], 1002], // no such opcode
  [[0x80, 0x81, 0, 0, 0, 0, 0x61], 1002], // goes on with nothing
  [[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007], // no UTF-8
  [[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0], 1009], // 1 MiB
];

async function sendsBadFrames(): Promise<void> {
  using client = await RawClient.connect(port);
  await client.send(HANDSHAKE);
  const answer = await client.answer();
  if (answer?.status !== 101) throw new Error(`expected 101, got ${answer?.status}`);
  if (chance(4) === 0) await client.send(Uint8Array.of(0x81, 0xfe, 0x10)); // and leaves
  else {
    const [frame, code] = pick(BAD_FRAMES);
    await client.send(Uint8Array.from(frame));
    let text = answer.body;
    for (let part; (part = await client.read()) !== "";) text += part;
    const closing = text.lastIndexOf("\u0088");
    const got = text.charCodeAt(closing + 2) << 8 | text.charCodeAt(closing + 3);
    if (closing < 0 || got !== code) throw new Error(`expected code ${code}, got ${got}`);
  }
  counts.expected++;
}

/** Talks for a while, and ends well or just leaves. */
async function chats(): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`, {
    perMessageDeflate: chance(2) === 0,
  });
  const waiting: string[] = []; // messages that were sent and not echoed yet
  const ended = Promise.withResolvers<void>();
  socket.on("error", ended.reject);
  socket.on("close", () => ended.resolve());
  let left = 5 + chance(40);
  const leave = () => {
    if (chance(3) === 0) socket.terminate();
    else socket.close();
  };
  const next = async () => {
    await pause(chance(20));
    if (left-- === 0 || ending) leave();
    else if (socket.readyState === WebSocket.OPEN) {
      if (chance(20) === 0) socket.send("broadcast");
      const text = "m".repeat(1 + chance(pick([100, 10_000]))) + chance(1000);
      waiting.push(text);
      socket.send(text);
    }
  };
  socket.on("open", next);
  socket.on("message", (data: Uint8Array) => {
    const text = new TextDecoder().decode(data);
    if (text === "news") counts.requests++;
    else if (text !== waiting.shift()) {
      ended.reject(new Error("expected an echo, got another text"));
    } else {
      counts.requests++;
      next().catch(ended.reject);
    }
  });
  const timer = setTimeout(() => ended.reject(new Error("expected an end, none came")), 60_000);
  try {
    await ended.promise;
  } finally {
    clearTimeout(timer);
    socket.terminate();
  }
}

/** How many clients of each kind there are for an intensity of 1, and how long they rest, in ms. */
const KINDS: readonly (readonly [act: () => Promise<void>, count: number, rest: number])[] = [
  [keepsAlive, 6, 20],
  [asksOnce, 2, 10],
  [pipelines, 2, 20],
  [polls, 10, 20],
  [idles, 5, 20],
  [leaves, 4, 10],
  [sendsBadInput, 2, 20],
  [sendsSlowly, 5, 20],
  [readsSlowly, 2, 20],
  [sendsBadFrames, 1, 20],
  [chats, 8, 20],
];

async function repeat(act: () => Promise<void>, rest: number): Promise<void> {
  while (!ending) {
    await pause(chance(2 * rest));
    try {
      await act();
    } catch (error) {
      if (counts.unexpected++ >= SHOWN) continue;
      await Deno.stderr.write(encoder.encode(`load, ${act.name}: ${error}\n`));
    }
  }
}

async function printCounts(): Promise<void> {
  await Deno.stdout.write(encoder.encode(`${JSON.stringify(counts satisfies SoakCounts)}\n`));
}

const clients = KINDS.flatMap(([act, count, rest]) =>
  Array.from({ length: Math.ceil(count * Number(values.intensity)) }, () => repeat(act, rest))
);
const timer = setInterval(printCounts, 1000);
for await (const _ of Deno.stdin.readable);
ending = true;
await Promise.all(clients);
clearInterval(timer);
await printCounts();
