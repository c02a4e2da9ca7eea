// One turn of the loop, in this order:
//
//   1. callbacks that were there when it began (the batch is swapped out first, so a
//      callback that adds itself runs next turn and cannot starve I/O),
//   2. timeouts that are due,
//   3. channels on which something completed,
//   4. streams that were written to are flushed, in a microtask behind the turn: by then
//      the coroutines which the turn woke have run, and their writes leave together.
//
// What wakes an idle loop is one gate: a promise whose reaction is the turn. It is made
// in the context of `start()`, so a turn never runs in the async context (see
// AsyncLocalStorage) of whoever happened to wake it. Completions that the runtime
// delivers together open the gate once: they are one turn.
//
// Turns that follow each other without a completion or a timer are a streak. Microtasks
// alone never let the runtime look at its sockets, so after MAX_STREAK turns or STREAK_MS
// the next turn waits for a macrotask (`setImmediate` costs about 1 us; `setTimeout(0)`
// some 2 ms). That serves the timers, but the runtime looks at its sockets only every 61st
// time that it goes round without resting. So while no completion comes, it is let go round
// that often every LOOK_MS. An endless chain of callbacks starves neither sockets nor timers.
import { ERROR, NONE, READ, WRITE } from "./channel.ts";
import type { Channel, ChannelLoop } from "./channel.ts";
import { Configurable } from "./configurable.ts";
import type { ConfigurableClass } from "./configurable.ts";
import { _isWork, _toFuture } from "./converter.ts";
import { CancelledError, describeError, TimeoutError } from "./errors.ts";
import type { Executor, JobFunction, JobResult, WorkerJob } from "./executor.ts";
import { WorkerExecutor } from "./executor_workers.ts";
import { Future } from "./future.ts";
import type { FutureListener } from "./future.ts";
import { appLog, genLog } from "./log.ts";
import { SlowCallbackWatch } from "./slow_callback.ts";
import type { SlowCallback } from "./slow_callback.ts";
import { SourceChannel } from "./source_channel.ts";
import type { Source } from "./source_channel.ts";
import { _carry, _raiseIn, _unwrapped, NullContext } from "./stack_context.ts";
import { Timeout, TimeoutHeap } from "./timeout_heap.ts";
import type { TraceEventName } from "./trace_event.ts";
import { Tracer } from "./tracer.ts";

const MAX_STREAK = 64; // some 25 us of empty turns
const STREAK_MS = 1;
const NO_ARGUMENTS: readonly unknown[] = [];
const LOOK_MS = 2; // 61 rounds take some 0.1 ms
const LOOK_ROUNDS = 61; // the event interval of tokio, below Deno
const MAX_TIMER_MS = 0x7fffffff; // what setTimeout takes; later deadlines are armed again

/** A callback of any shape; its arguments come from whoever adds it. */
// deno-lint-ignore no-explicit-any -- the arguments are checked where callback and args meet
export type LoopCallback = (...args: any[]) => unknown;

/** Options of {@linkcode IOLoop}. */
export interface IOLoopOptions {
  /**
   * Whether the new loop becomes the current one.
   *
   * @default {true}
   */
  makeCurrent?: boolean;
  /**
   * The clock, in ms. The default is monotonic and anchored at the epoch, so that
   * `Date.now() + 5000` is a deadline on its scale.
   */
  timeFunc?: () => number;
}

/** Options of {@linkcode IOLoop.run}. */
export interface RunOptions {
  /** Time for the function, in ms; without it there is no limit. */
  timeout?: number;
}

const State = { STOPPED: 0, RUNNING: 1, STOPPING: 2, CLOSED: 3 } as const;
type State = typeof State[keyof typeof State];

/**
 * Multiplexes connections, timers and callbacks in one thread.
 *
 * @example Call back in order, then stop
 * ```ts
 * import { IOLoop } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * const loop = new IOLoop();
 * const seen: string[] = [];
 * loop.callLater(5, () => {
 *   seen.push("timeout");
 *   loop.stop();
 * });
 * loop.addCallback((name) => seen.push(name), "callback");
 * await loop.start();
 * assertEquals(seen, ["callback", "timeout"]);
 * ```
 */
export class IOLoop extends Configurable implements ChannelLoop {
  /** No event. */
  static readonly NONE: number = NONE;
  /** Something can be taken from the source. */
  static readonly READ: number = READ;
  /** The source takes a write. */
  static readonly WRITE: number = WRITE;
  /** The source failed. */
  static readonly ERROR: number = ERROR;

