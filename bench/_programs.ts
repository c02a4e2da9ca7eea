const found = new Map<string, Promise<boolean>>();

/** Tells whether a program of that name can be run; asks the system once. */
export function availableProgram(name: string): Promise<boolean> {
  const known = found.get(name);
  if (known) return known;
  const asked = runs(name);
  found.set(name, asked);
  return asked;
}

/** Gives what a program prints; `null` if it is not there, or fails. */
export async function programOutput(program: string, ...args: string[]): Promise<string | null> {
  if (!await availableProgram(program)) return null;
  const command = new Deno.Command(program, { args, stderr: "null" });
  const { success, stdout } = await command.output();
  return success ? new TextDecoder().decode(stdout).trim() : null;
}

async function runs(name: string): Promise<boolean> {
  try {
    // What it says to that does not matter: not found is an exception.
    const command = new Deno.Command(name, {
      args: ["--version"],
      stdout: "null",
      stderr: "null",
    });
    await command.output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
