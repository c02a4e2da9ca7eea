import { type AnyFunction, IOLoop } from "../ioloop/mod.ts";
import { _testTimeout } from "./async_test_timeout.ts";
import { TestRun } from "./_test_run.ts";

/** Options of {@linkcode genTest}. */
export interface GenTestOptions {
  /**
   * The ms that the test may take; `ASYNC_TEST_TIMEOUT` of the environment counts if it says
   * more.
   *
   * @default {5000}
   */
  timeout?: number;
}

/** Is a decorator of a test method; see {@linkcode genTest}. */
export type GenTestDecorator = <F extends AnyFunction>(
  fn: F,
  context: ClassMethodDecoratorContext,
) => F;

const timed = new WeakSet<AnyFunction>();

/**
 * Makes a test of a generator function, an async or a plain one: on a loop that runs meanwhile,
 * that of the {@linkcode AsyncTestCase} if it is a method of one, else a new one. The arguments
 * are passed on.
 *
 * An error in a callback of the loop fails the test. When its time is over, `TimeoutError` is
 * thrown at the yield of a generator: the message says what it waited for, the stack, with
 * `yield*`, where. Coroutines that are left at the end are cancelled, and a new loop is closed
 * with all that is registered there.
 *
 * It is also a decorator, as `@genTest` or `@genTest({ timeout: 10_000 })`.
 *
 * @example
 * ```ts
 * import { genTest } from "@waterspout/waterspout/testing";
 * import { sleep } from "@waterspout/waterspout/gen";
 *
 * const test = genTest(function* () {
 *   yield* sleep(1);
 * });
 * await test(); // or Deno.test("sleep() is done after a while", test)
 * ```
 */
export function genTest<This, A extends unknown[]>(
  fn: (this: This, ...args: A) => unknown,
  options?: GenTestOptions,
): (this: This, ...args: A) => Promise<void>;
/** Decorates a method. */
export function genTest<F extends AnyFunction>(fn: F, context: ClassMethodDecoratorContext): F;
/** Makes a decorator. */
export function genTest(options: GenTestOptions): GenTestDecorator;
export function genTest(
  first: AnyFunction | GenTestOptions,
  second: GenTestOptions | ClassMethodDecoratorContext = {},
): unknown {
  if (typeof first !== "function") {
    return (fn: AnyFunction, _context: ClassMethodDecoratorContext) => wrapTest(fn, first);
  }
  return wrapTest(first, "kind" in second ? {} : second);
}

/** Tells whether {@linkcode genTest} made that function. @ignore */
export function _isGenTest(fn: AnyFunction): boolean {
  return timed.has(fn);
}

function wrapTest(fn: AnyFunction, { timeout }: GenTestOptions): AnyFunction {
  const test = async function (this: unknown, ...args: unknown[]): Promise<void> {
    const body = () => fn.apply(this, args);
    const ms = _testTimeout(timeout);
    const own = TestRun.of(this);
    if (own !== undefined) _checkResult(await own.call(body, ms));
    else await _runAlone(new IOLoop(), async (run) => _checkResult(await run.call(body, ms)));
  };
  Object.defineProperty(test, "name", { value: fn.name });
  timed.add(test);
  return test;
}

/** Runs a whole test on a loop of its own. @ignore */
export async function _runAlone<T>(
  loop: IOLoop,
  body: (run: TestRun) => Promise<T>,
): Promise<T> {
  const run = new TestRun(loop);
  let result: T;
  try {
    result = await body(run);
  } catch (error) {
    run.fail(error);
    await run.end();
    throw error; // it was cancelled, which is no failure of the loop
  }
  await run.end();
  return result;
}

/**
 * Makes sure that a test returned nothing: what it returns nobody looks at, such as a generator
 * that was never run.
 *
 * @ignore
 */
export function _checkResult(result: unknown): void {
  if (result === undefined) return;
  throw new Error(
    `Cannot use what the test returned: expected nothing, got ${Deno.inspect(result)}`,
  );
}
