import { askForAnswer } from "./_unix_probe.ts";

/** Options of {@linkcode bindUnixSocket}. */
export interface BindUnixSocketOptions {
  /**
   * Who may connect, as the mode of the file: whoever may write to it.
   *
   * @default {0o600}
   */
  mode?: number;
  /**
   * How many connections may wait in the kernel to be accepted. Taken for the sake of
   * programs that give it: Deno has no such option for Unix sockets, and its own number holds.
   *
   * @default {128}
   */
  backlog?: number;
}

/**
 * Listens on a Unix socket. A socket file that is left over from a process that is gone is
 * replaced; to learn that it is gone, this asks it for an answer, which takes some 50 ms. Deno
 * removes the file once the listener is closed and its pending accept has ended.
 *
 * A path that starts with NUL is a name in the abstract namespace of Linux: there is no file,
 * so no mode either, and every local process may connect.
 *
 * @throws {Deno.errors.AddrInUse} when somebody answers on the socket; the message names it.
 * @throws {Deno.errors.AlreadyExists} when there is a file of another kind.
 * @throws {Deno.errors.NotCapable} without permission to read and write the path and for the
 *   net; the message names the flag.
 * @throws {TypeError} when the path is empty.
 *
 * @example Listen and connect
 * ```ts
 * import { bindUnixSocket } from "@waterspout/waterspout/iostream";
 *
 * const path = `${Deno.makeTempDirSync()}/socket`;
 * using listener = bindUnixSocket(path);
 * const [client, served] = await Promise.all([
 *   Deno.connect({ transport: "unix", path }),
 *   listener.accept(),
 * ]);
 * client.close();
 * served.close();
 * ```
 */
export function bindUnixSocket(
  path: string,
  { mode = 0o600 }: BindUnixSocketOptions = {},
): Deno.UnixListener {
  if (path === "") throw new TypeError("Cannot listen on a Unix socket: its path is empty");
  if (path.startsWith("\0")) return listenOn(path);
  removeLeftOver(path);
  const listener = listenOn(path);
  // Until here the mode is what the umask left: with the usual one, nobody else can write.
  try {
    Deno.chmodSync(path, mode);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}

function removeLeftOver(path: string): void {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (!info.isSocket) {
    throw new Deno.errors.AlreadyExists(
      `Cannot listen on ${path}: it exists and is not a socket`,
    );
  }
  if (askForAnswer(path)) throw inUse(path);
  Deno.removeSync(path);
}

function listenOn(path: string): Deno.UnixListener {
  try {
    return Deno.listen({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw inUse(path, error);
    throw error;
  }
}

function inUse(path: string, cause?: unknown): Error {
  const name = path.startsWith("\0") ? `@${path.slice(1)}` : path;
  return new Deno.errors.AddrInUse(
    `Cannot listen on ${name}: it is in use`,
    cause === undefined ? undefined : { cause },
  );
}
