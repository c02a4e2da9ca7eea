// Whether a process still answers on a Unix socket is known only by connecting to it, and
// Deno connects asynchronously only. Whoever binds a socket waits for no promise: so a worker
// connects, and this thread sleeps until it has. The worker's code is in a data URL, because
// loading a module would need permission to read it.

const MAX_WAIT_MS = 5000;

const UNKNOWN = 0;
const SILENT = 1;
const ANSWERED = 2;

const WORKER = `data:text/javascript,${
  encodeURIComponent(`
    self.onmessage = async ({ data: { path, shared } }) => {
      let outcome = ${ANSWERED};
      try {
        (await Deno.connect({ transport: "unix", path })).close();
      } catch ({ code }) {
        if (code === "ECONNREFUSED" || code === "ENOENT") outcome = ${SILENT};
      }
      const cell = new Int32Array(shared);
      Atomics.store(cell, 0, outcome);
      Atomics.notify(cell, 0);
    };
  `)
}`;

/**
 * Tells whether somebody answers on a Unix socket. It blocks the thread for some 50 ms; in
 * doubt (no permission, no answer in time) the answer is yes.
 */
export function askForAnswer(path: string): boolean {
  const shared = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const cell = new Int32Array(shared);
  const worker = new Worker(WORKER, { type: "module" });
  try {
    worker.postMessage({ path, shared });
    Atomics.wait(cell, 0, UNKNOWN, MAX_WAIT_MS);
  } finally {
    worker.terminate();
  }
  return Atomics.load(cell, 0) !== SILENT;
}
