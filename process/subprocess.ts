import { Future, IOLoop } from "../ioloop/mod.ts";
import { PipeIOStream } from "../iostream/mod.ts";
import { CalledProcessError } from "./errors.ts";

/** Is where a standard stream of a {@linkcode Subprocess} goes. */
export type SubprocessStdio = "stream" | "inherit" | "null";

/** Options of {@linkcode Subprocess}. */
export interface SubprocessOptions {
  /**
   * Its standard input.
   *
   * @default {"inherit"}
   */
  stdin?: SubprocessStdio;
  /**
   * Its standard output.
   *
   * @default {"inherit"}
   */
  stdout?: SubprocessStdio;
  /**
   * Its standard error.
   *
   * @default {"inherit"}
   */
  stderr?: SubprocessStdio;
  /** Its working directory; by default that of this process. */
  cwd?: string | URL;
  /** Variables of its environment, besides those of this process. */
  env?: Readonly<Record<string, string>>;
  /** The loop of its streams and callbacks; by default the current one. */
  ioLoop?: IOLoop;
}

/** Options of {@linkcode Subprocess.waitForExit}. */
export interface WaitForExitOptions {
  /**
   * Whether an end other than with code 0 is an error.
   *
   * @default {true}
   */
  raiseError?: boolean;
}

/**
 * Runs another program, and speaks to it through streams.
 *
 * Who asks for streams owns them: an output ends by itself once it was read to its end, an input
 * must be closed, which is how most programs learn that nothing more comes.
 *
 * @example Sort some lines
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { Subprocess } from "@waterspout/waterspout/process";
 * import { assertEquals } from "@std/assert";
 *
 * const { STREAM } = Subprocess;
 * await new IOLoop().run(function* () {
 *   const sort = new Subprocess("sort", { stdin: STREAM, stdout: STREAM });
 *   sort.stdin!.write("b\na\n");
 *   sort.stdin!.close();
 *   assertEquals(new TextDecoder().decode(yield* sort.stdout!.readUntilClose()), "a\nb\n");
 *   assertEquals(yield* sort.waitForExit(), 0);
 * });
 * ```
 */
export class Subprocess {
  /** Makes a standard stream a {@linkcode PipeIOStream}. */
  static readonly STREAM: "stream" = "stream";

  /** Writes to its standard input; null without {@linkcode Subprocess.STREAM}. */
  readonly stdin: PipeIOStream | null;
  /** Reads its standard output; null without {@linkcode Subprocess.STREAM}. */
  readonly stdout: PipeIOStream | null;
  /** Reads its standard error; null without {@linkcode Subprocess.STREAM}. */
  readonly stderr: PipeIOStream | null;
  /** The number of the process. */
  readonly pid: number;
  /** The process as the runtime gives it, for `proc.kill("SIGTERM")` and the like. */
  readonly proc: Deno.ChildProcess;

  readonly #command: readonly string[];
  readonly #ioLoop: IOLoop;
  readonly #exit: Future<number>;
  #returncode: number | null = null;
  #exitCallback: ExitCallback | null = null;

  /**
   * Starts a program: `command` is its name, or its name and arguments. There is no shell; for
   * one say `["sh", "-c", "..."]`.
   *
   * @throws {Deno.errors.NotFound} when there is no such program or working directory; the
   *   message names it.
   * @throws {Deno.errors.NotCapable} without permission to run it; the message names the flag.
   * @throws {TypeError} when `command` is empty.
   */
  constructor(
    command: string | readonly string[],
    {
      stdin = "inherit",
      stdout = "inherit",
      stderr = "inherit",
      cwd,
      env,
      ioLoop = IOLoop.current(),
    }: SubprocessOptions = {},
  ) {
    this.#command = typeof command === "string" ? [command] : [...command];
    const [program, ...args] = this.#command;
    if (program === undefined || program === "") {
      throw new TypeError("Cannot start a program: the command is empty");
    }
    const proc = new Deno.Command(program, {
      args,
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
      stdin: pipedFor(stdin),
      stdout: pipedFor(stdout),
      stderr: pipedFor(stderr),
    }).spawn();
    this.proc = proc;
    this.pid = proc.pid;
    this.#ioLoop = ioLoop;
    const { STREAM } = Subprocess;
    this.stdin = stdin === STREAM ? new PipeIOStream({ writable: proc.stdin }, { ioLoop }) : null;
    this.stdout = stdout === STREAM
      ? new PipeIOStream({ readable: proc.stdout }, { ioLoop })
      : null;
    this.stderr = stderr === STREAM
      ? new PipeIOStream({ readable: proc.stderr }, { ioLoop })
      : null;
    this.#exit = Future.from(proc.status.then(({ code, signal }) => {
      this.#returncode = signal === null ? code : 128 - code;
      return this.#returncode;
    }));
  }

  /**
   * What it ended with: its exit code, or the number of the signal that killed it, negative;
   * null while it runs.
   */
  get returncode(): number | null {
    return this.#returncode;
  }

  /**
   * Calls `fn` in the loop with the {@linkcode returncode} when the process has ended, also if
   * it ended before. A second call replaces the first, unless that was called already.
   */
  setExitCallback(fn: (returncode: number) => unknown): void {
    const callback: ExitCallback = { fn };
    this.#exitCallback = callback;
    this.#ioLoop.addFuture(this.#exit, (future) => {
      if (this.#exitCallback === callback) return fn(future.result());
    });
  }

  /**
   * Waits until the process has ended, and returns the {@linkcode returncode}. May be called
   * several times; cancelling it does not end the process.
   *
   * @throws {CalledProcessError} when that is not 0, unless `raiseError` is false.
   */
  waitForExit({ raiseError = true }: WaitForExitOptions = {}): Future<number> {
    const future = new Future<number>();
    this.#exit._listen({
      _settled: () => {
        const returncode = this.#returncode!;
        if (returncode === 0 || !raiseError) future._settle(1, returncode);
        else future._settle(2, new CalledProcessError(this.#command, returncode));
      },
    });
    return future;
  }
}

// A record for each: the same function may be set twice.
interface ExitCallback {
  readonly fn: (returncode: number) => unknown;
}

function pipedFor(stdio: SubprocessStdio): "piped" | "inherit" | "null" {
  return stdio === Subprocess.STREAM ? "piped" : stdio;
}
