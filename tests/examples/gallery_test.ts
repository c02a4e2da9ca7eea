import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ChatHandler, ChatRoom } from "../../examples/gallery/chat.ts";
import {
  BulletinBoard,
  PollNewHandler,
  PollUpdatesHandler,
} from "../../examples/gallery/long_poll.ts";
import { makeGallery } from "../../examples/gallery/main.ts";
import { SlowHandler, TwoAtOnceHandler } from "../../examples/gallery/two_at_once.ts";
import { Future, IOLoop } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import { HTTPServer } from "../../http/mod.ts";
import { Application, RequestHandler, type Route } from "../../web/mod.ts";
import { Opcode } from "../../websocket/mod.ts";
import { fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { ask, RawClient, until } from "../http/_raw_client.ts";
import { ServerProcess } from "../process/_server_process.ts";
import { serve } from "../web/_serve.ts";
import { handshake, masked, RawWebSocket } from "../websocket/_raw_client.ts";
import { installed, run } from "./_programs.ts";

Deno.test("the gallery greets, and has its pages", () =>
  new IOLoop().run(async () => {
    const server = makeGallery().listen(0, "127.0.0.1");
    const { port } = server.addresses[0] as Deno.NetAddr;
    const get = (path: string) => ask(port, "GET", path);
    const hello = await get("/hello");
    assertEquals([hello.status, hello.text], [200, "Hello, world"]);
    assertEquals(hello.headers.get("Content-Type"), "text/plain; charset=UTF-8");
    assertEquals((await get("/hello/Ad%C3%A8le")).text, "Hello, Ad\u00e8le");
    for (const path of ["/", "/chat.html", "/poll.html", "/chat.js", "/poll.js", "/style.css"]) {
      assertEquals((await get(path)).status, 200, path);
    }
    assertStringIncludes((await get("/")).text, "Waterspout gallery");
    assertEquals((await get("/nothing")).status, 404);
    await server.shutdown();
  }, { timeout: 20_000 }));

Deno.test("two-at-once fetches two pages at once", async () => {
  const both = new Future<void>();
  const asked: string[] = [];
  class Rendezvous extends RequestHandler {
    override async get(): Promise<void> {
      asked.push(this.getArgument("ms"));
      if (asked.length === 2) both.setResult();
      await both; // one after the other would wait forever
      this.write(`slept ${this.getArgument("ms")} ms`);
    }
  }
  const routes: Route[] = [["/two-at-once", TwoAtOnceHandler], ["/slow", Rendezvous]];
  await serve(routes, async ({ get }) => {
    const { answers, took } = JSON.parse((await get("/two-at-once")).text);
    assertEquals(answers, ["slept 300 ms", "slept 400 ms"]);
    assertMatch(took, /^\d+ ms$/);
  });
});

Deno.test("slow sleeps as long as it is told, within limits", () =>
  serve([["/slow", SlowHandler]], async ({ get }) => {
    assertEquals((await get("/slow?ms=1")).text, "slept 1 ms");
    assertEquals((await get("/slow")).text, "slept 100 ms");
    for (const ms of ["-1", "10001", "x"]) assertEquals((await get(`/slow?ms=${ms}`)).status, 400);
  }));

function boardRoutes(board: BulletinBoard): Route[] {
  return [
    ["/poll/updates", PollUpdatesHandler, { board }],
    ["/poll/new", PollNewHandler, { board }],
  ];
}

const form = (body: string) => ({
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
  body,
});

Deno.test("the long poll answers all who wait once there is a note", async () => {
  const board = new BulletinBoard();
  await serve(boardRoutes(board), async ({ ask, get }) => {
    const waiting = [get("/poll/updates"), get("/poll/updates?after=0")];
    await until(() => board.waiting === 2);
    const { text } = await ask("POST", "/poll/new", form("text=fresh+bread"));
    assertEquals(JSON.parse(text), { id: 1, text: "fresh bread" });
    for (const answer of await Promise.all(waiting)) {
      assertEquals(JSON.parse(answer.text), { notes: [{ id: 1, text: "fresh bread" }] });
      assertEquals(answer.headers.get("Cache-Control"), "no-store");
    }
    assertEquals(board.waiting, 0);
    board.add("fresh buns");
    assertEquals(JSON.parse((await get("/poll/updates?after=1")).text).notes, [
      { id: 2, text: "fresh buns" },
    ]);
  });
});

Deno.test("the long poll forgets a client that leaves", async () => {
  const board = new BulletinBoard();
  await serve(boardRoutes(board), async ({ port }) => {
    using stays = await RawClient.connect(port);
    using leaves = await RawClient.connect(port);
    using ends = await RawClient.connect(port);
    for (const client of [stays, leaves, ends]) {
      await client.send("GET /poll/updates HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    await until(() => board.waiting === 3);
    leaves.close();
    await until(() => board.waiting === 2);
    await ends.closeWrite();
    ends.close();
    await until(() => board.waiting === 1);
    board.add("for who stays");
    assertStringIncludes((await stays.answer()).text, "for who stays");
    assertEquals(board.waiting, 0);
  });
});

Deno.test("the long poll answers a page that knows more notes than there are", async () => {
  const board = new BulletinBoard(); // as after a restart
  await serve(boardRoutes(board), async ({ get }) => {
    const answer = get("/poll/updates?after=57");
    await until(() => board.waiting === 1);
    board.add("new");
    assertEquals(JSON.parse((await answer).text).notes, [{ id: 1, text: "new" }]);
  });
});

Deno.test("the long poll refuses what is no number or no note, and keeps a hundred notes", async () => {
  const board = new BulletinBoard();
  await serve(boardRoutes(board), async ({ ask, get }) => {
    for (const after of ["-1", "1.5", "x"]) {
      assertEquals((await get(`/poll/updates?after=${after}`)).status, 400);
    }
    for (const body of ["", "text=", "text=++", `text=${"x".repeat(501)}`]) {
      assertEquals((await ask("POST", "/poll/new", form(body))).status, 400);
    }
    for (let count = 1; count <= 120; count++) board.add(String(count));
    const { notes } = JSON.parse((await get("/poll/updates")).text);
    assertEquals([notes.length, notes[0].id, notes.at(-1).id], [100, 21, 120]);
  });
});

/** Sends what one person says. */
function say(socket: RawWebSocket, name: string, text: string): Promise<void> {
  return socket.sendText(JSON.stringify({ name, text }));
}

async function json(socket: RawWebSocket): Promise<unknown> {
  return JSON.parse(await socket.text());
}

function inChat(
  body: (join: () => Promise<RawWebSocket>) => Promise<void>,
): Promise<void> {
  return serve(
    [["/chat/socket", ChatHandler, { room: new ChatRoom() }]],
    ({ port }) => body(() => RawWebSocket.open(port, "/chat/socket")),
  );
}

Deno.test("the chat shows every line to all in the same order, and who comes later sees them too", () =>
  inChat(async (join) => {
    using ada = await join();
    assertEquals(await json(ada), { present: 1 });
    using bob = await join();
    assertEquals([await json(ada), await json(bob)], [{ present: 2 }, { present: 2 }]);
    await say(ada, "Ada", "hello");
    for (const member of [ada, bob]) {
      assertEquals(await json(member), { name: "Ada", text: "hello" });
    }
    await say(bob, "", "<b>hi</b>");
    const answer = { name: "somebody", text: "<b>hi</b>" };
    for (const member of [ada, bob]) assertEquals(await json(member), answer);
    using late = await join();
    assertEquals(await json(late), { name: "Ada", text: "hello" });
    assertEquals(await json(late), answer);
    assertEquals(await json(late), { present: 3 });
    bob.vanish();
    assertEquals([await json(ada), await json(ada)], [{ present: 3 }, { present: 2 }]);
    await ada.shut();
    assertEquals([await json(late), await json(late)], [{ present: 2 }, { present: 1 }]);
    await late.shut();
  }));

Deno.test("the chat keeps fifty lines and cuts long ones", () =>
  inChat(async (join) => {
    using ada = await join();
    await json(ada);
    for (let count = 1; count <= 60; count++) {
      await say(ada, "a".repeat(50), `${count} ${"x".repeat(1000)}`);
      await json(ada);
    }
    using late = await join();
    for (let count = 11; count <= 60; count++) {
      const { name, text } = await json(late) as { name: string; text: string };
      assertEquals([name.length, text.length, parseInt(text)], [40, 1000, count]);
    }
    assertEquals(await json(late), { present: 2 });
    await Promise.all([ada.sendFrame(Opcode.CLOSE), late.sendFrame(Opcode.CLOSE)]);
  }));

Deno.test("the chat closes on what is no line with 1008, on what is too long with 1009", () =>
  inChat(async (join) => {
    for (const text of ["", "x", "null", "7", "[]", '{"name":"a"}', '{"name":"a","text":""}']) {
      using socket = await join();
      await json(socket);
      await socket.sendText(text);
      assertEquals(await socket.closeFrame(), [1008, "expected a name and a text"]);
      await socket.sendFrame(Opcode.CLOSE);
      await socket.ended();
    }
    using socket = await join();
    await json(socket);
    await socket.sendText("x".repeat(16 * 1024 + 1));
    assertEquals(await socket.closeFrame(), [1009, "message too big"]);
    await socket.ended();
  }));

/** Reads as text what comes until the end. */
async function listen(conn: MemoryConn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  let heard = "";
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return heard;
    heard += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

Deno.test("the chat drops a member that does not read", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const room = new ChatRoom();
  const server = new HTTPServer(new Application([["/", ChatHandler, { room }]]), { ioLoop: loop });
  const join = async () => {
    const [client, end] = memoryPair();
    const address: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
    server.handleStream(new IOStream(end, { ioLoop: loop }), address);
    await client.write(new TextEncoder().encode(handshake("/")));
    await tick(0);
    return client;
  };
  using talker = await join();
  using silent = await join();
  const heard = listen(talker);
  const line = masked(Opcode.TEXT, JSON.stringify({ name: "a", text: "\u4e16".repeat(1000) }));
  for (let count = 0; count < 400; count++) {
    await talker.write(line);
    await tick(0);
  }
  await tick(5000); // for an answer to its close frame, which it has not read either
  await assertRejects(() => silent.write(line), Deno.errors.BrokenPipe);
  await server.closeAllConnections();
  assertMatch(await heard, /"present":1}$/); // announced when the other was dropped
  loop.stop();
  await running;
});

Deno.test({
  name: "curl gets the gallery's pages",
  ignore: !await installed("curl"),
  fn: async () => {
    await using gallery = await ServerProcess.listening();
    const curl = (...args: string[]) => run("curl", ["-q", "-sS", "--noproxy", "*", ...args]);
    const origin = `http://127.0.0.1:${gallery.port}`;
    const twice = await curl(
      "-w",
      "\n%{http_code} %{num_connects}\n",
      `${origin}/hello`,
      `${origin}/hello`,
    );
    assertEquals(twice, "Hello, world\n200 1\nHello, world\n200 0\n"); // one connection for both
    assertMatch(await curl("-I", `${origin}/`), /^HTTP\/1\.1 200 OK\r\n/);
    assertStringIncludes(await curl("--compressed", `${origin}/chat.html`), "<title>Chat</title>");
    const note = await curl("-d", "text=from curl", `${origin}/poll/new`);
    assertEquals(JSON.parse(note), { id: 1, text: "from curl" });
    await assertRejects(() => curl("-f", `${origin}/nothing`), Error, "404");
  },
});

const WRK_RUNS: readonly [what: string, args: readonly string[]][] = [
  ["64 connections", []],
  ["64 connections, 16 requests pipelined", ["-s", "bench/pipeline.lua"]],
];
for (const [what, script] of WRK_RUNS) {
  Deno.test({
    name: `wrk with ${what} sees no error`,
    ignore: !await installed("wrk"),
    fn: async () => {
      await using gallery = await ServerProcess.listening();
      const url = `http://127.0.0.1:${gallery.port}/hello`;
      const args = ["-t", "1", "-c", "64", "-d", "1s", ...script, url];
      const output = await run("wrk", [...args, ...(script.length > 0 ? ["--", "16"] : [])]);
      assert(!/Socket errors|Non-2xx/.test(output), output);
      assert(Number(/(\d+) requests in/.exec(output)?.[1]) > 1000, output);
      gallery.server.kill("SIGTERM");
      const { code, stderr } = await gallery.server.ended;
      assertEquals(code, 0);
      assert(!/^\[[WE]/m.test(stderr), "the log has no warning");
    },
  });
}

// What ws does in its own runtime: chat with itself, ping, close.
const NODE_SCRIPT = `
  const { WebSocket } = await import(process.argv[1]);
  const socket = new WebSocket(process.argv[2]);
  socket.on("message", (data) => {
    console.log(String(data));
    if ("present" in JSON.parse(data)) socket.send('{"name":"Node","text":"hello"}');
    else socket.ping("still there?");
  });
  socket.on("pong", (data) => {
    console.log(String(data));
    socket.close(1000, "bye");
  });
  socket.on("close", (code) => console.log(code));
`;

Deno.test({
  name: "ws in Node chats with the gallery",
  ignore: !await installed("node"),
  fn: async () => {
    await using gallery = await ServerProcess.listening();
    const info = JSON.parse(await run(Deno.execPath(), ["info", "--json", "npm:ws"]));
    const { npmPackage } = info.modules[0];
    const { localPath } = info.npmPackages[npmPackage];
    const output = await run("node", [
      "--input-type=module",
      "--eval",
      NODE_SCRIPT,
      `file://${localPath}/wrapper.mjs`,
      `ws://127.0.0.1:${gallery.port}/chat/socket`,
    ]);
    assertEquals(output, '{"present":1}\n{"name":"Node","text":"hello"}\nstill there?\n1000\n');
  },
});
