import { Buffer } from "node:buffer";
import type { Backplane, BackplaneListener } from "./backplane.ts";

/** Sends commands to Redis: what is used of a client of the npm package `redis`. */
export interface RedisPublisher {
  /** Publishes on a channel. */
  publish(channel: string, message: Buffer): PromiseLike<unknown>;
}

/** Listens to Redis: what is used of a second client, which can do nothing else meanwhile. */
export interface RedisSubscriber {
  /** Listens to a channel; with `true`, the listener is given bytes. */
  subscribe(
    channel: string,
    listener: (message: Buffer) => void,
    bufferMode: true,
  ): PromiseLike<unknown>;
  /** Stops to listen to a channel. */
  unsubscribe(channel: string): PromiseLike<unknown>;
}

/** Options of {@linkcode RedisBackplane}. */
export interface RedisBackplaneOptions {
  /** A connected client that publishes. */
  publisher: RedisPublisher;
  /** A connected client of its own that listens: `publisher.duplicate()`. */
  subscriber: RedisSubscriber;
  /**
   * What the names of the channels begin with.
   *
   * @default {"waterspout:"}
   */
  prefix?: string;
}

/**
 * Is a {@linkcode Backplane} over publish and subscribe of Redis. The clients are those of the
 * npm package `redis`, or like them; whoever made them connects and closes them. A message
 * that is published while a client has lost its connection does not arrive.
 *
 * @example In place of Redis
 * ```ts
 * import { Buffer } from "node:buffer";
 * import { RedisBackplane } from "@waterspout/waterspout/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const listeners = new Map<string, (message: Buffer) => void>();
 * const redis = {
 *   publish: async (channel: string, message: Buffer) => await listeners.get(channel)?.(message),
 *   subscribe: async (channel: string, listener: (message: Buffer) => void) => {
 *     await listeners.set(channel, listener);
 *   },
 *   unsubscribe: async (channel: string) => await listeners.delete(channel),
 * };
 * const backplane = new RedisBackplane({ publisher: redis, subscriber: redis });
 * const seen: number[] = [];
 * await backplane.subscribe("news", (data) => seen.push(...data));
 * await backplane.publish("news", Uint8Array.of(7));
 * assertEquals([seen, [...listeners.keys()]], [[7], ["waterspout:news"]]);
 * ```
 */
export class RedisBackplane implements Backplane {
  readonly #publisher: RedisPublisher;
  readonly #subscriber: RedisSubscriber;
  readonly #prefix: string;

  /** Takes two connected clients. */
  constructor({ publisher, subscriber, prefix = "waterspout:" }: RedisBackplaneOptions) {
    this.#publisher = publisher;
    this.#subscriber = subscriber;
    this.#prefix = prefix;
  }

  /** See {@linkcode Backplane.publish}. */
  publish(topic: string, data: Uint8Array): PromiseLike<unknown> {
    const message = Buffer.from(data.buffer, data.byteOffset, data.length);
    return this.#publisher.publish(this.#prefix + topic, message);
  }

  /** See {@linkcode Backplane.subscribe}. */
  subscribe(topic: string, listener: BackplaneListener): PromiseLike<unknown> {
    return this.#subscriber.subscribe(this.#prefix + topic, listener, true);
  }

  /** See {@linkcode Backplane.unsubscribe}. */
  unsubscribe(topic: string): PromiseLike<unknown> {
    return this.#subscriber.unsubscribe(this.#prefix + topic);
  }
}
