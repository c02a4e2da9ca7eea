// While a loop is not traced, its `_tracer` is null: each place that has something to tell
// compares that and goes on. While it is, each place makes one small record. A span, which has
// a duration, is recorded when it ends, so the ring never holds a beginning without an end;
// spans nest, as everything here is synchronous, and a stack knows when the open ones began.
//
// Objects are known by a number that they get when they are first seen. The numbers lie in
// weak maps: what is not traced carries no field for them, and nothing is kept alive.
//
// Who subscribes is given batches, at a bounded rate, from a timer of the same loop. That turn
// is not recorded: a quiet loop stays quiet. And when all that record have had their fill,
// the loop is not traced until the next batch is due: watching a busy server costs it a
// fixed number of records in a second, not some for each of its requests.
import { describeChromeTrace } from "./chrome_trace.ts";
import type { Future, FutureOwner } from "./future.ts";
import type { Timeout } from "./timeout_heap.ts";
import type { TraceEvent, TraceEventName } from "./trace_event.ts";

const CAPACITY = 10_000; // records, 1.4 MB; a busy server makes that many in some 20 ms
const BATCH_MS = 100; // ten pictures in a second look live
const BATCH_SIZE = 500; // records; to make them takes about 0.15 ms
const MAX_WHAT = 120; // characters; a path may be 64 KiB

/** Is what a listener of {@linkcode Tracer.subscribe} is given. */
export interface TraceBatch {
  /** What was recorded since the last batch, by the time at which it ended. */
  readonly events: readonly TraceEvent[];
  /** Whether there was more than `limit` allows; what followed is left out. */
  readonly cut: boolean;
}

/** Options of {@linkcode Tracer.start}. */
export interface TraceOptions {
  /**
   * How many records are kept, the last ones.
   *
   * @default {10000}
   */
  capacity?: number;
}

/** Options of {@linkcode Tracer.subscribe}. */
export interface SubscribeOptions {
  /**
   * The least time between two batches, in ms.
   *
   * @default {100}
   */
  every?: number;
  /**
   * The most records of a batch.
   *
   * @default {500}
   */
  limit?: number;
}

/** Is what a tracer asks of its loop. */
export interface TracedLoop {
  /** The tracer, while it records. @ignore */
  _tracer: Tracer | null;
  /** The time in ms. */
  time(): number;
  /** Calls back after `delay` ms. @ignore */
  _callLater(delay: number, callback: () => void): Timeout;
  /** Takes that back. */
  removeTimeout(timeout: Timeout): void;
}

interface Subscription {
  readonly listener: (batch: TraceBatch) => void;
  readonly every: number;
  readonly limit: number;
  events: TraceEvent[];
  cut: boolean;
  timer: Timeout | null; // there while there is something to deliver
}

// Where something belongs: the number of the request, and of its connection.
interface Place {
  readonly id: number;
  readonly connection: number;
  readonly request: number;
}

const NOWHERE: Place = { id: 0, connection: 0, request: 0 };

/**
 * Records what a loop does: each turn with its callbacks, timeouts, events and flushes, the way
 * of each connection and request, and what each coroutine waits for. A loop has one,
 * {@linkcode IOLoop.trace}. It records from {@linkcode start} to {@linkcode stop}, and while
 * somebody subscribes. Only then is it the loop's `tracer`, which is null otherwise.
 *
 * @example Record a stretch, and look at it in a browser
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { sleep } from "@waterspout/waterspout/gen";
 * import { assertEquals } from "@std/assert";
 *
 * const loop = new IOLoop();
 * loop.trace.start();
 * await loop.run(function* nap() {
 *   yield* sleep(5);
 * });
 * loop.trace.stop();
 * const waits = loop.trace.events().filter(({ name }) => name === "coroutine.waiting");
 * assertEquals(waits[0]?.what, "sleep 5 ms");
 * const json = loop.trace.export(); // a file for ui.perfetto.dev or chrome://tracing
 * assertEquals(typeof JSON.parse(json).traceEvents.length, "number");
 * ```
 */
export class Tracer {
  readonly #loop: TracedLoop;
  #started = false;
  readonly #subscriptions = new Set<Subscription>();
  #capacity = CAPACITY;
  #ring: TraceEvent[] = [];
  #next = 0; // where the next record goes once the ring is full

