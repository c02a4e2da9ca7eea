// An application can ask that the program starts anew when one of its files changes, but how
// that is done is the business of process/, a layer above. This is the socket it plugs into.
import { genLog, type IOLoop } from "../ioloop/mod.ts";

/** Is a server that has to let go of its port and its connections. @ignore */
export interface ReloadedServer {
  readonly ioLoop: IOLoop;
  stop(): void;
  closeAllConnections(): unknown;
}

/** Starts the program anew when one of its files changes. @ignore */
export interface Reloader {
  /** Begins to look; `paths` are looked at too, directories with all in them. */
  start(server: ReloadedServer, paths: readonly string[]): void;
}

let reloader: Reloader | null = null;
let warned = false;

/** Sets who does it; `process/` does. @ignore */
export function _setReloader(next: Reloader): void {
  reloader = next;
}

/** Begins to look for changes, if somebody can. @ignore */
export function _startReloader(server: ReloadedServer, templatePath: string | undefined): void {
  if (reloader !== null) reloader.start(server, templatePath === undefined ? [] : [templatePath]);
  else if (!warned) {
    warned = true;
    genLog.warn(
      "Cannot reload when a file changes: import @waterspout/waterspout/process, which does that",
    );
  }
}
