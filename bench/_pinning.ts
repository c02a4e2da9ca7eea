import { availableProgram } from "./_programs.ts";

/** The processor that the server has to itself, where that can be arranged. */
export const SERVER_CPU = "0";

/** The load gets the other one. */
export const LOAD_CPU = "1";

/** Pins a command to one processor, where `taskset` is installed. */
export async function pinned(
  cpu: string,
  command: readonly string[],
): Promise<string[]> {
  return navigator.hardwareConcurrency > 1 && await availableProgram("taskset")
    ? ["taskset", "-c", cpu, ...command]
    : [...command];
}