  #turn = 0;
  #dispatched = 0; // callbacks, timeouts and events of this turn
  #delivering = false; // a batch was handed over in the call that is in progress,
  #delivered = false; // or in this turn
  readonly #open: number[] = []; // when the spans that are open began
  #accepted: Place | null = null; // a connection that has no stream yet

  #lastId = 0; // of connections, requests and coroutines together
  readonly #places = new WeakMap<object, Place>();
  readonly #names = new WeakMap<object, string>(); // of coroutines
  readonly #notes = new WeakMap<object, string>(); // what a Future stands for
  readonly #ignored = new WeakSet<object>();

  /** Is made by the loop. */
  constructor(loop: TracedLoop) {
    this.#loop = loop;
  }

  /** Whether it was started, or somebody subscribes. */
  get recording(): boolean {
    return this.#started || this.#subscriptions.size > 0;
  }

  /**
   * Forgets what was recorded and records until {@linkcode stop}.
   *
   * @throws {RangeError} when `capacity` is not a whole number from 1.
   */
  start({ capacity = CAPACITY }: TraceOptions = {}): void {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(
        `Cannot start the trace: its capacity must be a whole number from 1, got ${capacity}`,
      );
    }
    this.clear();
    this.#capacity = capacity;
    this.#started = true;
    this.#switch();
  }

  /** Ends what {@linkcode start} began; what was recorded stays. Harmless twice. */
  stop(): void {
    this.#started = false;
    this.#switch();
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.#ring = [];
    this.#next = 0;
  }

  /** Returns what was recorded last, by the time at which it ended. */
  events(): TraceEvent[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }

  /**
   * Has `listener` called with what is recorded, in batches: the first `limit` records of each
   * stretch of `every` ms. It records until the function that is returned is called. While
   * `limit` is reached and nobody else records, nothing is: a listener costs a busy loop no
   * more than that. What `listener` throws is logged.
   *
   * @throws {RangeError} when `every` is below 0, or `limit` is not a whole number from 1.
   *
   * @example Tell of slow callbacks
   * ```ts
   * import { IOLoop } from "@waterspout/waterspout/ioloop";
   * import { assertEquals } from "@std/assert";
   *
   * const loop = new IOLoop();
   * const slow: string[] = [];
   * const end = loop.trace.subscribe(({ events }) => {
   *   for (const { name, what, ms } of events) {
   *     if (name === "callback.ended" && ms >= 20) slow.push(what);
   *   }
   *   end();
   *   loop.stop();
   * }, { every: 10 });
   * loop.addCallback(function think() {
   *   const until = performance.now() + 25;
   *   while (performance.now() < until);
   * });
   * await loop.start();
   * assertEquals(slow, ["think"]);
   * assertEquals(loop.tracer, null);
   * ```
   */
  subscribe(
    listener: (batch: TraceBatch) => void,
    { every = BATCH_MS, limit = BATCH_SIZE }: SubscribeOptions = {},
  ): () => void {
    if (!(every >= 0)) throw new RangeError(`Cannot subscribe: every ${every} ms is not possible`);
    if (!Number.isInteger(limit) || limit < 1) {
      throw new RangeError(
        `Cannot subscribe: the limit must be a whole number from 1, got ${limit}`,
      );
    }
    const subscription: Subscription = {
      listener,
      every,
      limit,
      events: [],
      cut: false,
      timer: null,
    };
    this.#subscriptions.add(subscription);
    this.#switch();
    return () => {
      if (!this.#subscriptions.delete(subscription)) return;
      if (subscription.timer !== null) this.#loop.removeTimeout(subscription.timer);
      this.#switch();
    };
  }

  /**
   * Leaves out what `stream` reads and writes: for the connection over which a trace is sent,
   * which would tell of itself without end.
   */
  ignore(stream: object): void {
    this.#ignored.add(stream);
  }

  /**
   * Returns what was recorded as the JSON of Chrome's trace event format, which chrome://tracing
   * and ui.perfetto.dev show: turns and steps as nested spans of one thread; connections,
   * requests and coroutines as asynchronous spans. Times are in us from the first record.
   */
  export(): string {
    return JSON.stringify(describeChromeTrace(this.events()));
  }

  /** Shows the state where the tracer is printed. */
  [Symbol.for("Deno.customInspect")](): string {
    return `Tracer { ${this.recording ? "recording" : "off"}, ${this.#ring.length} records }`;
  }

  /** A turn begins. @ignore */
  _turnBegan(): void {
    this.#turn++;
    this.#dispatched = 0;
    this.#delivered = false;
    this._began();
  }

  /** And ends. One that did nothing but deliver a batch is left out. @ignore */
  _turnEnded(): void {
    const began = this.#open.pop()!;
    this.#accepted = null;
    if (this.#dispatched === 0 && this.#delivered) return;
    this.#span("turn.ended", began, NOWHERE, "", this.#dispatched);
  }

  /** Something begins of which one of the next four tells the end. @ignore */
  _began(): void {
    this.#open.push(this.#loop.time());
  }

  /** A callback, a timeout or the handler of an event has returned. @ignore */
  _called(name: TraceEventName, callback: { readonly name: string } | null): void {
    const began = this.#open.pop()!;
    if (this.#delivering) {
      this.#delivering = false;
      return;
    }
    this.#dispatched++;
    this.#span(name, began, NOWHERE, callback === null ? "" : callback.name || "(anonymous)", 0);
  }

  /** Streams were flushed. @ignore */
  _flushed(streams: readonly object[]): void {
    const began = this.#open.pop()!;
    const count = streams.filter((stream) => !this.#ignored.has(stream)).length;
    if (count > 0) this.#span("flush.ended", began, NOWHERE, "", count);
  }

  /** A server took a connection of which a stream is about to be made. @ignore */
  _accepted(address: Deno.Addr): void {
    const peer = "hostname" in address
      ? `${address.hostname}:${address.port}`
      : "path" in address
      ? address.path || "unix"
      : address.transport;
    this.#accepted = this.#placed(++this.#lastId);
    this.#instant("connection.accepted", this.#accepted, peer);
  }

  /** A stream got its connection. @ignore */
  _opened(stream: object): void {
    const place = this.#accepted ?? this.#placed(++this.#lastId);
    this.#accepted = null;
    this.#places.set(stream, place);
    this.#instant("connection.opened", place, "");
  }

  /** Bytes came to a stream; null: its end. @ignore */
  _read(stream: object, count: number | null): void {
    if (this.#ignored.has(stream)) return;
    const name = count === null ? "connection.ended" : "connection.read";
    this.#instant(name, this.#connection(stream), "", count ?? 0);
  }

  /** The kernel took bytes of a stream. @ignore */
  _wrote(stream: object, count: number): void {
    if (!this.#ignored.has(stream)) {
      this.#instant("connection.wrote", this.#connection(stream), "", count);
    }
  }

  /** A stream closed. @ignore */
  _closed(stream: object, error: unknown): void {
    const what = error === null ? "" : error instanceof Error ? error.message : String(error);
    this.#instant("connection.closed", this.#connection(stream), what);
  }

  /** The head of a request is complete. @ignore */
  _parsed(
    stream: object,
    request: { readonly method: string; readonly path: string },
  ): void {
    const { connection } = this.#connection(stream);
    const id = ++this.#lastId;
    const place = { id, connection, request: id };
    this.#places.set(request, place);
    this.#instant("request.parsed", place, `${request.method} ${request.path}`);
  }

  /** Its route was found. @ignore */
  _routed(request: object, route: string | null): void {
    this.#instant("request.routed", this.#placeOf(request), route ?? "");
  }

  /** Its handler was made. @ignore */
  _handled(request: object, handler: object): void {
    const place = this.#placeOf(request);
    if (place !== NOWHERE) this.#places.set(handler, place);
    this.#instant("handler.started", place, handler.constructor.name);
  }

  /** The head of its answer was written. @ignore */
  _answering(request: object, status: number): void {
    this.#instant("answer.began", this.#placeOf(request), "", status);
  }

  /** Its answer has its end. @ignore */
  _answered(request: object): void {
    this.#instant("request.answered", this.#placeOf(request), "");
  }

  /** A coroutine runs; {@linkcode _stepped} tells when it stopped. @ignore */
  _stepping(coroutine: Future<unknown>, source: { readonly name: string } | null): void {
    if (!this.#places.has(coroutine)) {
      const owner: FutureOwner | null = coroutine._owner;
      const place = this.#placeOf(owner);
      const id = ++this.#lastId;
      this.#places.set(coroutine, { ...place, id });
      this.#names.set(coroutine, source === null ? "generator" : source.name || "(anonymous)");
      const parent = place.id !== place.request ? place.id : 0; // else the owner is a handler
      this.#coroutineIs("coroutine.started", coroutine, this.#names.get(coroutine)!, parent);
    }
    this._began();
  }

  /** It waits, or has ended. @ignore */
  _stepped(coroutine: Future<unknown>, waiting: Future<unknown> | null): void {
    const began = this.#open.pop()!;
    const place = this.#placeOf(coroutine);
    const what = this.#names.get(coroutine) ?? "";
    this.#record(
      "coroutine.stepped",
      began,
      this.#loop.time() - began,
      place,
      place.id,
      0,
      0,
      what,
    );
    if (waiting !== null) {
      const child = this.#names.get(waiting);
      const note = child ?? this.#notes.get(waiting) ?? waiting._what;
      const parent = child === undefined ? 0 : this.#placeOf(waiting).id;
      this.#coroutineIs("coroutine.waiting", coroutine, note, parent);
    } else if (coroutine.done()) {
      const how = coroutine._fulfilled
        ? "returned"
        : coroutine.cancelled()
        ? "cancelled"
        : "failed";
      this.#coroutineIs("coroutine.ended", coroutine, how, 0);
    }
  }

  /** Says what who waits for `future` waits for. @ignore */
  _note(future: Future<unknown>, what: string): void {
    this.#notes.set(future, what);
  }

  #connection(stream: object): Place {
    const known = this.#places.get(stream);
    if (known !== undefined) return known;
    const place = this.#placed(++this.#lastId); // it was opened before
    this.#places.set(stream, place);
    return place;
  }

  #placed(connection: number): Place {
    return { id: connection, connection, request: 0 };
  }

  #placeOf(object: object | null): Place {
    return object === null ? NOWHERE : this.#places.get(object) ?? NOWHERE;
  }

  #coroutineIs(
    name: TraceEventName,
    coroutine: object,
    what: string,
    parent: number,
  ): void {
    const place = this.#placeOf(coroutine);
    this.#record(name, this.#loop.time(), 0, place, place.id, parent, 0, what);
  }

  #instant(name: TraceEventName, place: Place, what: string, count = 0): void {
    this.#record(name, this.#loop.time(), 0, place, 0, 0, count, what);
  }

  #span(name: TraceEventName, began: number, place: Place, what: string, count: number): void {
    this.#record(name, began, this.#loop.time() - began, place, 0, 0, count, what);
  }

  #record(
    name: TraceEventName,
    at: number,
    ms: number,
    { connection, request }: Place,
    coroutine: number,
    parent: number,
    count: number,
    what: string,
  ): void {
    if (this.#loop._tracer === null) return; // it was switched off inside of a span
    const event: TraceEvent = {
      name,
      at,
      ms,
      turn: this.#turn,
      connection,
      request,
      coroutine,
      parent,
      count,
      what: what.length > MAX_WHAT ? what.slice(0, MAX_WHAT) : what,
    };
    if (this.#ring.length < this.#capacity) this.#ring.push(event);
    else {
      this.#ring[this.#next] = event;
      this.#next = (this.#next + 1) % this.#capacity;
    }
    if (this.#subscriptions.size > 0) this.#hand(event);
  }

  #hand(event: TraceEvent): void {
    let full = true;
    for (const subscription of this.#subscriptions) {
      const { events, limit, every } = subscription;
      if (events.length === limit) {
        subscription.cut = true;
        continue;
      }
      full = false;
      events.push(event);
      subscription.timer ??= this.#loop._callLater(every, () => this.#deliver(subscription));
    }
    if (full && !this.#started) this.#loop._tracer = null;
  }

  #deliver(subscription: Subscription): void {
    const { events, cut } = subscription;
    this.#delivering = this.#delivered = this.#loop._tracer !== null;
    subscription.timer = null;
    subscription.events = [];
    subscription.cut = false;
    this.#switch();
    subscription.listener({ events, cut });
  }

  #switch(): void {
    this.#loop._tracer = this.recording ? this : null;
  }
}
