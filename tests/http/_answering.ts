import { type CoroutineGenerator, Multi } from "../../gen/mod.ts";
import { IOLoop } from "../../ioloop/mod.ts";
import { type IOStream, StreamClosedError, TCPServer } from "../../iostream/mod.ts";
import { type AsyncHTTPClientOptions, HTTPHeaders, SimpleAsyncHTTPClient } from "../../http/mod.ts";
import { until } from "./_raw_client.ts";

/** One request as it came. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly headers: HTTPHeaders;
  readonly body: string; // latin-1, without chunks
  readonly raw: string; // head and body as they came
  readonly connection: number; // counted from 0
}

/** What a script has in hand. */
export interface Peer {
  readonly stream: IOStream;
  /** How many requests came before, on all connections. */
  readonly count: number;
  /** Reads the body, if the script does so itself. */
  readonly readBody: () => CoroutineGenerator<string>;
}

/**
 * Says what is answered: text in latin-1, of which each piece is a write of its own; null
 * closes. A generator may do anything with the stream.
 */
export type Script = (asked: Asked, peer: Peer) => Reply | CoroutineGenerator<Reply>;

export type Reply = string | readonly string[] | null | void;

/** A server that sends what it is told to. */
export class ScriptedServer extends TCPServer {
  /** The requests, in the order they came. */
  readonly asked: Asked[] = [];
  /** How many connections there were. */
  connections = 0;
  /** How many of them are open. */
  open = 0;
  readonly #script: Script;
  readonly #readsBody: boolean;

  constructor(script: Script, { readsBody = true, ...options }: ScriptOptions = {}) {
    super(options);
    this.#script = script;
    this.#readsBody = readsBody;
    this.listen(0, "127.0.0.1");
  }

  get port(): number {
    return (this.addresses[0] as Deno.NetAddr).port;
  }

  url(path = "/"): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  override *handleStream(stream: IOStream): CoroutineGenerator {
    const connection = this.connections++;
    this.open++;
    stream.setCloseCallback(() => this.open--);
    try {
      for (;;) yield* this.#exchange(stream, connection);
    } catch (error) {
      if (!(error instanceof StreamClosedError)) throw error;
    }
  }

  *#exchange(stream: IOStream, connection: number): CoroutineGenerator {
    const head = text(yield* stream.readUntil("\r\n\r\n"));
    const [, method, target, fields] = /^(\S+) (\S+) HTTP\/1\.1\r\n([^]*)$/.exec(head)!;
    const headers = HTTPHeaders.parse(fields!);
    const readBody = () => bodyOf(stream, headers);
    const [body, raw] = this.#readsBody ? yield* readRaw(stream, headers) : ["", ""];
    const asked: Asked = {
      method: method!,
      target: target!,
      headers,
      body,
      raw: head + raw,
      connection,
    };
    const count = this.asked.push(asked) - 1;
    const made = this.#script(asked, { stream, count, readBody });
    const reply = isGenerator(made) ? yield* made : made;
    if (reply === undefined) return;
    if (reply === null) {
      stream.close();
      throw new StreamClosedError();
    }
    for (const piece of typeof reply === "string" ? [reply] : reply) {
      yield* stream.write(bytes(piece));
      if (typeof reply !== "string") yield null;
    }
  }
}

export interface ScriptOptions {
  readonly readsBody?: boolean;
  readonly sslOptions?: { readonly cert: string; readonly key: string };
}

/** What a test works with. */
export interface Answering {
  readonly server: ScriptedServer;
  readonly client: SimpleAsyncHTTPClient;
  readonly url: (path?: string) => string;
}

/** Runs `body` with a client beside a server. Afterwards no connection may be open. */
export async function answering(
  script: Script,
  body: (made: Answering) => unknown,
  options: AsyncHTTPClientOptions & ScriptOptions = {},
): Promise<void> {
  await new IOLoop().run(async () => {
    const server = new ScriptedServer(script, options);
    const client = new SimpleAsyncHTTPClient(options);
    try {
      const work = body({ server, client, url: (path) => server.url(path) });
      await (isGenerator(work) ? Multi([work]) : work);
      client.close();
      await until(() => server.open === 0);
    } finally {
      client.close();
      server.stop();
    }
  }, { timeout: 20_000 });
}

/** An answer with its length. */
export function answer(body = "", fields = "", status = "200 OK"): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
}

/** Latin-1 to bytes. */
export function bytes(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (char) => char.charCodeAt(0));
}

/** Bytes to latin-1. */
export function text(data: Uint8Array): string {
  let result = "";
  for (let at = 0; at < data.length; at += 8192) {
    result += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return result;
}

function isGenerator<T>(value: unknown): value is CoroutineGenerator<T> {
  return typeof value === "object" && value !== null && "next" in value;
}

function* bodyOf(stream: IOStream, headers: HTTPHeaders): CoroutineGenerator<string> {
  const [body] = yield* readRaw(stream, headers);
  return body;
}

function* readRaw(stream: IOStream, headers: HTTPHeaders): CoroutineGenerator<[string, string]> {
  if (headers.get("Transfer-Encoding") !== "chunked") {
    const body = text(yield* stream.readBytes(Number(headers.get("Content-Length") ?? 0)));
    return [body, body];
  }
  let body = "";
  let raw = "";
  for (;;) {
    const line = text(yield* stream.readUntil("\r\n"));
    const size = parseInt(line, 16);
    const chunk = text(yield* stream.readBytes(size + 2));
    raw += line + chunk;
    if (size === 0) return [body, raw];
    body += chunk.slice(0, -2);
  }
}
