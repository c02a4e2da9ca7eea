import { IOLoop } from "../ioloop/mod.ts";
import { getAsyncTestTimeout } from "./async_test_timeout.ts";
import { _checkResult, _isGenTest } from "./gen_test.ts";
import { TestRun } from "./_test_run.ts";

/** Options of {@linkcode AsyncTestCase.wait}. */
export interface WaitForStopOptions {
  /** Is asked whenever {@linkcode AsyncTestCase.stop} is called; while it says no, it waits on. */
  condition?: () => boolean;
  /** The ms to wait; by default {@linkcode getAsyncTestTimeout}. */
  timeout?: number;
}

interface Waiter {
  readonly condition: (() => boolean) | undefined;
  readonly settled: PromiseWithResolvers<unknown>;
}

type TestMethod = (this: AsyncTestCase) => unknown;

/**
 * Is a class of tests that have a loop each: its methods whose names begin with `test`. They may
 * be generators, async or plain functions; {@linkcode genTest} gives one its own time.
 * {@linkcode AsyncTestCase.register} makes a `Deno.test` of each.
 *
 * A test runs so: a new instance, its `setUp`, the method, `tearDown`, all of them on the loop of
 * {@linkcode ioLoop}. Then coroutines that are left are cancelled, and the loop is closed with
 * all connections and listeners that are registered there. The first error fails the test, also
 * one in a callback of the loop; further ones are logged.
 *
 * @example
 * ```ts
 * import { AsyncTestCase } from "@waterspout/waterspout/testing";
 * import { sleep } from "@waterspout/waterspout/gen";
 * import { assert, assertEquals } from "@std/assert";
 *
 * class SleepTest extends AsyncTestCase {
 *   *testSleep() {
 *     const began = this.ioLoop.time();
 *     yield* sleep(5);
 *     assert(this.ioLoop.time() - began >= 5);
 *   }
 *
 *   async testCallback() {
 *     this.ioLoop.callLater(5, this.stop, "done");
 *     assertEquals(await this.wait(), "done");
 *   }
 * }
 *
 * // SleepTest.register() makes a Deno.test of each method, which does this:
 * await new SleepTest().run("testSleep");
 * ```
 */
export class AsyncTestCase {
  /** The loop of the test. */
  ioLoop!: IOLoop;

  #stopped: { readonly value: unknown } | null = null; // stop() was called, nobody waited
  #waiter: Waiter | null = null;

  /** Makes a `Deno.test` of each test method; `options` are for all of them. */
  static register(
    this: (new () => AsyncTestCase) & { readonly name: string },
    options: Omit<Deno.TestDefinition, "name" | "fn"> = {},
  ): void {
    for (const name of testMethods(this)) {
      Deno.test({ ...options, name: `${this.name}.${name}`, fn: () => new this().run(name) });
    }
  }

  /** Makes the loop of the test. */
  getNewIoloop(): IOLoop {
    return new IOLoop();
  }

  /** Is called before the test; an override calls that of its base class first. */
  setUp(): unknown {
    return undefined;
  }

  /**
   * Is called after the test, also if that failed, but not if {@linkcode setUp} did; an override
   * calls that of its base class last.
   */
  tearDown(): unknown {
    return undefined;
  }

  /**
   * Runs one test, as {@linkcode register} lets `Deno.test` do. May be called once.
   *
   * @throws the first error of the test.
   */
  async run(name: string): Promise<void> {
    const method = (this as unknown as Record<string, TestMethod | undefined>)[name];
    if (method === undefined) throw new TypeError(`Cannot run ${name}: there is no such method`);
    this.ioLoop = this.getNewIoloop();
    const run = new TestRun(this.ioLoop, this);
    run.failed.catch((error) => this.#waiter?.settled.reject(error));
    const limit = getAsyncTestTimeout();
    try {
      await run.call(() => this.setUp(), limit);
      try {
        if (_isGenTest(method)) await method.call(this);
        else _checkResult(await run.call(() => method.call(this), limit));
      } catch (error) {
        run.fail(error);
      }
      await run.call(() => this.tearDown(), limit, true);
    } catch (error) {
      run.fail(error);
    }
    await run.call(() => this._release(), limit, true).catch((error) => run.fail(error));
    await run.end();
  }

  /**
   * Lets {@linkcode wait} return `value`, or the next one if nobody waits. It is bound: it may be
   * given as a callback.
   */
  readonly stop = (value?: unknown): void => {
    const waiter = this.#waiter;
    this.#stopped = { value };
    if (waiter === null || !(waiter.condition?.() ?? true)) return;
    this.#stopped = null;
    this.#waiter = null;
    waiter.settled.resolve(value);
  };

  /**
   * Waits until {@linkcode stop} was called, and returns what that was given.
   *
   * @throws {AssertionError} of `node:assert`, when it takes too long.
   */
  async wait<T = unknown>({ condition, timeout }: WaitForStopOptions = {}): Promise<T> {
    if (this.#waiter !== null) throw new Error("Cannot wait: somebody does already");
    if (this.#stopped !== null && (condition?.() ?? true)) {
      const { value } = this.#stopped;
      this.#stopped = null;
      return value as T;
    }
    const ms = timeout ?? getAsyncTestTimeout();
    const settled = Promise.withResolvers<unknown>();
    this.#waiter = { condition, settled };
    const timer = this.ioLoop.callLater(ms, async () => {
      // Programs import this folder too, by the root, and do not need that.
      const { AssertionError } = await import("node:assert");
      settled.reject(
        new AssertionError({ message: `Cannot end wait(): stop() was not called within ${ms} ms` }),
      );
    });
    try {
      return await settled.promise as T;
    } finally {
      this.#waiter = null;
      this.ioLoop.removeTimeout(timer);
    }
  }

  /** Frees what the classes of this kit hold, whatever overrides do. @ignore */
  _release(): unknown {
    return undefined;
  }
}

function testMethods(type: new () => AsyncTestCase): string[] {
  const names: string[] = [];
  for (
    let prototype = type.prototype as object;
    prototype !== AsyncTestCase.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    const own = Object.getOwnPropertyNames(prototype).filter((name) =>
      name.startsWith("test") && typeof (prototype as Record<string, unknown>)[name] === "function"
    );
    names.unshift(...own);
  }
  return [...new Set(names)];
}
