import type { HTTPServerRequest } from "../http/mod.ts";
import { accessLog } from "../ioloop/mod.ts";

/**
 * Writes the access log line of a finished request: `200 GET / (127.0.0.1) 1.23ms`, as info
 * below status 400, warning below 500, else error.
 */
export function logAccess(status: number, request: HTTPServerRequest): void {
  const level = status < 400 ? "info" : status < 500 ? "warning" : "error";
  if (!accessLog.isEnabledFor(level)) return;
  const { method, uri, remoteIp } = request;
  const line = `${status} ${method} ${uri} (${remoteIp}) ${request.requestTime().toFixed(2)}ms`;
  if (level === "info") accessLog.info("{line}", { line });
  else if (level === "warning") accessLog.warn("{line}", { line });
  else accessLog.error("{line}", { line });
}
