/**
 * Spans and metrics of the requests of an Application, by OpenTelemetry.
 *
 * A module of its own, so that programs without it don't load OpenTelemetry. It uses the API
 * only: who collects is the program's choice, or the runtime's, which does with `OTEL_DENO=true`.
 *
 * ```ts
 * import { Application } from "@waterspout/waterspout/web";
 * import { telemetry } from "@waterspout/waterspout/telemetry";
 *
 * new Application([], { requestObserver: telemetry() });
 * ```
 *
 * @module
 */
import {
  type Attributes,
  type Context,
  context,
  type Histogram,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
  type Tracer,
  type UpDownCounter,
} from "@opentelemetry/api";
import { VERSION } from "../ioloop/mod.ts";
import { type HTTPHeaders, type HTTPServerRequest, splitHostAndPort } from "../http/mod.ts";
import type { RequestObservation, RequestObserver } from "./request_observer.ts";

const NAME = "@waterspout/waterspout";
// What the conventions advise for durations in seconds.
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const KNOWN_METHODS = /^(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH)$/; // others would make endless series

const fieldGetter: TextMapGetter<HTTPHeaders> = {
  keys: (headers) => [...headers.keys()],
  get: (headers, name) => headers.get(name) ?? undefined,
};

/**
 * Makes an observer for the setting `requestObserver`: a server span for each request, child of
 * the span that its headers name, and the metrics `http.server.request.duration` in seconds and
 * `http.server.active_requests`, by the semantic conventions for HTTP.
 *
 * What a handler does belongs to its span: so do the spans that it makes.
 */
export function telemetry(): RequestObserver {
  return new Telemetry();
}

class Telemetry implements RequestObserver {
  readonly #tracer: Tracer;
  readonly #duration: Histogram;
  readonly #active: UpDownCounter;

  constructor() {
    this.#tracer = trace.getTracer(NAME, VERSION);
    const meter = metrics.getMeter(NAME, VERSION);
    this.#duration = meter.createHistogram("http.server.request.duration", {
      description: "Duration of HTTP server requests.",
      unit: "s",
      advice: { explicitBucketBoundaries: BUCKETS },
    });
    this.#active = meter.createUpDownCounter("http.server.active_requests", {
      description: "Number of active HTTP server requests.",
      unit: "{request}",
    });
  }

  begin(request: HTTPServerRequest, route: string | null): RequestObservation {
    const parent = propagation.extract(context.active(), request.headers, fieldGetter);
    const common = commonAttributes(request);
    const attributes = { ...common, ...spanAttributes(request, route) };
    const method = common["http.request.method"] === "_OTHER" ? "HTTP" : request.method;
    const name = route === null ? method : `${method} ${route}`;
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    this.#active.add(1, common);
    const inSpan = trace.setSpan(parent, span);
    return new Observation(span, inSpan, (status) => {
      this.#active.add(-1, common);
      const ending: Attributes = { ...common, "network.protocol.version": versionOf(request) };
      if (route !== null) ending["http.route"] = route;
      if (status !== null) ending["http.response.status_code"] = status;
      const error = errorType(status);
      if (error !== null) ending["error.type"] = error;
      this.#duration.record(request.requestTime() / 1000, ending, inSpan);
    });
  }
}

class Observation implements RequestObservation {
  readonly #span: Span;
  readonly #context: Context;
  readonly #ended: (status: number | null) => void;

  constructor(span: Span, inSpan: Context, ended: (status: number | null) => void) {
    this.#span = span;
    this.#context = inSpan;
    this.#ended = ended;
  }

  run(serve: () => void): void {
    context.with(this.#context, serve);
  }

  end(status: number | null): void {
    const span = this.#span;
    if (status !== null) span.setAttribute("http.response.status_code", status);
    const error = errorType(status);
    if (error !== null) {
      span.setAttribute("error.type", error);
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
    this.#ended(status);
  }
}

function commonAttributes(request: HTTPServerRequest): Attributes {
  return {
    "http.request.method": KNOWN_METHODS.test(request.method) ? request.method : "_OTHER",
    "url.scheme": request.protocol,
  };
}

function spanAttributes(request: HTTPServerRequest, route: string | null): Attributes {
  const [host, port] = splitHostAndPort(request.host.toLowerCase());
  const attributes: Attributes = {
    "url.path": request.path,
    "server.address": host,
    "client.address": request.remoteIp,
    "network.protocol.version": versionOf(request),
  };
  if (route !== null) attributes["http.route"] = route;
  if (port !== null) attributes["server.port"] = port;
  if (request.query !== "") attributes["url.query"] = request.query;
  const agent = request.headers.get("User-Agent");
  if (agent !== null) attributes["user_agent.original"] = agent;
  if (!KNOWN_METHODS.test(request.method)) {
    attributes["http.request.method_original"] = request.method;
  }
  return attributes;
}

// Without a status the client left before there was one. That is not the server's failure, but
// neither is it a success.
function errorType(status: number | null): string | null {
  if (status === null) return "client_left";
  return status >= 500 ? String(status) : null;
}

function versionOf({ version }: HTTPServerRequest): string {
  return version === "HTTP/1.0" ? "1.0" : "1.1";
}
