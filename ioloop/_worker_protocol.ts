/** Asks a worker to run a job; it gets the next one when it has answered. */
export interface JobRequest {
  /** The absolute URL of the module. */
  readonly module: string;
  /** The name of the exported function. */
  readonly name: string;
  /** What the function is called with. */
  readonly args: readonly unknown[];
}

/** The parts of an error that cross; a clone of it would lose its name. */
export interface JobError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** Tells how a job ended, or that the worker exits without an error. */
export type WorkerMessage =
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly error: JobError }
  | { readonly kind: "exit" };
