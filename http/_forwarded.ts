import { isValidIp } from "../iostream/mod.ts";
import type { HTTPServerRequest, RequestPeer } from "./request.ts";

/** Says whom to trust about where a request came from. */
export interface Forwarding {
  /** Addresses of proxies, which are no clients. */
  readonly trusted: ReadonlySet<string>;
}

/**
 * Reads who the client is from the fields of a proxy. X-Forwarded-For grows to the right: its
 * last address that is not a trusted proxy's is the client's. What is not an address, or not
 * http or https, is ignored.
 */
export function forwardedPeer(
  { headers, connection }: HTTPServerRequest,
  { trusted }: Forwarding,
): RequestPeer {
  const forwarded = headers.get("X-Forwarded-For", "").split(",").map((part) => part.trim());
  const last = forwarded.findLast((address) => !trusted.has(address)) ?? "";
  const remoteIp = headers.get("X-Real-Ip", last).trim();
  const scheme = headers.get("X-Scheme", headers.get("X-Forwarded-Proto", ""));
  const protocol = scheme.split(",").at(-1)!.trim().toLowerCase();
  return {
    remoteIp: isValidIp(remoteIp) ? remoteIp : connection.remoteIp,
    protocol: protocol === "http" || protocol === "https" ? protocol : connection.protocol,
  };
}
