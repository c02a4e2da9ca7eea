/**
 * Is all that a stream asks of a connection. A `Deno.Conn` fits as it is; the in-memory
 * pair of `testing/` is another, and so may be a user's own kind of source.
 *
 * At most one read and one write are in flight at a time, and the buffer given to either
 * is left untouched until it ended.
 */
export interface Transport {
  /**
   * Fills `buffer` from its start with what has arrived and tells how many bytes that
   * were, or null at the end of the stream. Waits while there is nothing.
   */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of `data` and tells how many bytes it took: at least one, maybe not all. */
  write(data: Uint8Array): Promise<number>;
  /** Closes both directions at once; what is in flight fails. */
  close(): void;
  /** Ends the sending direction; the peer reads the end of the stream. */
  closeWrite(): Promise<void>;
  /** Has what is in flight keep the process running, as it does at first. */
  ref?(): void;
  /** Lets the process end although something is in flight. */
  unref?(): void;
}
