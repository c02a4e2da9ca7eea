// A process that starts anew holds still from there on: what is left of its program must not run
// beside its successor. So the thread of the program sleeps, and this worker is the parent.
import type { OwnCommand } from "./_own_command.ts";
import { runReloading } from "./_reload_parent.ts";

const RUNNING = -1;

interface Order {
  readonly command: OwnCommand;
  /** Gets the code that the process is to end with. */
  readonly code: Int32Array<SharedArrayBuffer>;
}

/** Holds the worker, and the thread that waits for it. */
export class ReloadWorker {
  readonly #worker: Worker;

  private constructor(worker: Worker) {
    this.#worker = worker;
  }

  /**
   * Makes one that can be used when nothing else runs any more.
   *
   * @throws {Error} when it cannot be loaded.
   */
  static async create(): Promise<ReloadWorker> {
    const worker = new Worker(import.meta.url, { type: "module", name: "waterspout reload" });
    const ready = Promise.withResolvers<void>();
    worker.onmessage = () => ready.resolve();
    worker.onerror = (event) => {
      event.preventDefault();
      ready.reject(new Error(event.message));
    };
    await ready.promise;
    return new ReloadWorker(worker);
  }

  /** Runs the program again, and ends this process as it ends. Nothing else happens here. */
  run(command: OwnCommand): never {
    const code = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    code[0] = RUNNING;
    const order: Order = { command, code };
    this.#worker.postMessage(order);
    Atomics.wait(code, 0, RUNNING);
    Deno.exit(code[0]);
  }
}

async function follow({ command, code }: Order): Promise<void> {
  let result = 1;
  try {
    ({ code: result } = await runReloading(command));
  } finally {
    Atomics.store(code, 0, result);
    Atomics.notify(code, 0);
  }
}

// This module is loaded by the program too.
const scope = globalThis as unknown as {
  WorkerGlobalScope?: unknown;
  name?: string;
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent<Order>) => void) | null;
};
if (scope.WorkerGlobalScope !== undefined && scope.name === "waterspout reload") {
  scope.onmessage = ({ data }) => void follow(data);
  scope.postMessage("ready");
}
