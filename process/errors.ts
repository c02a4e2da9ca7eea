/** Is thrown when a program ended with a failure; see {@linkcode Subprocess.waitForExit}. */
export class CalledProcessError extends Error {
  /** What it ended with: its exit code, or the number of the signal that killed it, negative. */
  readonly returncode: number;
  /** The program and its arguments. */
  readonly command: readonly string[];

  /** Says that `command` ended with `returncode`. */
  constructor(command: readonly string[], returncode: number) {
    const how = returncode < 0 ? `was killed by signal ${-returncode}` : `ended with ${returncode}`;
    super(`Cannot go on without ${command[0]}: it ${how}`);
    this.name = "CalledProcessError";
    this.command = command;
    this.returncode = returncode;
  }
}
