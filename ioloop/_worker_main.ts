// Is what each worker of a WorkerExecutor runs: one answer per request. Apart from types it
// imports nothing but the modules of the jobs, so that a worker starts fast.
import type { JobError, JobRequest, WorkerMessage } from "./_worker_protocol.ts";

/** Is the part of a worker's global scope that the main thread's lacks. */
interface WorkerScope {
  onmessage: (event: MessageEvent<JobRequest>) => void;
  close: () => void;
  postMessage(message: WorkerMessage): void;
}

const scope = globalThis as unknown as WorkerScope;

scope.onmessage = async ({ data }) => {
  try {
    // Inside: a result that cannot be cloned is a failure of the job like any other.
    scope.postMessage({ kind: "result", result: await run(data) });
  } catch (error) {
    scope.postMessage({ kind: "error", error: partsOf(error) });
  }
};

// Nobody else tells the executor of an exit. The runtime's own close() is silent even here.
addEventListener("unload", () => scope.postMessage({ kind: "exit" }));
scope.close = () => Deno.exit();

async function run({ module, name, args }: JobRequest): Promise<unknown> {
  const job = (await import(module))[name];
  if (typeof job !== "function") {
    throw new TypeError(`Cannot run "${name}" of ${module}: it exports no such function`);
  }
  return job(...args);
}

function partsOf(error: unknown): JobError {
  if (!(error instanceof Error)) {
    const message = `Job threw ${Deno.inspect(error)}`;
    return { name: "Error", message, stack: `Error: ${message}` };
  }
  const { name, message, stack = `${name}: ${message}` } = error;
  return { name, message, stack };
}
