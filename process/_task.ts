// A child is told by one variable of its environment what it is:
//
//   WATERSPOUT_TASK=<task id> <id of the parent's process> [<port>,<port>...]
//
// The ports are there, maybe none of them, when TCPServer.start() made it. The variable is taken
// out of the environment as soon as it was read: what the child starts is none of the tasks.

const VARIABLE = "WATERSPOUT_TASK";

/** Is what a child is told. */
export interface Task {
  /** Its number, from 0. */
  readonly id: number;
  /** The id of the process that started it. */
  readonly parent: number;
  /** What the ports 0 of the server became; null when there is no such server. */
  readonly ports: readonly number[] | null;
}

let own: Task | null | undefined; // undefined: nobody has asked

/** Returns what this process was told; null when it is no child. */
export function ownTask(): Task | null {
  return own === undefined ? own = takeTask() : own;
}

/**
 * Makes sure that this process could have read its task: one that cannot must not start others,
 * because these could not either, and would start more.
 *
 * @throws {Error} when it may not.
 */
export function checkTaskAccess(): void {
  if (!mayRead()) {
    throw new Error(`Cannot start processes: they need deno run --allow-env=${VARIABLE}`);
  }
}

/** Returns the environment that makes a process a child. */
export function taskEnvironment({ id, parent, ports }: Task): Record<string, string> {
  return { [VARIABLE]: ports === null ? `${id} ${parent}` : `${id} ${parent} ${ports}` };
}

function takeTask(): Task | null {
  if (!mayRead()) return null;
  const text = Deno.env.get(VARIABLE) ?? "";
  const [, id, parent, ports] = /^(\d+) (\d+)(?: ([\d,]*))?$/.exec(text) ?? [];
  if (id === undefined) return null;
  Deno.env.delete(VARIABLE);
  return {
    id: Number(id),
    parent: Number(parent),
    ports: ports === undefined ? null : ports === "" ? [] : ports.split(",").map(Number),
  };
}

function mayRead(): boolean {
  return Deno.permissions.querySync({ name: "env", variable: VARIABLE }).state === "granted";
}
