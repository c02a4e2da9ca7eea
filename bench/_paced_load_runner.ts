import type { Pace, Paced } from "./_paced_load.ts";
import { LOAD_CPU, pinned } from "./_pinning.ts";

/** What is sent; all answers to it must have the same length. */
export interface PacedRequest {
  /**
   * The head, with the empty line at its end; a plain GET by default. Where it has a NUMBER_PLACE,
   * the number of the request stands.
   */
  readonly head?: string;
  /**
   * The bytes of a body.
   *
   * @default {0}
   */
  readonly bodySize?: number;
  /** A handshake that each connection begins with, where `head` is a frame of a WebSocket. */
  readonly hello?: string;
}

/** What the connections of a load do. */
export interface PacedLoadOptions extends PacedRequest {
  readonly connections: number;
}

/** Connections that wait for orders, in a process that is pinned to the processor of the load. */
export class PacedLoadProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;
  readonly #complaint: Promise<string>; // all that it says to standard error

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#orders = child.stdin.getWriter();
    this.#complaint = new Response(child.stderr).text();
  }

  /** Connects to a port, and has each connection carry one request. */
  static async connect(port: number, options: PacedLoadOptions): Promise<PacedLoadProcess> {
    const { connections, head = plainGet(), bodySize = 0, hello } = options;
    const [program, ...args] = await pinned(LOAD_CPU, [
      Deno.execPath(),
      ...["run", "--no-prompt", "--allow-ffi"],
      new URL("_paced_load.ts", import.meta.url).pathname,
      `--port=${port}`,
      `--connections=${connections}`,
      `--head=${btoa(head)}`,
      `--body-size=${bodySize}`,
      ...(hello === undefined ? [] : [`--hello=${btoa(hello)}`]),
    ]);
    const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
    const load = new PacedLoadProcess(new Deno.Command(program!, { args, ...pipes }).spawn());
    try {
      await load.#answer();
    } catch (error) {
      await load[Symbol.asyncDispose]();
      throw error;
    }
    return load;
  }

  /** Tells whether this system can run one. */
  static available(): boolean {
    return Deno.build.os === "linux";
  }

  /** Runs one stretch of load. */
  async run(pace: Pace): Promise<Paced> {
    await this.#orders.write(new TextEncoder().encode(JSON.stringify(pace)));
    return await this.#answer() as Paced;
  }

  /** Ends the connections and the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close().catch(() => {});
    while (!(await this.#lines.read()).done);
    await this.#complaint;
    await this.#child.status;
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#lines.read();
    if (done) throw new Error(`Cannot measure: the load failed: ${await this.#complaint}`);
    return JSON.parse(value);
  }
}

/** Gives a request without a body. */
export function plainGet(path = "/", fields: readonly string[] = []): string {
  return [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", ...fields, "", ""].join("\r\n");
}
