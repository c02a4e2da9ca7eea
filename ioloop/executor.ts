import { Future } from "./future.ts";

/** Is a function that can be a job; its arguments are checked where job and arguments meet. */
// deno-lint-ignore no-explicit-any -- see above
export type JobFunction = (...args: any[]) => unknown;

/**
 * Names the exported function of a module, for an executor that runs it in another thread.
 * `F` is the type of the function: `WorkerJob<typeof render>`, with `render` imported as a
 * type only, has the arguments and the result checked and loads nothing.
 */
export interface WorkerJob<F extends JobFunction = JobFunction> {
  /** The module as an absolute URL, such as `import.meta.resolve("./jobs.ts")` gives. */
  readonly module: string | URL;
  /** The name under which the module exports the function. */
  readonly name: string;
  /** Is never there: it carries the type. @ignore */
  readonly _type?: F;
}

/** Is what a job of type `F` settles its Future with. */
export type JobResult<F extends JobFunction> = Awaited<ReturnType<F>>;

/** Runs jobs elsewhere, or pretends to. */
export interface Executor {
  /**
   * Starts a job, or lets it wait for its turn. The Future takes its result or its error;
   * cancelling it cancels the job as far as the executor can.
   *
   * @throws {TypeError} when this executor cannot run a job of this kind.
   */
  submit<F extends JobFunction>(
    job: F | WorkerJob<F>,
    ...args: Parameters<F>
  ): Future<JobResult<F>>;
  /** Frees what it holds and waits for nothing; a second call does nothing. */
  shutdown(): void;
}

/**
 * Runs functions inline, before `submit` returns. It takes the place of another executor where
 * threads are not worth it, or in tests.
 *
 * @example An error goes into the Future
 * ```ts
 * import { dummyExecutor } from "@waterspout/waterspout/ioloop";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * assertEquals(dummyExecutor.submit((a: number, b: number) => a + b, 1, 2).result(), 3);
 * await assertRejects(async () => await dummyExecutor.submit(JSON.parse, "{"), SyntaxError);
 * ```
 */
export class DummyExecutor implements Executor {
  /**
   * Calls a function and returns the Future of its result or, if that is a thenable, of what
   * it is fulfilled with.
   *
   * @throws {TypeError} when `job` is no function.
   */
  submit<F extends JobFunction>(
    job: F | WorkerJob<F>,
    ...args: Parameters<F>
  ): Future<JobResult<F>> {
    if (typeof job !== "function") {
      throw new TypeError(`Cannot run inline: expected a function, got ${Deno.inspect(job)}`);
    }
    try {
      return Future.from(job(...args) as JobResult<F>);
    } catch (error) {
      return Future.failed(error);
    }
  }

  /** Does nothing: there is nothing to free. */
  shutdown(): void {}
}

/** Is the one {@linkcode DummyExecutor} that a program needs. */
export const dummyExecutor: DummyExecutor = new DummyExecutor();
