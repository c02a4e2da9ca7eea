import { assert, assertEquals } from "@std/assert";
import { context, metrics, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  type ReadableSpan,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { type CoroutineGenerator, sleep } from "../../gen/mod.ts";
import { RequestHandler, streamRequestBody } from "../../web/mod.ts";
import { telemetry } from "../../web/telemetry.ts";
import { RawClient, until } from "../http/_raw_client.ts";
import { serve, type Served } from "./_serve.ts";

class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

class Story extends RequestHandler {
  override *get(id: string): CoroutineGenerator {
    yield* sleep(1);
    trace.getTracer("inner").startSpan("inner").end();
    this.write(`story ${id} in ${trace.getActiveSpan()?.spanContext().traceId}`);
  }
}

class Failing extends RequestHandler {
  override get(): void {
    throw new RangeError("no");
  }
  override logException(): void {}
}

class Waiting extends RequestHandler {
  override *get(): CoroutineGenerator {
    yield* sleep(60_000);
  }
}

@streamRequestBody
class Upload extends RequestHandler {
  #traces = new Set<string | undefined>();
  override dataReceived(): void {
    this.#traces.add(trace.getActiveSpan()?.spanContext().spanId);
  }
  override post(): void {
    this.#traces.add(trace.getActiveSpan()?.spanContext().spanId);
    this.write(String(this.#traces.size));
  }
}

interface Observed extends Served {
  spans(): ReadableSpan[];
  /** Each point of a metric: its value and attributes. */
  points(name: string): Promise<{ value: unknown; attributes: Record<string, unknown> }[]>;
}

async function observing(body: (observed: Observed) => Promise<void>): Promise<void> {
  const ended: ReadableSpan[] = [];
  const processor: SpanProcessor = {
    onStart() {},
    onEnd: (span) => void ended.push(span),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  const provider = new BasicTracerProvider({ spanProcessors: [processor] });
  const reader = new Reader();
  const meters = new MeterProvider({ readers: [reader] });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  metrics.setGlobalMeterProvider(meters);
  const requestObserver = telemetry();
  try {
    await serve(
      [["/story/([0-9]+)", Story], ["/failing", Failing], ["/waiting", Waiting], ["/up", Upload]],
      (served) =>
        body({
          ...served,
          spans: () => ended,
          async points(name) {
            const { resourceMetrics } = await reader.collect();
            const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
            const metric = all.find(({ descriptor }) => descriptor.name === name);
            return metric?.dataPoints.map(({ value, attributes }) => ({ value, attributes })) ?? [];
          },
        }),
      { requestObserver },
    );
  } finally {
    context.disable();
    propagation.disable();
    trace.disable();
    metrics.disable();
    await provider.shutdown();
    await meters.shutdown();
  }
}

Deno.test("telemetry() makes a server span of each request, by the conventions", async () => {
  await observing(async ({ get, spans }) => {
    await get("/story/42?q=1", { Host: "here.example:81", "User-Agent": "test" });
    const span = spans().find(({ kind }) => kind === SpanKind.SERVER)!;
    assertEquals(span.name, "GET /story/([0-9]+)");
    assertEquals(span.attributes, {
      "http.request.method": "GET",
      "url.scheme": "http",
      "url.path": "/story/42",
      "url.query": "q=1",
      "server.address": "here.example",
      "server.port": 81,
      "client.address": "127.0.0.1",
      "network.protocol.version": "1.1",
      "user_agent.original": "test",
      "http.route": "/story/([0-9]+)",
      "http.response.status_code": 200,
    });
    assertEquals(span.status.code, SpanStatusCode.UNSET);
  });
});

Deno.test("telemetry() takes the client's trace, and gives it to the handler across waits", async () => {
  await observing(async ({ get, spans }) => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const { text } = await get("/story/7", { traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    assertEquals(text, `story 7 in ${traceId}`);
    const server = spans().find(({ kind }) => kind === SpanKind.SERVER)!;
    const inner = spans().find(({ name }) => name === "inner")!;
    assertEquals(server.parentSpanContext?.spanId, "b7ad6b7169203331");
    assertEquals(inner.parentSpanContext?.spanId, server.spanContext().spanId);
  });
});

Deno.test("telemetry() marks failures of the server, and clients that left", async () => {
  await observing(async ({ get, port, spans }) => {
    await get("/failing");
    await get("/nowhere");
    const client = await RawClient.connect(port);
    await client.send("GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => spans().length === 2);
    await sleep(5); // the handler began
    client[Symbol.dispose]();
    await until(() => spans().length === 3);
    const shown = spans().map(({ name, status, attributes }) => [
      name,
      status.code === SpanStatusCode.ERROR,
      attributes["error.type"],
      attributes["http.response.status_code"],
    ]);
    assertEquals(shown, [
      ["GET /failing", true, "500", 500],
      ["GET", false, undefined, 404],
      ["GET /waiting", true, "client_left", undefined],
    ]);
  });
});

Deno.test("telemetry() counts durations and the requests at work", async () => {
  await observing(async ({ get, ask, points, port }) => {
    await get("/story/1");
    await get("/story/2");
    await ask("BREW", "/story/1");
    using client = await RawClient.connect(port);
    await client.send("GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n");
    let active = await points("http.server.active_requests");
    const end = Date.now() + 5000;
    while (!active.some(({ value }) => value === 1) && Date.now() < end) {
      await sleep(1);
      active = await points("http.server.active_requests");
    }
    assertEquals(
      active.map(({ value, attributes }) => [attributes["http.request.method"], value]),
      [
        ["GET", 1],
        ["_OTHER", 0],
      ],
    );
    const durations = await points("http.server.request.duration");
    const shown = durations.map(({ value, attributes }) => [
      attributes["http.request.method"],
      attributes["http.route"],
      attributes["http.response.status_code"],
      (value as { count: number }).count,
    ]);
    assertEquals(shown, [["GET", "/story/([0-9]+)", 200, 2], [
      "_OTHER",
      "/story/([0-9]+)",
      405,
      1,
    ]]);
    assert((durations[0]!.value as { sum: number }).sum < 5);
  });
});

Deno.test("telemetry() runs each step of a streamed request in its span", async () => {
  await observing(async ({ ask, spans }) => {
    assertEquals((await ask("POST", "/up", { body: "x".repeat(300_000) })).text, "1");
    assertEquals(spans().map(({ name }) => name), ["POST /up"]);
  });
});

Deno.test("telemetry() without anybody who collects does nothing", async () => {
  await serve([["/story/([0-9]+)", Story]], async ({ get }) => {
    assertEquals((await get("/story/1")).text, "story 1 in undefined");
  }, { requestObserver: telemetry() });
});
