import { PATIENCE_MILLISECONDS } from "./_load_runner.ts";
import { LOAD_CPU, pinned } from "./_pinning.ts";

/** What WebSocket clients are to do, in a process of their own. */
export type SocketOrder =
  & {
    readonly connections: number;
    /** Whether messages are compressed. */
    readonly deflate: boolean;
  }
  & ({
    readonly work: "echo";
    /** The message that is sent. */
    readonly text: string;
    /** Messages that are sent before they are waited for. */
    readonly depth: number;
    readonly seconds: number;
  } | {
    readonly work: "broadcast";
    /** How many times in a row. */
    readonly times: number;
  });

/** Messages that came, and how many of them in a second. */
export interface Echoed {
  readonly count: number;
  readonly rate: number;
}

/** Clients that are connected to a port, or about to be, until they are disposed of. */
export class SocketClients implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #patience: number; // milliseconds until they are given up
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #orders: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess, patience: number) {
    this.#child = child;
    this.#patience = patience;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#orders = child.stdin.getWriter();
  }

  /** Has clients echo for the time that the order says. */
  static async echo(port: number, order: SocketOrder & { work: "echo" }): Promise<Echoed> {
    await using clients = await SocketClients.#start(port, order);
    return await clients.#answer() as Echoed;
  }

  /** Connects those that are to get what is broadcast. */
  static async connect(
    port: number,
    order: SocketOrder & { work: "broadcast" },
  ): Promise<SocketClients> {
    const clients = await SocketClients.#start(port, order);
    await clients.#answer();
    return clients;
  }

  static async #start(port: number, order: SocketOrder): Promise<SocketClients> {
    const [program, ...args] = await pinned(LOAD_CPU, [
      Deno.execPath(),
      "run",
      "--allow-net=127.0.0.1",
      "--allow-env",
      new URL("websocket_load.ts", import.meta.url).pathname,
      JSON.stringify({ ...order, port }),
    ]);
    const command = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" });
    const seconds = order.work === "echo" ? order.seconds : 0;
    return new SocketClients(command.spawn(), seconds * 1000 + PATIENCE_MILLISECONDS);
  }

  /** Has them broadcast, and counts what comes in all. */
  async broadcast(): Promise<Echoed> {
    await this.#orders.write(Uint8Array.of(10));
    return await this.#answer() as Echoed;
  }

  async #answer(): Promise<unknown> {
    const tooLate = setTimeout(() => this.#child.kill(), this.#patience);
    const { value, done } = await this.#lines.read();
    clearTimeout(tooLate);
    if (done) throw new Error("Cannot measure: the clients ended");
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#orders.close().catch(() => {}); // they may have ended
    while (!(await this.#lines.read()).done);
    await this.#child.status;
  }
}
