import { assertEquals } from "@std/assert";
import { makeDashboard } from "../../examples/sse_dashboard/main.ts";
import { Meter, type Sample } from "../../examples/sse_dashboard/meter.ts";
import { readServerSentEvents, SimpleAsyncHTTPClient } from "../../http/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { until } from "../http/_raw_client.ts";
import { browser, runInBrowser } from "./_browser.ts";

function withDashboard(
  body: (
    samples: (count: number, lastId?: string) => Promise<Sample[]>,
    url: string,
    meter: Meter,
  ) => unknown,
): Promise<void> {
  return new IOLoop().run(async () => {
    const meter = new Meter(5);
    const server = makeDashboard(meter).listen(0, "127.0.0.1");
    const url = `http://127.0.0.1:${(server.addresses[0] as Deno.NetAddr).port}`;
    const client = new SimpleAsyncHTTPClient({ maxClients: 100 });
    await body(
      async (count, lastId) => {
        const samples: Sample[] = [];
        const headers = lastId === undefined ? {} : { "Last-Event-ID": lastId };
        const response = await client.stream(`${url}/events`, { headers });
        assertEquals(response.headers.get("Content-Type"), "text/event-stream");
        for await (const { type, data, lastEventId } of readServerSentEvents(response)) {
          const sample = JSON.parse(data);
          assertEquals([type, lastEventId], ["sample", String(sample.id)]);
          samples.push(sample);
          if (samples.length === count) break;
        }
        return samples;
      },
      url,
      meter,
    );
    client.close();
    meter.stop();
    await server.shutdown({ grace: 1000 });
  }, { timeout: 20_000 });
}

Deno.test("the dashboard streams one sample after the other, without a gap", () =>
  withDashboard(async (samples) => {
    const seen = await samples(12);
    assertEquals(seen.map(({ id }) => id - seen[0]!.id), seen.map((_, at) => at));
    for (const { viewers, requests, lag, memory } of seen) {
      for (const number of [viewers, requests, lag, memory]) {
        assertEquals(Number(number) >= 0, true);
      }
    }
  }));

Deno.test("the dashboard goes on behind the event that its client saw last", () =>
  withDashboard(async (samples) => {
    const last = (await samples(8)).at(-1)!;
    assertEquals((await samples(3, String(last.id))).map(({ id }) => id - last.id), [1, 2, 3]);
    for (const lastId of ["9999999", "none", "-1", "1.5"]) {
      assertEquals((await samples(2, lastId)).map(({ id }) => id), [1, 2]);
    }
  }));

Deno.test("the dashboard counts viewers and requests, and those who leave no more", () =>
  withDashboard(async (samples, url, meter) => {
    const leaving = new AbortController();
    const open = () => fetch(`${url}/events`, { signal: leaving.signal });
    const others = await Promise.all([open(), open()]);
    await until(() => meter.viewers === 2);
    const last = (await samples(70)).at(-1)!; // more than are kept: it was made while we looked
    assertEquals(last.viewers, 3);

    const ask = async () => await (await fetch(`${url}/`)).body?.cancel();
    await Promise.all(Array.from({ length: 5 }, ask)); // before the last sample is forgotten
    const requests = (await samples(20, String(last.id))).map(({ requests }) => requests);
    assertEquals(requests.reduce((sum, count) => sum + count), 6); // with the one that asks

    leaving.abort();
    for (const { body } of others) await body!.cancel().catch(() => {});
    await until(() => meter.viewers === 0);
  }));

Deno.test({
  name: "the page of the dashboard shows live numbers in Chromium, also after a restart",
  ignore: browser === null,
  fn: () => runInBrowser("_sse_dashboard_in_browser.ts"),
});
