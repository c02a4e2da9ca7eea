import { assertEquals } from "@std/assert";
import { appLog } from "../../ioloop/mod.ts";
import { IOStream } from "../../iostream/mod.ts";
import {
  type HTTPConnection,
  HTTPHeaders,
  type HTTPMessageDelegate,
  HTTPServer,
  type HTTPServerConnectionDelegate,
  type HTTPServerOptions,
  type HTTPServerRequest,
  type RequestStartLine,
} from "../../http/mod.ts";
import { expectLog, fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { bytesOf } from "./_cuts.ts";

/**
 * How the server of a {@linkcode Wire} takes requests: whole, and answers at once or in a later
 * turn; or as they arrive, and is ready for the next piece at once or in a later turn.
 */
export type Manner = typeof MANNERS[number];

/** All of them. */
export const MANNERS = ["whole", "later", "streamed", "held"] as const;

/** The client's end of one connection: all that comes is read at once, and kept. */
export class Line {
  /** What came, in latin-1. */
  came = "";
  /** Whether the server ended its side. */
  ended = false;
  /** The requests that the application was given: method, target and body. */
  readonly seen: string[] = [];
  /** The end of the client. */
  readonly far: MemoryConn;
  /** The end of the server. */
  readonly near: MemoryConn;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(far: MemoryConn, near: MemoryConn) {
    this.far = far;
    this.near = near;
    this.#listen();
  }

  /** Sends latin-1 behind what was sent; a server that has closed takes nothing. */
  send(text: string): void {
    const bytes = bytesOf(text);
    this.#sending = this.#sending.then(async () => {
      for (let at = 0; at < bytes.length;) at += await this.far.write(bytes.subarray(at));
    }).catch(mustBeGone);
  }

  /** Ends the client's side behind what was sent. */
  end(): void {
    this.#sending = this.#sending.then(() => this.far.closeWrite()).catch(mustBeGone);
  }

  /** The statuses of the answers that came, interim ones too. */
  get statuses(): number[] {
    const statuses: number[] = [];
    let left = this.came;
    for (let asked = 0; left !== "";) {
      const [head, code] = /^HTTP\/1\.1 (\d{3}) [^\0]*?\r\n\r\n/.exec(left) ?? [];
      if (head === undefined) throw new Error(`not an answer: ${JSON.stringify(left)}`);
      const status = Number(code);
      const bodiless = status < 200 || status === 200 && this.seen[asked]?.startsWith("HEAD ");
      const length = Number(/^Content-Length: (\d+)/m.exec(head)?.[1] ?? 0);
      statuses.push(status);
      if (status >= 200) asked++;
      left = left.slice(head.length + (bodiless ? 0 : length));
    }
    return statuses;
  }

  async #listen(): Promise<void> {
    const buffer = new Uint8Array(4096);
    try {
      for (let count; (count = await this.far.read(buffer)) !== null;) {
        this.came += String.fromCharCode(...buffer.subarray(0, count));
      }
    } catch (error) {
      mustBeGone(error);
    }
    this.ended = true;
  }
}

/** Many connections in memory to one server whose clock stands still. */
export interface Wire {
  readonly server: HTTPServer;
  /** Opens a connection. */
  readonly open: () => Line;
  /** Moves the clock on; 0 only lets everything come to rest. */
  readonly tick: (ms: number) => Promise<void>;
}

/**
 * Serves while `body` runs. Afterwards all clients leave, nothing may be left of their
 * connections, and nothing may have been logged as an error of the application.
 */
export async function withWire(
  manner: Manner,
  body: (wire: Wire) => Promise<void>,
  options: HTTPServerOptions = {},
): Promise<void> {
  const { matched } = await expectLog(appLog, "", async () => {
    const { loop, tick } = fakeLoop({ start: 1_000_000 });
    const running = loop.start();
    const lines = new Map<string, Line>();
    const later = () => new Promise<void>((resolve) => loop.addCallback(resolve));
    const wait = manner === "later" || manner === "held" ? later : () => {};
    const app = manner === "whole" || manner === "later"
      ? takeWhole(lines, wait)
      : takeStreamed(lines, wait);
    const server = new HTTPServer(app, { ...options, ioLoop: loop });
    const open = () => {
      const [near, far] = memoryPair();
      const line = new Line(far, near);
      const hostname = addressOf(lines.size);
      lines.set(hostname, line);
      const stream = new IOStream(near, { ioLoop: loop });
      server.handleStream(stream, { transport: "tcp", hostname, port: 1 });
      return line;
    };
    try {
      await body({ server, open, tick });
      for (const { far } of lines.values()) if (!far.closed()) far.close();
      await tick(0);
      const left = [...lines.values()].filter(({ near }) => !near.closed());
      assertEquals(left.length, 0, "connections that were not closed");
    } finally {
      server.closeAllConnections();
      await tick(10_000);
      loop.stop();
      await running;
    }
  }, { required: false });
  assertEquals(matched, [], "errors in the log that were not expected");
}

// Each connection has an address of its own, by which the application tells them apart.
function addressOf(index: number): string {
  return `10.${index >> 16}.${index >> 8 & 255}.${index & 255}`;
}

type Lines = ReadonlyMap<string, Line>;

function takeWhole(
  lines: Lines,
  wait: () => Promise<void> | void,
): (request: HTTPServerRequest) => unknown {
  return ({ connection, remoteIp, method, uri, body }) => {
    note(lines.get(remoteIp)!, method, uri, [body]);
    const waiting = wait();
    if (waiting === undefined) answer(connection);
    else return waiting.then(() => answer(connection));
  };
}

function takeStreamed(
  lines: Lines,
  wait: () => Promise<void> | void,
): HTTPServerConnectionDelegate {
  return {
    startRequest(_serverConn, connection): HTTPMessageDelegate {
      let method: string;
      let path: string;
      const pieces: Uint8Array[] = [];
      return {
        headersReceived(startLine) {
          ({ method, path } = startLine as RequestStartLine);
          return wait();
        },
        dataReceived(chunk) {
          pieces.push(chunk);
          return wait();
        },
        finish() {
          note(lines.get(connection.remoteIp)!, method, path, pieces);
          answer(connection);
        },
        onConnectionClose() {},
      };
    },
    onClose() {},
  };
}

function note(line: Line, method: string, target: string, pieces: readonly Uint8Array[]): void {
  const body = pieces.map((piece) => String.fromCharCode(...piece)).join("");
  line.seen.push(body === "" ? `${method} ${target}` : `${method} ${target} ${body}`);
}

function answer(connection: HTTPConnection): void {
  connection.writeHeaders({ code: 200 }, new HTTPHeaders({ "Content-Length": "2" }));
  connection.write("ok");
  connection.finish();
}

function mustBeGone(error: unknown): void {
  const { BadResource, BrokenPipe, ConnectionReset, Interrupted } = Deno.errors;
  if (
    ![BadResource, BrokenPipe, ConnectionReset, Interrupted].some((its) => error instanceof its)
  ) {
    throw error;
  }
}
