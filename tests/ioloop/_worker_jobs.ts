// Jobs for the tests of WorkerExecutor: each runs in a worker.

export function double(n: number): number {
  return 2 * n;
}

export async function doubleLater(n: number): Promise<number> {
  await new Promise<void>((resolve) => setTimeout(resolve, 1));
  return 2 * n;
}

/** Counts the calls in this worker. */
export function count(): number {
  return ++calls;
}
let calls = 0;

/** Adds 1 to a cell, and blocks its thread until there are as many as `party` says. */
export function meet(cell: Int32Array<SharedArrayBuffer>, party: number): number {
  Atomics.add(cell, 0, 1);
  Atomics.notify(cell, 0);
  for (let here; (here = Atomics.load(cell, 0)) < party;) Atomics.wait(cell, 0, here);
  return party;
}

/** Says that it runs, and never ends. */
export function hang(cell: Int32Array<SharedArrayBuffer>): never {
  Atomics.add(cell, 0, 1);
  Atomics.notify(cell, 0);
  for (;;);
}

/** Says that it was called. */
export function mark(cell: Int32Array<SharedArrayBuffer>): void {
  Atomics.add(cell, 0, 1);
}

class NoLuckError extends RangeError {
  constructor(message: string) {
    super(message);
    this.name = "NoLuckError";
  }
}

export function fail(message: string): never {
  throw new NoLuckError(message);
}

export function throwValue(): never {
  throw { code: 7 };
}

export function giveFunction(): () => void {
  return () => {};
}

/** Makes the worker die by an error that is not the job's own. */
export function failAside(): Promise<never> {
  queueMicrotask(() => {
    throw new Error("aside");
  });
  return new Promise(() => {});
}

export function exit(): void {
  Deno.exit(3);
}

export function closeScope(): Promise<never> {
  globalThis.close();
  return new Promise(() => {});
}

/** Ends well, and makes the worker die afterwards. */
export function failLater(): void {
  setTimeout(() => {
    throw new Error("later");
  });
}

export const notCallable = 1;
