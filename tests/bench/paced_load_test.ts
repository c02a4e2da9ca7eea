import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { NUMBER_PLACE, PaceSchedule, TimeRecord } from "../../bench/_paced_load.ts";
import { PacedLoadProcess, plainGet } from "../../bench/_paced_load_runner.ts";

const NO_LINUX = !PacedLoadProcess.available();

Deno.test("PaceSchedule spreads requests evenly, and connections take turns", () => {
  const schedule = new PaceSchedule(1000, 2, 3);
  assertEquals(schedule.count, 2000);
  assertEquals([0, 1, 2, 1999].map((request) => schedule.due(request)), [0, 1, 2, 1999]);
  assertEquals([0, 1, 2, 3, 4].map((request) => schedule.connectionOf(request)), [0, 1, 2, 0, 1]);
});

Deno.test("PaceSchedule.dueOn() agrees with due() on every request", () => {
  const schedule = new PaceSchedule(700, 1, 4);
  const turns = [0, 0, 0, 0];
  for (let request = 0; request < schedule.count; request++) {
    const connection = schedule.connectionOf(request);
    assertEquals(schedule.dueOn(connection, turns[connection]!++), schedule.due(request));
  }
  assertEquals(turns, [175, 175, 175, 175]);
});

Deno.test("PaceSchedule() refuses a rate that is none", () => {
  for (const rate of [0, -1, NaN]) {
    assertThrows(() => new PaceSchedule(rate, 1, 1), RangeError, "Cannot pace a load");
  }
});

Deno.test("TimeRecord.quantiles() gives times that were recorded, by rank", () => {
  const record = new TimeRecord();
  for (let time = 2000; time >= 1; time--) record.push(time);
  assertEquals(record.count, 2000);
  assertEquals(record.quantiles(), { p50: 1000, p90: 1800, p99: 1980, max: 2000 });
});

Deno.test("TimeRecord.quantiles() of one time is that time, of none is 0", () => {
  const record = new TimeRecord();
  assertEquals(record.quantiles(), { p50: 0, p90: 0, p99: 0, max: 0 });
  record.push(7.5);
  assertEquals(record.quantiles(), { p50: 7.5, p90: 7.5, p99: 7.5, max: 7.5 });
});

const LISTEN = { hostname: "127.0.0.1", port: 0, onListen: () => {} };

/** Serves in this process, answers after `delay()` ms, and notes what it is `asked`. */
function serve(asked: string[], delay = () => 0): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(LISTEN, async (request) => {
    asked.push(new URL(request.url).search + await request.text());
    const ms = delay();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    return new Response("hello");
  });
}

Deno.test({
  name: "PacedLoadProcess.run() keeps a rate, and answers every request",
  ignore: NO_LINUX,
  async fn() {
    await using server = serve([]);
    await using load = await PacedLoadProcess.connect(server.addr.port, { connections: 4 });
    const { requests, rate, latency, lateness } = await load.run({ rate: 200, seconds: 0.5 });
    assertEquals(requests, 100);
    assert(100 < rate && rate < 210, `the rate was ${rate}`); // a busy machine ends late
    assert(0 < latency.p50 && latency.p50 <= latency.p99 && latency.p99 <= latency.max);
    assert(lateness.p50 < 50, `its own lateness was ${lateness.p50} ms`);
  },
});

Deno.test({
  name: "PacedLoadProcess.run() charges a pause to all that were due in it",
  ignore: NO_LINUX,
  async fn() {
    let answers = 0;
    await using server = serve([], () => ++answers === 10 ? 300 : 0);
    await using load = await PacedLoadProcess.connect(server.addr.port, { connections: 1 });
    // 100 are due, one each 5 ms. The pause holds the only connection for 300 ms: 60 are late,
    // half of them by 150 ms and more. A load that waits for answers would see one of them.
    const { requests, latency } = await load.run({ rate: 200, seconds: 0.5 });
    assertEquals(requests, 100);
    assert(latency.max >= 295, `the most was ${latency.max} ms`);
    assert(latency.p90 >= 200, `nine in ten were below ${latency.p90} ms`);
  },
});

Deno.test({
  name: "PacedLoadProcess.run() without a rate asks again when it is answered",
  ignore: NO_LINUX,
  async fn() {
    const asked: string[] = [];
    await using server = serve(asked);
    const head = plainGet(`/?n=${NUMBER_PLACE}`);
    await using load = await PacedLoadProcess.connect(server.addr.port, { connections: 2, head });
    const { requests, lateness } = await load.run({ rate: null, seconds: 0.1 });
    assertEquals(asked.length, requests + 2); // each connection asks once when it opens
    assertEquals(asked[2], "?n=00000002");
    assertEquals(new Set(asked).size, asked.length);
    assertEquals(lateness.max, 0);
  },
});

Deno.test({
  name: "PacedLoadProcess.connect() sends bodies",
  ignore: NO_LINUX,
  async fn() {
    const asked: string[] = [];
    await using server = serve(asked);
    const head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 300000\r\n\r\n";
    const options = { connections: 1, head, bodySize: 300_000 };
    await using _load = await PacedLoadProcess.connect(server.addr.port, options);
    assertEquals(asked[0]!.length, 300_000);
  },
});

Deno.test({
  name: "PacedLoadProcess.connect() sends frames behind a handshake",
  ignore: NO_LINUX,
  async fn() {
    const texts: string[] = [];
    await using server = Deno.serve(LISTEN, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => {
        texts.push(data);
        socket.send(data);
      };
      return response;
    });
    const hello = plainGet("/", [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]);
    const head = "\x81\x82\0\0\0\0hi"; // a mask of zeros changes nothing
    const options = { connections: 1, hello, head };
    await using load = await PacedLoadProcess.connect(server.addr.port, options);
    const { requests } = await load.run({ rate: 100, seconds: 0.1 });
    assertEquals(requests, 10);
    assertEquals(texts, Array.from({ length: 11 }, () => "hi"));
  },
});

Deno.test({
  name: "PacedLoadProcess.connect() fails when the server refuses the request",
  ignore: NO_LINUX,
  async fn() {
    await using server = Deno.serve(LISTEN, () => new Response("no", { status: 404 }));
    await assertRejects(
      () => PacedLoadProcess.connect(server.addr.port, { connections: 1 }),
      Error,
      "the server answered HTTP/1.1 404 Not Found",
    );
  },
});
