/** How long a server may take until it listens. */
export const START_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = 20;

/** Gives a port at 127.0.0.1 on which nobody listens. */
export function unusedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until a port at 127.0.0.1 takes connections; tells whether it came to that. */
export async function listens(port: number): Promise<boolean> {
  for (let left = START_MILLISECONDS; left > 0; left -= RETRY_MILLISECONDS) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    }
  }
  return false;
}
