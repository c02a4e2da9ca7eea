// What the server of the soak, its load and its judge agree on.

/** Limits of the server, in bytes and ms: small, so that the load reaches them often. */
export const SOAK_LIMITS = {
  headerSize: 16 * 1024,
  bodySize: 4 * 1024 * 1024,
  messageSize: 64 * 1024,
  /** For a head, a body, or something of an answer to be taken. */
  time: 2000,
  idleTime: 4000,
  pingInterval: 2000,
} as const;

/** What the server tells of itself, after a collection of garbage. */
export interface SoakStatus {
  readonly pid: number;
  /** Bytes of resident memory. */
  readonly resident: number;
  /** Bytes of live objects and what they hold. */
  readonly live: number;
  /** Connections that speak HTTP. */
  readonly connections: number;
  /** WebSockets that are in the room. */
  readonly webSockets: number;
  /** Handlers that wait. */
  readonly coroutines: number;
  /** Errors that were logged; a soak causes none. */
  readonly errors: number;
}

/** What the load has done so far. */
export interface SoakCounts {
  /** Requests and messages that were answered as they should be. */
  readonly requests: number;
  /** Refusals and ends of connections that the load provoked. */
  readonly expected: number;
  /** What should not have happened. */
  readonly unexpected: number;
}
