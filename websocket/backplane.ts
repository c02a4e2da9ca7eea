/** Is called with what another server published. */
export type BackplaneListener = (data: Uint8Array) => void;

/**
 * Carries messages between servers: what one publishes under a topic is given to the listeners
 * of that topic on all of them, its own included or not, as it likes. {@linkcode Topics} uses
 * one; {@linkcode RedisBackplane} is one.
 */
export interface Backplane {
  /** Gives `data` to the listeners of `topic`, wherever they are. */
  publish(topic: string, data: Uint8Array): PromiseLike<unknown>;
  /** Has `listener` called with what is published; a topic has one listener at a time. */
  subscribe(topic: string, listener: BackplaneListener): PromiseLike<unknown>;
  /** Ends what {@linkcode subscribe} began. */
  unsubscribe(topic: string): PromiseLike<unknown>;
}
