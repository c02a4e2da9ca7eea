// An acceptor takes the connections of one listener and hands them on. It is in one state:
//
//   ACCEPTING --pause()--> PAUSED --resume()--> ACCEPTING        any --close()--> CLOSED
//   ACCEPTING --no descriptor is left--> WAITING --RETRY_MS--> ACCEPTING
//
// Each turn of the loop takes one connection of a listener at most: a flood of them cannot
// keep the loop from anything else.
//
// A connection that was in the making when the acceptor paused stays in the channel. It is
// accepted as far as its peer can tell, and handed on after resume(): one for each listener,
// whatever else comes waits in the kernel's backlog.
import { describeError } from "../ioloop/errors.ts";
import { errorCode, genLog, IOLoop } from "../ioloop/mod.ts";
import type { SourceChannel, Timeout } from "../ioloop/mod.ts";

const RETRY_MS = 100; // after running out of descriptors: time for others to close

// What went wrong with the one connection that was about to be accepted, accept(2).
const LOST_CONNECTION = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENONET",
  "ENOTCONN",
  "EPROTO",
]);

const State = { ACCEPTING: 0, PAUSED: 1, WAITING: 2, CLOSED: 3 } as const;
type State = typeof State[keyof typeof State];

/** Accepts the connections of a listener in a loop. */
export class Acceptor {
  readonly #loop: IOLoop;
  readonly #listener: Deno.Listener;
  readonly #accepted: (conn: Deno.Conn) => unknown;
  readonly #channel: SourceChannel<Deno.Listener>;
  #state: State = State.ACCEPTING;
  #failing = false; // since the last connection: it is logged once
  #retry: Timeout | null = null; // there exactly while it is WAITING

  /** Starts to accept; `accepted` is called in the loop's turn. */
  constructor(
    loop: IOLoop,
    listener: Deno.Listener,
    accepted: (conn: Deno.Conn) => unknown,
  ) {
    this.#loop = loop;
    this.#listener = listener;
    this.#accepted = accepted;
    this.#channel = loop.addHandler(listener, () => this.#accept(), IOLoop.READ);
  }

  /** Leaves further connections to the backlog until {@linkcode resume}. */
  pause(): void {
    if (this.#state === State.CLOSED) return;
    this.#stopWaiting();
    this.#state = State.PAUSED;
    this.#channel.want(IOLoop.NONE);
  }

  /** Accepts again after {@linkcode pause}. */
  resume(): void {
    if (this.#state !== State.PAUSED) return;
    this.#state = State.ACCEPTING;
    this.#channel.want(IOLoop.READ);
  }

  /** Ends accepting; the listener stays open. A second call does nothing. */
  close(): void {
    if (this.#state === State.CLOSED) return;
    this.#stopWaiting();
    this.#state = State.CLOSED;
    this.#loop.removeHandler(this.#listener);
  }

  #accept(): unknown {
    let conn: Deno.Conn | undefined;
    try {
      conn = this.#channel.take();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (conn === undefined) return;
    this.#failing = false;
    return this.#accepted(conn);
  }

  // A peer that hung up before it was accepted is none of our business. Without descriptors
  // every accept fails at once: wait, instead of spinning.
  #failed(error: unknown): void {
    if (LOST_CONNECTION.has(errorCode(error) ?? "")) return;
    if (error instanceof Deno.errors.ConnectionAborted) return;
    const over = error instanceof Deno.errors.BadResource;
    if (!this.#failing) {
      genLog.error(
        over
          ? "Cannot accept connections any more, the listener was closed: {error}"
          : "Cannot accept a connection: {error}",
        { error: describeError(error) },
      );
    }
    this.#failing = true;
    if (over) this.close();
    else this.#waitAndRetry();
  }

  #waitAndRetry(): void {
    this.#state = State.WAITING;
    this.#channel.want(IOLoop.NONE);
    this.#retry = this.#loop.callLater(RETRY_MS, () => {
      this.#retry = null;
      this.#state = State.ACCEPTING;
      this.#channel.want(IOLoop.READ);
    });
  }

  #stopWaiting(): void {
    if (this.#retry !== null) this.#loop.removeTimeout(this.#retry);
    this.#retry = null;
  }
}

/**
 * Calls `callback(conn, address)` in the current loop for each connection that comes to
 * `listener`, and returns the function that ends this; the listener stays open and is the
 * caller's, as each connection is.
 *
 * A turn of the loop takes one connection of a listener at most. A peer that hung up before it
 * was accepted is passed over. When the process has no descriptor left, that is logged, once
 * until a connection comes again, and tried anew every 100 ms. What the callback throws is
 * logged.
 *
 * @throws {Error} when the listener is registered in the loop already.
 *
 * @example Count connections
 * ```ts
 * import { Future, IOLoop } from "@waterspout/waterspout/ioloop";
 * import { addAcceptHandler } from "@waterspout/waterspout/iostream";
 * import { assertEquals } from "@std/assert";
 *
 * await new IOLoop().run(function* () {
 *   using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 *   const first = new Future<Deno.Addr>();
 *   const remove = addAcceptHandler(listener, (conn, address) => {
 *     conn.close();
 *     first.setResult(address);
 *   });
 *   const client = yield* Future.from(Deno.connect({ port: listener.addr.port }));
 *   assertEquals(yield* first, client.localAddr);
 *   client.close();
 *   remove();
 * });
 * ```
 */
export function addAcceptHandler<C extends Deno.Conn>(
  listener: Deno.Listener<C>,
  callback: (conn: C, address: C["remoteAddr"]) => unknown,
): () => void {
  const acceptor = new Acceptor(
    IOLoop.current(),
    listener as Deno.Listener,
    (conn) => callback(conn as C, conn.remoteAddr),
  );
  return () => acceptor.close();
}