  /** The same as {@linkcode IOLoop.NONE}. */
  readonly NONE: number = NONE;
  /** The same as {@linkcode IOLoop.READ}. */
  readonly READ: number = READ;
  /** The same as {@linkcode IOLoop.WRITE}. */
  readonly WRITE: number = WRITE;
  /** The same as {@linkcode IOLoop.ERROR}. */
  readonly ERROR: number = ERROR;

  static #current: IOLoop | null = null;
  static readonly #running = new Set<IOLoop>();

  readonly #timeFunc: () => number;
  #state: State = State.STOPPED;
  #stopRequested = false; // stop() before start()
  #started: PromiseWithResolvers<void> | null = null;
  #former: IOLoop | null = null; // who was current before start()

  #callbacks: (LoopCallback | readonly unknown[])[] = []; // callback, arguments, callback, ...
  #spare: (LoopCallback | readonly unknown[])[] = []; // the array that the last turn emptied
  readonly #timeouts = new TimeoutHeap();
  #ready: Channel<unknown>[] = [];
  #spareReady: Channel<unknown>[] = [];
  #flushes: Flushable[] = [];
  #spareFlushes: Flushable[] = [];
  readonly #sources = new Map<Source, SourceChannel>();
  readonly #signals = new Map<Deno.Signal, () => void>();
  #executor: Executor | null = null; // the default one, once it was used or set
  #slow: SlowCallbackWatch | null = null; // there while somebody asks for slow callbacks
  #trace: Tracer | null = null; // there once somebody asked for it

  /** The tracer, while it records: hot paths compare this one field. @ignore */
  _tracer: Tracer | null = null;

  #open: () => void = () => {}; // opens the gate
  #woken = false; // a turn is due or in progress
  #streak = 0; // turns since the last completion or timer
  #streakBegan = 0;
  #immediate: ReturnType<typeof setImmediate> | null = null; // the streak gives way
  #rounds = 0; // of the runtime until it has given way
  #gaveWay = false; // at the end of a streak, and no completion came since
  #looked = 0; // about when the runtime last looked at its sockets
  #timer: unknown = null;
  #timerDeadline = Infinity; // what the runtime timer is set for
  #turnTime = 0; // loop.time() when the turn began
  readonly #due: Timeout[] = [];

  /** Makes a loop, and makes it current unless told otherwise. */
  constructor(
    { makeCurrent = true, timeFunc = defaultTime }: IOLoopOptions = {},
  ) {
    super();
    this.#timeFunc = timeFunc;
    if (makeCurrent) this.makeCurrent();
  }

  /** Returns `IOLoop`: subclasses of it are its implementations. */
  static override configurableBase(): ConfigurableClass {
    return IOLoop;
  }

  /** Returns `IOLoop` itself. */
  static override configurableDefault(): ConfigurableClass {
    return IOLoop;
  }

  /** @ignore */
  static override _construct(options: IOLoopOptions): IOLoop {
    return new this(options);
  }

  /** Takes nothing more: the constructor took the options. */
  override initialize(_options: IOLoopOptions): void {}

  /** Returns the current loop and makes one if there is none; with `false` null instead. */
  static current(create?: true): IOLoop;
  /** Returns the current loop or null. */
  static current(create: boolean): IOLoop | null;
  static current(create = true): IOLoop | null {
    return IOLoop.#current ?? (create ? IOLoop.create() as IOLoop : null);
  }

  /** Is the same as {@linkcode IOLoop.current}. */
  static instance(): IOLoop {
    return IOLoop.current();
  }

  /** Tells whether there is a current loop, and makes none. */
  static initialized(): boolean {
    return IOLoop.#current !== null;
  }

  /** Makes another loop the current one, or none, and returns the former one. @ignore */
  static _enter(loop: IOLoop | null): IOLoop | null {
    const former = IOLoop.#current;
    IOLoop.#current = loop;
    return former;
  }

  /** Forgets the current loop; harmless when there is none. */
  static clearCurrent(): void {
    IOLoop.#current = null;
  }

  /** Is the same as {@linkcode IOLoop.clearCurrent}. */
  static clearInstance(): void {
    IOLoop.clearCurrent();
  }

  /** Makes this loop the current one, so that start-up code finds it before it runs. */
  makeCurrent(): void {
    IOLoop.#current = this;
  }

