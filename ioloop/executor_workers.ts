// A worker runs one job at a time. It is made when a job finds none idle, up to the limit:
//
//   made --> idle --request--> running --answer--> idle
//                                 |
//                    cancelled, died, shut down --> terminated
//
// A thread cannot be told to leave off what it does, so cancelling a job that runs costs its
// worker. The next one is made when a job needs it.
import type { JobError, JobRequest, WorkerMessage } from "./_worker_protocol.ts";
import type { Executor, JobFunction, JobResult, WorkerJob } from "./executor.ts";
import { Future } from "./future.ts";
import { genLog } from "./log.ts";

/** Options of {@linkcode WorkerExecutor}. */
export interface WorkerExecutorOptions {
  /**
   * How many workers there may be. By default it is the number of logical processors.
   *
   * @default {navigator.hardwareConcurrency}
   */
  workers?: number;
}

interface PendingJob {
  readonly request: JobRequest;
  readonly future: Future<unknown>;
}

/**
 * Runs exported functions of modules in a pool of workers, each with a thread of its own, for
 * work that would hold the loop. Workers are made as they are needed and have the permissions
 * of the program, which must be allowed to read local modules of jobs. They keep the process
 * alive until {@linkcode WorkerExecutor.shutdown}.
 *
 * Arguments and results are copied by structured clone, arguments when a worker takes the job.
 * A promise that the function returns is awaited in the worker. An error arrives with its name,
 * message and stack, but as a plain `Error`. `onmessage` and `postMessage` of the worker's
 * scope belong to the executor.
 *
 * Cancelling the Future of a job that waits removes the job; that of one that runs ends its
 * worker, whatever the function is doing.
 *
 * @example Compress in another thread
 * ```ts
 * import { WorkerExecutor } from "@waterspout/waterspout/ioloop";
 * import type { gzipSync } from "node:zlib";
 * import { assert } from "@std/assert";
 *
 * const executor = new WorkerExecutor({ workers: 2 });
 * const job = { module: "node:zlib", name: "gzipSync" } as const;
 * const bytes = await executor.submit<typeof gzipSync>(job, new Uint8Array(1_000_000));
 * assert(bytes.length < 10_000);
 * executor.shutdown();
 * ```
 */
export class WorkerExecutor implements Executor {
  readonly #limit: number;
  readonly #idle: Worker[] = [];
  readonly #running = new Map<Worker, PendingJob>(); // with #idle never more than #limit
  readonly #waiting = new Set<PendingJob>(); // in order; empty unless #limit jobs run
  #shutDown = false;

  /**
   * Makes an executor without a worker.
   *
   * @throws {RangeError} when `workers` is not a whole number above 0.
   */
  constructor({ workers = navigator.hardwareConcurrency }: WorkerExecutorOptions = {}) {
    if (!Number.isInteger(workers) || workers < 1) {
      throw new RangeError(
        `Cannot make a WorkerExecutor: workers must be a whole number above 0, got ${workers}`,
      );
    }
    this.#limit = workers;
  }

  /**
   * Runs an exported function of a module in a worker, or when one is free: jobs begin in the
   * order in which they are submitted. The Future fails when the module cannot be imported, when
   * it has no such function, when an argument or the result cannot be cloned, and when the
   * worker dies.
   *
   * @throws {TypeError} when `job` does not name a function by the absolute URL of its module.
   * @throws {Error} when the executor was shut down.
   */
  submit<F extends JobFunction>(
    job: F | WorkerJob<F>,
    ...args: Parameters<F>
  ): Future<JobResult<F>> {
    if (this.#shutDown) throw new Error("Cannot submit a job: the executor was shut down");
    if (typeof job === "function") {
      throw new TypeError(
        `Cannot run function ${job.name || "(anonymous)"} in a worker: functions cannot be ` +
          'cloned; export it from a module and give { module: import.meta.resolve("./jobs.ts"), ' +
          "name } instead",
      );
    }
    const module = String(job.module);
    if (!URL.canParse(module)) {
      throw new TypeError(
        `Cannot run a job of module "${module}": expected an absolute URL, such as ` +
          "import.meta.resolve() gives",
      );
    }
    const future = new Future<JobResult<F>>(() => this.#cancel(pending));
    const pending: PendingJob = { request: { module, name: job.name, args }, future };
    this.#waiting.add(pending);
    this.#startWaiting();
    return future;
  }

  /** Ends all workers at once. Jobs that run or wait fail; later ones are refused. */
  shutdown(): void {
    this.#shutDown = true;
    const unfinished = [...this.#running.values(), ...this.#waiting];
    for (const worker of [...this.#idle, ...this.#running.keys()]) worker.terminate();
    this.#idle.length = 0;
    this.#running.clear();
    this.#waiting.clear();
    for (const job of unfinished) job.future.setException(lost(job, "the executor was shut down"));
  }

  /** Shows what it does where the executor is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    const { size: running } = this.#running;
    const { size: waiting } = this.#waiting;
    return `WorkerExecutor { ${this.#idle.length} idle, ${running} running, ${waiting} waiting }`;
  }

  #startWaiting(): void {
    for (const job of this.#waiting) {
      if (this.#running.size === this.#limit) return;
      this.#waiting.delete(job);
      try {
        this.#start(job);
      } catch (error) {
        job.future.setException(error);
      }
    }
  }

  #start(job: PendingJob): void {
    if (this.#idle.length === 0) this.#idle.push(this.#makeWorker());
    const worker = this.#idle.at(-1)!; // the latest: it is the likeliest to have the module
    worker.postMessage(job.request); // throws if an argument cannot be cloned: it stays idle
    this.#idle.pop();
    this.#running.set(worker, job);
  }

  #makeWorker(): Worker {
    const worker = new Worker(new URL("./_worker_main.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => {
      if (data.kind === "exit") this.#died(worker, "the job made it exit");
      else this.#answered(worker, data);
    };
    worker.onerror = (event) => {
      event.preventDefault(); // else it ends this process too
      this.#died(worker, event.message);
    };
    return worker;
  }

  #answered(worker: Worker, answer: WorkerMessage & { kind: "result" | "error" }): void {
    const job = this.#running.get(worker);
    if (job === undefined) return; // it was terminated with the answer on its way
    this.#running.delete(worker);
    this.#idle.push(worker);
    this.#startWaiting();
    if (answer.kind === "result") job.future.setResult(answer.result);
    else job.future.setException(rebuilt(answer.error));
  }

  #died(worker: Worker, why: string): void {
    const job = this.#running.get(worker);
    if (job !== undefined) {
      this.#end(worker);
      job.future.setException(lost(job, `its worker died: ${why}`));
      return;
    }
    const place = this.#idle.indexOf(worker);
    if (place < 0) return; // it was terminated as it died
    this.#idle.splice(place, 1);
    worker.terminate();
    genLog.error("Idle worker died: {why}", { why });
  }

  #cancel(job: PendingJob): void {
    if (this.#waiting.delete(job)) return;
    for (const [worker, other] of this.#running) {
      if (other === job) this.#end(worker);
    }
  }

  #end(worker: Worker): void {
    worker.terminate();
    this.#running.delete(worker);
    this.#startWaiting();
  }
}

function lost({ request: { module, name } }: PendingJob, why: string): Error {
  return new Error(`Cannot finish "${name}" of ${module}: ${why}`);
}

function rebuilt({ name, message, stack }: JobError): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = stack;
  return error;
}
