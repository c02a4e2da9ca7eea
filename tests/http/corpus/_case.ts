/** What must become of the bytes of a {@linkcode RawCase}. */
export interface Outcome {
  /** The statuses of all answers, interim ones too. */
  readonly statuses: readonly number[];
  /** The requests that the application is given: method, target and body. */
  readonly seen: readonly string[];
  /** What the server does then: it closes, or waits for another request, or for the rest of one. */
  readonly then: "closes" | "goes on" | "waits";
}

/** Bytes, in latin-1, that a client sends on a connection of its own. */
export type RawCase = readonly [title: string, rfc: string, bytes: string, outcome: Outcome];

/** The limits that the cases are made for; small ones, so that they are reached. */
export const LIMITS = {
  maxHeaderSize: 400,
  maxHeaderCount: 10,
  maxBodySize: 300,
  maxChunkLineSize: 64,
} as const;

/** All are answered with 200, and the connection goes on. */
export function served(...seen: readonly string[]): Outcome {
  return { statuses: seen.map(() => 200), seen, then: "goes on" };
}

/** All are answered with 200, and the connection closes. */
export function last(...seen: readonly string[]): Outcome {
  return { ...served(...seen), then: "closes" };
}

/** As {@linkcode served}, with an interim answer to the last one. */
export function continued(...seen: readonly string[]): Outcome {
  return { ...served(...seen), statuses: [...seen.slice(1).map(() => 200), 100, 200] };
}

/** After those in `seen`, one is refused with `status`, and the connection closes. */
export function refused(status: number, ...seen: readonly string[]): Outcome {
  return { statuses: [...seen.map(() => 200), status], seen, then: "closes" };
}

/** After those in `seen`, the rest of another one is awaited. */
export function waits(...seen: readonly string[]): Outcome {
  return { ...served(...seen), then: "waits" };
}

/** A GET with `fields`, each with its CRLF. */
export function get(target: string, fields = ""): string {
  return `GET ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
}

/** A POST of `body`, whose framing is up to `fields`. */
export function post(fields: string, body = ""): string {
  return `POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;
}

/** A POST of `chunks`, as they are. */
export function chunked(chunks: string): string {
  return post("Transfer-Encoding: chunked\r\n", chunks);
}
