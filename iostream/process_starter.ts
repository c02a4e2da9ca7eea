// A server that runs in several processes starts them, but how that is done is the business of
// process/, a layer above. This is the socket it plugs into.
import type { Future } from "../ioloop/mod.ts";

/** Options of `TCPServer.start`. */
export interface StartOptions {
  /**
   * How often processes that failed are started again, all of them together; one alone never is.
   *
   * @default {100}
   */
  maxRestarts?: number;
  /**
   * The flags of `deno run` that the processes get, such as fewer permissions; by default those
   * of this one. See `forkProcesses`.
   */
  denoFlags?: readonly string[];
}

/** Starts the processes of a server. @ignore */
export interface ProcessStarter {
  /**
   * Returns, in a process that {@linkcode start} made, the port that each port 0 became, in
   * their order; null in every other.
   */
  ports(): readonly number[] | null;
  /** Throws when {@linkcode start} cannot be. */
  check(count: number | null, options: StartOptions): void;
  /**
   * Starts `count` processes, or joins them if this is one: then the Future is done. In the
   * process that started them it never is.
   */
  start(count: number | null, ports: readonly number[], options: StartOptions): Future<void>;
}

let starter: ProcessStarter | null = null;

/** Sets who starts processes; `process/` does. @ignore */
export function _setProcessStarter(next: ProcessStarter): void {
  starter = next;
}

/** Returns who starts processes, if somebody does. @ignore */
export function _processStarter(): ProcessStarter | null {
  return starter;
}