  /** Is the same as {@linkcode makeCurrent}. */
  install(): void {
    this.makeCurrent();
  }

  /** Whether it is between `start()` and the end of its last turn. */
  get running(): boolean {
    return this.#state === State.RUNNING || this.#state === State.STOPPING;
  }

  /** Returns the time in ms, as deadlines are measured. */
  time(): number {
    return this.#timeFunc();
  }

  /**
   * Runs until {@linkcode stop}. The promise settles when the last turn is over.
   *
   * @throws {Error} when the loop runs already or was closed.
   */
  start(): Promise<void> {
    if (this.running) {
      throw new Error("Cannot start the loop: it is running already");
    }
    if (this.#state === State.CLOSED) {
      throw new Error("Cannot start the loop: it was closed");
    }
    if (this.#stopRequested) {
      this.#stopRequested = false;
      return Promise.resolve();
    }
    this.#state = State.RUNNING;
    this.#former = IOLoop.#current;
    IOLoop.#running.add(this);
    IOLoop.#current = this;
    this.#started = Promise.withResolvers();
    this.#woken = false;
    NullContext.run(() => this.#arm());
    if (this.#timeouts.size > 0) this.#armTimer(this.time());
    this.#wake();
    return this.#started.promise;
  }

  /**
   * Stops the loop when the turn in progress is over; what is registered stays for the
   * next `start()`. On a loop that is not running, the next `start()` returns at once.
   */
  stop(): void {
    if (this.#state === State.RUNNING) {
      this.#state = State.STOPPING;
      this.#wake();
    } else if (this.#state === State.STOPPED) this.#stopRequested = true;
  }

  /**
   * Starts the loop, runs `fn` and what it returns (a Future, a promise, a generator), stops
   * the loop and returns the result.
   *
   * @throws {TimeoutError} when it took longer than `timeout` ms; it is cancelled first.
   * @throws {BadYieldError} when `fn` returned neither `undefined` nor what can be waited for.
   * @throws {Error} when somebody else stopped the loop before the end.
   */
  async run<T>(
    fn: () => PromiseLike<T> | Iterator<unknown, T, unknown> | undefined | void,
    { timeout }: RunOptions = {},
  ): Promise<T> {
    if (this.running) {
      throw new Error("Cannot run(): the loop is running already");
    }
    let future: Future<unknown> | undefined;
    let timedOut = false;
    let over = false; // what is left of this run must not run in the next one, nor stop it
    let handle: Timeout | undefined;
    this.addCallback(() => {
      if (over) return;
      try {
        const work = fn();
        future = work === undefined ? Future.resolved(undefined) : _toFuture(work);
      } catch (error) {
        future = Future.failed(error);
      }
      future._listen({
        _settled: () => {
          if (!over && this.running) this.stop();
        },
      });
    });
    if (timeout !== undefined) {
      handle = this.callLater(timeout, () => {
        if (future === undefined || future.done()) return;
        timedOut = true;
        // What cannot be cancelled (a shield) is not waited for.
        if (!future.cancel("run() timed out")) this.stop();
      });
    }
    await this.start();
    over = true;
    if (handle !== undefined) this.removeTimeout(handle);
    if (timedOut) {
      throw new TimeoutError(
        `Cannot end run(): it took longer than ${timeout} ms`,
      );
    }
    if (future === undefined || !future.done()) {
      throw new Error(
        "Cannot end run(): the loop was stopped before its Future completed",
      );
    }
    return future.result() as T;
  }

  /**
   * Frees what the loop holds: timers, signal handlers, registrations, the default executor.
   * `allSources` also closes every registered connection and listener. A second call does
   * nothing.
   *
   * @throws {Error} while the loop runs.
   */
  close({ allSources = false }: { allSources?: boolean } = {}): void {
    if (this.running) throw new Error("Cannot close the loop: it is running");
    if (this.#state === State.CLOSED) return;
    this.#state = State.CLOSED;
    this.#callbacks = [];
    this.#timeouts.clear();
    for (const signal of [...this.#signals.keys()]) {
      this.removeSignalHandler(signal);
    }
    for (const source of [...this.#sources.keys()]) {
      this.removeHandler(source);
      if (allSources) closeQuietly(source);
    }
    this.#executor?.shutdown();
    if (IOLoop.#current === this) IOLoop.clearCurrent();
  }

  /**
   * Calls `callback(...args)` in the next turn, in the stack contexts of the caller. Callbacks
   * run in order of adding. Safe from any async context; ignored once the loop is closed.
   */
  addCallback<A extends unknown[]>(
    callback: (...args: A) => unknown,
    ...args: A
  ): void {
    if (this.#state === State.CLOSED) return;
    this.#slow?.noteAdded(callback);
    this.#callbacks.push(_carry(callback), args);
    this.#wake();
  }

  /** Calls `callback(...args)` in the next turn, outside of all stack contexts. */
  addCallbackFromSignal<A extends unknown[]>(
    callback: (...args: A) => unknown,
    ...args: A
  ): void {
    NullContext.run(() => this.addCallback(callback, ...args));
  }

  /**
   * Calls `callback(...args)` in the next turn, outside of all stack contexts; its failure is
   * logged, nobody waits for it.
   */
  spawnCallback<A extends unknown[]>(
    callback: (...args: A) => unknown,
    ...args: A
  ): void {
    NullContext.run(() => this.addCallback(callback, ...args));
  }

  /**
   * Runs a job on `executor` and returns the Future of its result. With null that is the
   * default executor: until another one is set, a {@linkcode WorkerExecutor} with a worker for
   * each logical processor, made on first use.
   *
   * @throws what `submit` of the executor throws.
   * @throws {Error} when the default executor is asked for and the loop was closed.
   */
  runInExecutor<F extends JobFunction>(
    executor: Executor | null,
    job: F | WorkerJob<F>,
    ...args: Parameters<F>
  ): Future<JobResult<F>> {
    return (executor ?? this.#defaultExecutor()).submit(job, ...args);
  }

  /**
   * Sets the executor that {@linkcode runInExecutor} uses for null. It is the loop's from now
   * on: {@linkcode close} shuts it down, and so does the call that sets another one.
   */
  setDefaultExecutor(executor: Executor): void {
    if (executor !== this.#executor) this.#executor?.shutdown();
    this.#executor = executor;
  }

  /** Calls `callback(future)` in a later turn, once `future` is done. */
  addFuture<T>(
    future: Future<T> | PromiseLike<T>,
    callback: (future: Future<T>) => unknown,
  ): void {
    const followed = Future.from(future) as Future<T>;
    this.#slow?.noteAdded(callback);
    const carried = _carry(callback);
    followed._listen({ _settled: () => this.addCallback(carried, followed) });
  }

  /**
   * Calls `callback(...args)` at `deadline`, on the scale of {@linkcode time}; a deadline
   * in the past means the next turn. Use {@linkcode callLater} for relative times.
   *
   * @throws {TypeError} when `deadline` is neither a number nor a Date.
   */
  addTimeout<A extends unknown[]>(
    deadline: number | Date,
    callback: (...args: A) => unknown,
    ...args: A
  ): Timeout {
    const when = deadline instanceof Date ? deadline.getTime() : deadline;
    this.#slow?.noteAdded(callback);
    return this.#schedule(when, _carry(callback as LoopCallback), args);
  }

  #schedule(when: number, callback: LoopCallback, args: readonly unknown[]): Timeout {
    if (typeof when !== "number" || Number.isNaN(when)) {
      throw new TypeError(
        `Cannot add a timeout: expected a number or Date, got ${Deno.inspect(when)}`,
      );
    }
    const timeout = new Timeout(when, callback, args);
    if (this.#state === State.CLOSED) return timeout;
    this.#timeouts.push(timeout);
    if (when < this.#timerDeadline && this.running) this.#armTimer(this.time());
    return timeout;
  }

  /** Calls `callback(...args)` at `when`, in ms on the scale of {@linkcode time}. */
  callAt<A extends unknown[]>(
    when: number,
    callback: (...args: A) => unknown,
    ...args: A
  ): Timeout {
    return this.addTimeout(when, callback, ...args);
  }

  /** Calls `callback(...args)` after `delay` ms. */
  callLater<A extends unknown[]>(
    delay: number,
    callback: (...args: A) => unknown,
    ...args: A
  ): Timeout {
    return this.addTimeout(this.time() + delay, callback, ...args);
  }

  /** Removes a timeout; harmless after it ran, and twice. */
  removeTimeout(timeout: Timeout): void {
    this.#timeouts.delete(timeout);
  }

  /**
   * Registers a connection or listener. `handler(source, events)` is called in each turn in
   * which one of the wanted events holds: READ while something that arrived is not taken
   * through the channel, WRITE while no write is in flight.
   *
   * @throws {Error} when the source is registered already.
   */
  addHandler<S extends Source>(
    source: S,
    handler: (source: S, events: number) => unknown,
    events: number,
  ): SourceChannel<S> {
    if (this.#sources.has(source)) {
      throw new Error("Cannot add a handler: the source is registered already");
    }
    this.#slow?.noteAdded(handler);
    const carried = _carry(handler as LoopCallback);
    const channel = new SourceChannel<S>(
      this,
      source,
      (ready) => this.#call(carried, [source, ready], "callback.ended"),
    );
    this.#sources.set(source, channel as unknown as SourceChannel);
    channel.want(events);
    return channel;
  }

  /**
   * Changes which events of a registered source are wanted.
   *
   * @throws {Error} when the source is not registered.
   */
  updateHandler(source: Source, events: number): void {
    const channel = this.#sources.get(source);
    if (channel === undefined) {
      throw new Error("Cannot update a handler: the source is not registered");
    }
    channel.want(events);
  }

  /** Forgets a source; does nothing when it is not registered. The source stays open. */
  removeHandler(source: Source): void {
    this.#sources.get(source)?.close();
    this.#sources.delete(source);
  }

  /**
   * Calls `callback` in the loop when the process gets `signal`, instead of the signal's
   * default action. A second call for the same signal replaces the first.
   */
  addSignalHandler(signal: Deno.Signal, callback: () => unknown): void {
    this.removeSignalHandler(signal);
    const listener = () => this.addCallbackFromSignal(callback);
    Deno.addSignalListener(signal, listener);
    this.#signals.set(signal, listener);
  }

  /** Gives `signal` its default action back. */
  removeSignalHandler(signal: Deno.Signal): void {
    const listener = this.#signals.get(signal);
    if (listener === undefined) return;
    Deno.removeSignalListener(signal, listener);
    this.#signals.delete(signal);
  }

  /**
   * Is called with what a callback threw or its Future failed with; override it to handle
   * errors elsewhere. Logs "Exception in callback" with the stack; a cancelled one is none.
   */
  handleCallbackException(callback: unknown, error: unknown): void {
    if (error instanceof CancelledError) return;
    const name = typeof callback === "function" && callback.name ||
      "(anonymous)";
    appLog.error("Exception in callback {name}: {error}", {
      name,
      error: describeError(error),
    });
  }

  /**
   * Calls `action` when a callback or a step of a coroutine held the loop for `ms` or longer;
   * null turns it off, as it is at first. Nothing can interrupt JavaScript: `action` is called
   * when the callback has returned.
   *
   * @throws {RangeError} when `ms` is not a number from 0.
   */
  setBlockingSignalThreshold(
    ms: number | null,
    action: (slow: SlowCallback) => unknown = this.logStack,
  ): void {
    this.#slow = ms === null ? null : new SlowCallbackWatch(ms, action);
  }

  /** The record of what this loop does, which is empty until it is started. */
  get trace(): Tracer {
    return this.#trace ??= new Tracer(this);
  }

  /** Who records what this loop does: {@linkcode trace} while that is on, otherwise null. */
  get tracer(): Tracer | null {
    return this._tracer;
  }

  /** Logs each callback that held the loop for `ms` or longer; null turns it off. */
  setBlockingLogThreshold(ms: number | null): void {
    this.setBlockingSignalThreshold(ms, this.logStack);
  }

  /** Logs a slow callback as a warning: for how long it held the loop, its name, its place. */
  logStack({ ms, callback, source }: SlowCallback): void {
    genLog.warn("Loop was blocked for {ms} ms by {name}, added {source}", {
      ms: Math.round(ms),
      name: callback.name || "(anonymous)",
      source: source ?? "before the threshold was set",
    });
  }

  /** Calls the library's own `callback` in the next turn, outside of all contexts. @ignore */
  _addCallback(callback: () => void): void {
    if (this.#state === State.CLOSED) return;
    this.#callbacks.push(callback, NO_ARGUMENTS);
    this.#wake();
  }

  /** Calls the library's own `callback` after `delay` ms, outside of all contexts. @ignore */
  _callLater(delay: number, callback: () => void): Timeout {
    return this.#schedule(this.time() + delay, callback, NO_ARGUMENTS);
  }

  /** Who looks at slow callbacks, if somebody does. @ignore */
  get _slow(): SlowCallbackWatch | null {
    return this.#slow;
  }

  /** The time at which this turn began; only to be used inside of it. @ignore */
  get _turnTime(): number {
    return this.#turnTime;
  }

  /** Flushes `stream` in the microtask behind this turn. @ignore */
  _flushSoon(stream: Flushable): void {
    if (this.#flushes.push(stream) === 1) queueMicrotask(this.#flush);
  }

  /** Puts a channel on the ready list. @ignore */
  _enqueue(channel: Channel<unknown>, completed: boolean): void {
    this.#ready.push(channel);
    if (completed) {
      this.#streak = 0;
      this.#gaveWay = false;
    }
    if (completed && this.#immediate !== null) this.#resume();
    else this.#wake();
  }

  /** Starts the one runtime timer; a loop with a clock of its own replaces it. */
  protected setTimer(delay: number, fire: () => void): unknown {
    return setTimeout(fire, delay);
  }

  /** Stops what {@linkcode setTimer} started. */
  protected clearTimer(timer: unknown): void {
    clearTimeout(timer as number);
  }

  #defaultExecutor(): Executor {
    if (this.#state === State.CLOSED) {
      throw new Error("Cannot use the default executor: the loop was closed");
    }
    return this.#executor ??= new WorkerExecutor();
  }

  #arm(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open = resolve;
    promise.then(this.#turn);
  }

  #wake(): void {
    if (this.#woken || !this.running) return;
    this.#woken = true;
    if (this.#streak < MAX_STREAK) this.#open();
    else this.#giveWay();
  }

  #giveWay(): void {
    const now = performance.now();
    const look = this.#gaveWay && now - this.#looked >= LOOK_MS;
    if (look || !this.#gaveWay) this.#looked = now;
    this.#gaveWay = true;
    this.#rounds = look ? LOOK_ROUNDS : 1;
    this.#immediate = setImmediate(this.#round);
  }

  readonly #round = (): void => {
    this.#timeFunc(); // so a clock that is moved by hand sees that the loop is at work
    if (--this.#rounds > 0) this.#immediate = setImmediate(this.#round);
    else this.#resume();
  };

  readonly #resume = (): void => {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#immediate = null;
    this.#streak = 0;
    this.#open();
  };

  readonly #turn = (): void => {
    const tracer = this._tracer;
    if (tracer !== null) tracer._turnBegan();
    const former = IOLoop.#current;
    IOLoop.#current = this;
    const now = this.#turnTime = this.#timeFunc();
    if (this.#streak++ === 0) this.#streakBegan = now;
    else if (now - this.#streakBegan >= STREAK_MS) this.#streak = MAX_STREAK;
    if (this.#callbacks.length > 0) this.#runCallbacks();
    if (this.#timeouts.size > 0) this.#runTimeouts(now);
    if (this.#ready.length > 0) this.#runChannels();
    IOLoop.#current = former;
    if (tracer !== null) tracer._turnEnded();
    this.#arm();
    this.#woken = false;
    if (this.#state === State.STOPPING) this.#finish();
    else if (this.#callbacks.length > 0 || this.#ready.length > 0) this.#wake();
  };

  #runCallbacks(): void {
    const batch = this.#callbacks;
    this.#callbacks = this.#spare;
    for (let i = 0; i < batch.length; i += 2) {
      this.#call(batch[i] as LoopCallback, batch[i + 1] as readonly unknown[], "callback.ended");
    }
    batch.length = 0;
    this.#spare = batch;
  }

  #runTimeouts(now: number): void {
    const due = this.#due;
    this.#timeouts.takeDue(now, due);
    for (let i = 0; i < due.length; i++) {
      const timeout = due[i]!;
      if (timeout._claim()) this.#call(timeout._callback, timeout._args, "timeout.ended");
    }
    due.length = 0;
    this.#armTimer(now);
  }

  #runChannels(): void {
    const batch = this.#ready;
    this.#ready = this.#spareReady;
    for (let i = 0; i < batch.length; i++) {
      const tracer = this._tracer;
      if (tracer !== null) tracer._began();
      try {
        batch[i]!._dispatch();
      } catch (error) {
        this._report(batch[i], error);
      }
      if (tracer !== null) tracer._called("event.ended", null);
    }
    batch.length = 0;
    this.#spareReady = batch;
  }

  readonly #flush = (): void => {
    const batch = this.#flushes;
    this.#flushes = this.#spareFlushes;
    const tracer = this._tracer;
    if (tracer !== null) tracer._began();
    for (let i = 0; i < batch.length; i++) batch[i]!._flush();
    if (tracer !== null) tracer._flushed(batch);
    batch.length = 0;
    this.#spareFlushes = batch;
  };

  #call(callback: LoopCallback, args: readonly unknown[], kind: TraceEventName): void {
    const slow = this.#slow;
    const tracer = this._tracer;
    const began = slow === null ? 0 : performance.now();
    if (tracer !== null) tracer._began();
    try {
      const result = callback(...args);
      if (result !== undefined && _isWork(result)) {
        this.#follow(callback, result);
      }
    } catch (error) {
      this._report(_unwrapped(callback), error);
    }
    if (tracer !== null) tracer._called(kind, _unwrapped(callback));
    if (slow !== null) this._look(slow, _unwrapped(callback), began);
  }

  /** Looks whether a callback, or a step of a coroutine, was slow. @ignore */
  _look(slow: SlowCallbackWatch, callback: LoopCallback, began: number): void {
    try {
      slow.look(callback, began);
    } catch (error) {
      this._report(slow.action, error);
    }
  }

  /** Gives an error to `handleCallbackException`, which may be overridden and throw. @ignore */
  _report(callback: unknown, error: unknown): void {
    try {
      this.handleCallbackException(callback, error);
    } catch (failure) {
      IOLoop.prototype.handleCallbackException(this.handleCallbackException, failure);
    }
  }

  #follow(callback: LoopCallback, result: unknown): void {
    const future = _toFuture(result);
    const listener: FutureListener = {
      _settled: () => {
        if (!future._fulfilled) this.#failedLater(callback, future._value);
      },
    };
    future._listen(listener);
  }

  #failedLater(callback: LoopCallback, error: unknown): void {
    try {
      _raiseIn(callback, error);
    } catch (left) {
      this._report(_unwrapped(callback), left);
    }
  }

  // The timer stays set when its timeout is removed: waking for nothing once is cheaper
  // than setting it anew each time.
  #armTimer(now: number): void {
    // It ought to have fired: a turn came first, or the clock jumped and it never will.
    if (this.#timerDeadline <= now) this.#dropTimer();
    const next = this.#timeouts.peek();
    if (next === undefined || next.deadline >= this.#timerDeadline) return;
    if (this.#timer !== null) this.clearTimer(this.#timer);
    this.#timerDeadline = next.deadline;
    const delay = Math.min(
      Math.max(0, Math.ceil(next.deadline - now)),
      MAX_TIMER_MS,
    );
    this.#timer = this.setTimer(delay, this.#timerFired);
  }

  #dropTimer(): void {
    if (this.#timer !== null) this.clearTimer(this.#timer);
    this.#timer = null;
    this.#timerDeadline = Infinity;
  }

  readonly #timerFired = (): void => {
    this.#timer = null;
    this.#timerDeadline = Infinity;
    this.#streak = 0;
    if (this.#immediate !== null) this.#resume();
    else this.#wake();
  };

  #finish(): void {
    this.#state = State.STOPPED;
    this.#dropTimer();
    this.#streak = 0;
    IOLoop.#running.delete(this);
    this.#restoreCurrent();
    const started = this.#started!;
    this.#started = null;
    started.resolve();
  }

  // Loops that run side by side may end in any order: whoever started later takes over who was
  // current before this one, and a loop that was closed meanwhile is nobody's.
  #restoreCurrent(): void {
    let former = this.#former;
    this.#former = null;
    if (former !== null && former.#state === State.CLOSED) former = null;
    for (const loop of IOLoop.#running) if (loop.#former === this) loop.#former = former;
    const current = IOLoop.#current;
    if (current === null || current === this || !current.running) IOLoop.#current = former;
  }
}

/** Is flushed once, behind the turn in which it was written to. */
export interface Flushable {
  /** Hands what was written to the transport; it must not throw. */
  _flush(): void;
}

function defaultTime(): number {
  return performance.timeOrigin + performance.now();
}

function closeQuietly(source: Source): void {
  try {
    source.close();
  } catch {
    // It was closed already, which is what was asked for.
  }
}
