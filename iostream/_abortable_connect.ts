/**
 * Connects, or gives up when `signal` is aborted.
 *
 * When an attempt is aborted in the moment in which it succeeds, Deno 2.9 says that it was aborted
 * and keeps the connection open for ever. So the abort goes on only when the runtime has looked at
 * what completed, and a connection that was made by then is closed here. That moment is left only
 * for connections that take longer than two rounds of the runtime and are aborted as they succeed.
 */
export async function abortableConnect(
  options: Deno.ConnectOptions,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const attempt = new AbortController();
  const abort = () => setImmediate(() => setImmediate(() => attempt.abort(signal.reason)));
  signal.addEventListener("abort", abort, { once: true });
  try {
    const conn = await Deno.connect({ ...options, signal: attempt.signal });
    if (!signal.aborted) return conn;
    conn.close();
    throw signal.reason;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
