import { openFileLimit, OTHER_FILES } from "./_open_files.ts";
import type { ServerProcess } from "./_server_process.ts";

/**
 * So many are opened before memory is looked at, and as many more behind. The space for young
 * objects, which grows with the first thousands and then no more, would otherwise count as some KB
 * for each of the others.
 */
const IDLE_CONNECTIONS = 8000;

/** As many of them in a run that only proves that all works. */
const QUICK_CONNECTIONS = 100;

/** How long a server gets to put away what an idle connection does not need. */
const SETTLE_MILLISECONDS = 1500;
const QUICK_SETTLE_MILLISECONDS = 50;

/** Connections that are opened at the same time, below any listen backlog. */
const CONNECT_BATCH = 100;

/** Opens many connections, some at a time. */
export async function openMany<T>(count: number, open: () => Promise<T>): Promise<T[]> {
  const conns: T[] = [];
  while (conns.length < count) {
    const length = Math.min(CONNECT_BATCH, count - conns.length);
    conns.push(...await Promise.all(Array.from({ length }, open)));
  }
  return conns;
}

/** Gives the resident memory, in bytes, that an idle connection of those that `open` makes costs. */
export async function idleMemory(
  server: ServerProcess,
  open: (port: number) => Promise<Deno.Conn>,
  quick: boolean,
): Promise<number | null> {
  const conns: Deno.Conn[] = [];
  const residentMemoryWith = async (more: number) => {
    conns.push(...await openMany(more, () => open(server.port)));
    const settle = quick ? QUICK_SETTLE_MILLISECONDS : SETTLE_MILLISECONDS;
    await new Promise((resolve) => setTimeout(resolve, settle));
    return await server.residentMemory();
  };
  const most = Math.floor((await openFileLimit() - OTHER_FILES) / 2);
  const idle = Math.min(quick ? QUICK_CONNECTIONS : IDLE_CONNECTIONS, most);
  try {
    const before = await residentMemoryWith(idle);
    const after = await residentMemoryWith(idle);
    return before === null || after === null ? null : (after - before) / idle;
  } finally {
    for (const conn of conns) conn.close();
  }
}
