import { Coroutine, type CoroutineGenerator } from "../gen/mod.ts";
import type { Future } from "../ioloop/mod.ts";
import type { HTTPMessageDelegate, HTTPServerRequest } from "../http/mod.ts";

/** Tells a delegate of a request that is there whole. */
export function feedDelegate(
  delegate: HTTPMessageDelegate,
  request: HTTPServerRequest,
): Future<void> {
  return new Coroutine(feed(delegate, request)).run();
}

function* feed(delegate: HTTPMessageDelegate, request: HTTPServerRequest): CoroutineGenerator {
  const { method, uri, version, headers, body } = request;
  yield delegate.headersReceived({ method, path: uri, version }, headers);
  if (body.length > 0) yield delegate.dataReceived(body);
  yield delegate.finish();
}
