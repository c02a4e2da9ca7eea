/** An example that serves HTTP, in a process of its own, as its header says to run it. */
export class ServedExample implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<void>;

  private constructor(child: Deno.ChildProcess, port: number, output: Promise<void>) {
    this.#child = child;
    this.port = port;
    this.#output = output;
  }

  /** Starts a program of examples/ and waits until it says where it is open. */
  static async start(
    program: string,
    args: readonly string[],
    { permissions, env = {} }: {
      permissions: readonly string[];
      env?: Readonly<Record<string, string>>;
    },
  ): Promise<ServedExample> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...permissions, `examples/${program}`, "--port", "0", ...args],
      cwd: new URL("../../", import.meta.url),
      env: { NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const opened = Promise.withResolvers<number>();
    const errors = new Response(child.stderr).text();
    const output = (async () => {
      let text = "";
      for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
        text += piece;
        const [, port] = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(text) ?? [];
        if (port !== undefined) opened.resolve(Number(port));
      }
      opened.reject(new Error(`the example ended: ${await errors}`));
    })();
    return new ServedExample(child, await opened.promise, output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#output;
    const { code } = await this.#child.status;
    if (code !== 0) throw new Error(`the example ended with ${code}`);
  }
}
