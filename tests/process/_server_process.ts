/** How a process ended, and what it printed. */
export interface Ended {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
}

const ROOT = new URL("../../", import.meta.url);

const PERMISSIONS = ["--allow-net", "--allow-read", "--allow-env"];

/** The gallery in a process of its own, as a user starts it. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #listening = Promise.withResolvers<number>();

  /** Settles when the process has ended. */
  readonly ended: Promise<Ended>;

  private constructor(args: readonly string[], permissions: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...permissions, "examples/gallery/main.ts", ...args],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.ended = this.#follow();
  }

  /** Starts it and lets it run to its end, which must come by itself. */
  static run(args: readonly string[], permissions = PERMISSIONS): Promise<Ended> {
    return new ServerProcess(args, permissions).ended;
  }

  /** Starts it and waits until it listens. */
  static async listening(
    port = 0,
  ): Promise<{ server: ServerProcess; port: number } & AsyncDisposable> {
    const server = new ServerProcess(["--port", String(port)], PERMISSIONS);
    return {
      server,
      port: await server.#listening.promise,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends it, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It had ended.
    }
    await this.ended;
  }

  async #follow(): Promise<Ended> {
    const [{ code, signal }, stdout, stderr] = await Promise.all([
      this.#child.status,
      this.#readStdout(),
      new Response(this.#child.stderr).text(),
    ]);
    this.#listening.reject(new Error(`the server did not start: ${stderr}`));
    this.#listening.promise.catch(() => {}); // who ran it to its end does not look
    return { code, signal, stdout, stderr };
  }

  async #readStdout(): Promise<string> {
    let text = "";
    for await (const piece of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const [, port] = /^The gallery is open on http:.*:(\d+)\/ .*\n/.exec(text) ?? [];
      if (port !== undefined) this.#listening.resolve(Number(port));
    }
    return text;
  }
}
