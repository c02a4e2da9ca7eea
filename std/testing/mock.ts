/**
 * Functions that record how they were called.
 *
 * @module
 */
import { assertEquals, AssertionError, assertIsError } from "@std/assert";

// The defaults of the real declarations, which callers rely on: any object, any
// arguments, any result.
// deno-lint-ignore no-explicit-any
type Any = any;

/** Tells that a function cannot be spied on, or that a spy cannot be restored. */
export class MockError extends Error {
  /** Makes an error that says with `message` what was wrong. */
  constructor(message: string) {
    super(message);
    this.name = "MockError";
  }
}

/** What a spy remembers of one call. */
export interface SpyCall<
  Self = Any,
  Args extends unknown[] = Any[],
  Return = Any,
> {
  /** The arguments. */
  args: Args;
  /** The result; absent when the call threw. */
  returned?: Return;
  /** What the call threw; absent when it returned. */
  error?: Error;
  /** The object that the method was called on. */
  self?: Self;
}

/** A function that records its calls. */
export interface Spy<
  Self = Any,
  Args extends unknown[] = Any[],
  Return = Any,
> {
  (this: Self, ...args: Args): Return;
  /** The function that is spied on. */
  original: (this: Self, ...args: Args) => Return;
  /** The calls that ended, in order. */
  calls: SpyCall<Self, Args, Return>[];
  /** Whether the original method is back in its place. */
  restored: boolean;
  /** Puts the original method back. */
  restore(): void;
}

/** A method that records its calls until it is restored or disposed of. */
export interface MethodSpy<
  Self = Any,
  Args extends unknown[] = Any[],
  Return = Any,
> extends Spy<Self, Args, Return>, Disposable {}

/** A method that records its calls and runs something else than the original. */
export interface Stub<
  Self = Any,
  Args extends unknown[] = Any[],
  Return = Any,
> extends MethodSpy<Self, Args, Return> {
  /** The function that runs instead. */
  fake: (this: Self, ...args: Args) => Return;
}

/** The parameters of a method. */
export type GetParametersFromProp<Self, Prop extends keyof Self> = Self[Prop] extends
  (...args: infer Args) => unknown ? Args : unknown[];

/** The result of a method. */
export type GetReturnFromProp<Self, Prop extends keyof Self> = Self[Prop] extends
  (...args: Any[]) => infer Return ? Return : unknown;

type Func = (this: Any, ...args: Any[]) => Any;

/** Makes a function that does nothing but record its calls. */
export function spy<
  Self = Any,
  Args extends unknown[] = Any[],
  Return = undefined,
>(): Spy<Self, Args, Return>;
/** Wraps `func` in one that records its calls. */
export function spy<Self, Args extends unknown[], Return>(
  func: (this: Self, ...args: Args) => Return,
): Spy<Self, Args, Return>;
/** Replaces a method of `self` with one that records its calls, then runs it. */
export function spy<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
): MethodSpy<
  Self,
  GetParametersFromProp<Self, Prop>,
  GetReturnFromProp<Self, Prop>
>;
export function spy(target?: Func | object, property?: PropertyKey): Spy {
  if (property !== undefined) {
    const original = methodOf(target as object, property);
    if (original === undefined) {
      throw new MockError("Cannot spy: property is not an instance method");
    }
    return replace(target as object, property, original);
  }
  const original = (target ?? (() => {})) as Func;
  return recorder(original, {
    original: { enumerable: true, value: original },
    restored: { enumerable: true, value: false },
    restore: {
      enumerable: true,
      value() {
        throw new MockError("Cannot restore: the function is not a method");
      },
    },
  });
}

/** Replaces a method of `self` with one that records its calls and does nothing. */
export function stub<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
): Stub<Self, GetParametersFromProp<Self, Prop>, GetReturnFromProp<Self, Prop>>;
/** Replaces a method of `self` with one that records its calls and runs `func`. */
export function stub<Self, Prop extends keyof Self>(
  self: Self,
  property: Prop,
  func: (
    this: Self,
    ...args: GetParametersFromProp<Self, Prop>
  ) => GetReturnFromProp<Self, Prop>,
): Stub<Self, GetParametersFromProp<Self, Prop>, GetReturnFromProp<Self, Prop>>;
export function stub(
  self: object,
  property: PropertyKey,
  func: Func = () => {},
): Stub {
  methodOf(self, property);
  const result = replace(self, property, func);
  Object.defineProperty(result, "fake", { enumerable: true, value: func });
  return result as Stub;
}

/** Gives the method there, or `undefined` where there is nothing. */
function methodOf(self: object, property: PropertyKey): Func | undefined {
  const method = Reflect.get(self, property);
  if (method !== undefined && typeof method !== "function") {
    throw new MockError("Cannot spy: property is not an instance method");
  }
  if (isSpy(method)) {
    throw new MockError("Cannot spy: already spying on instance method");
  }
  return method;
}

function isSpy(value: unknown): boolean {
  return typeof value === "function" && "original" in value &&
    "restore" in value && "calls" in value && Array.isArray(value.calls);
}

/** Puts a recorder of `run` where the method is, until it is restored. */
function replace(self: object, property: PropertyKey, run: Func): MethodSpy {
  const descriptor = Object.getOwnPropertyDescriptor(self, property);
  if (descriptor && !descriptor.configurable) {
    throw new MockError("Cannot spy: the instance method is not configurable");
  }
  let restored = false;
  function restore(): void {
    if (restored) {
      throw new MockError("Cannot restore: instance method already restored");
    }
    if (descriptor) Object.defineProperty(self, property, descriptor);
    else Reflect.deleteProperty(self, property);
    restored = true;
  }
  const result = recorder(run, {
    original: { enumerable: true, value: Reflect.get(self, property) },
    restored: { enumerable: true, get: () => restored },
    restore: { enumerable: true, value: restore },
    [Symbol.dispose]: { value: restore },
  }) as MethodSpy;
  Object.defineProperty(self, property, {
    configurable: true,
    enumerable: descriptor?.enumerable ?? false,
    writable: descriptor?.writable ?? false,
    value: result,
  });
  return result;
}

/** Makes a function that runs `run` and keeps what went in and what came out. */
function recorder(run: Func, properties: PropertyDescriptorMap): Spy {
  const calls: SpyCall[] = [];
  function record(this: unknown, ...args: unknown[]): unknown {
    const call: SpyCall = { args };
    if (this) call.self = this;
    try {
      call.returned = run.apply(this, args);
    } catch (error) {
      call.error = error as Error;
      throw error;
    } finally {
      calls.push(call);
    }
    return call.returned;
  }
  return Object.defineProperties(record, {
    ...properties,
    calls: { enumerable: true, value: calls },
  }) as unknown as Spy;
}

/** Throws unless `spy` was called exactly `expectedCalls` times. */
export function assertSpyCalls<Self, Args extends unknown[], Return>(
  spy: Spy<Self, Args, Return>,
  expectedCalls: number,
): void {
  assertEquals(
    spy.calls.length,
    expectedCalls,
    spy.calls.length < expectedCalls
      ? "spy not called as much as expected"
      : "spy called more than expected",
  );
}

/** What {@linkcode assertSpyCall} compares; what is absent is not compared. */
export interface ExpectedSpyCall<
  Self = Any,
  Args extends unknown[] = Any[],
  Return = Any,
> {
  /** The arguments. */
  args?: [...Args, ...unknown[]];
  /** The object that the method was called on. */
  self?: Self;
  /** The result. */
  returned?: Return;
  /** What the call threw. */
  error?: {
    /** Its class. */
    Class?: new (...args: Any[]) => Error;
    /** A part of its message. */
    msgIncludes?: string;
  };
}

/** Throws unless call number `callIndex` of `spy` was as `expected` says. */
export function assertSpyCall<Self, Args extends unknown[], Return>(
  spy: Spy<Self, Args, Return>,
  callIndex: number,
  expected: ExpectedSpyCall<Self, Args, Return> = {},
): void {
  const call: SpyCall | undefined = spy.calls[callIndex];
  if (!call) throw new AssertionError("spy not called as much as expected");
  if (expected.args) {
    assertEquals<unknown>(
      call.args,
      expected.args,
      "spy not called with expected args",
    );
  }
  if ("self" in expected) {
    assertEquals<unknown>(
      call.self,
      expected.self,
      expected.self
        ? "spy not called as method on expected self"
        : "spy not expected to be called as method on object",
    );
  }
  if ("returned" in expected && "error" in expected) {
    throw new TypeError(
      "do not expect error and return, only one should be expected",
    );
  }
  if ("returned" in expected) {
    if (call.error) {
      throw new AssertionError(
        "spy call did not return expected value, an error was thrown.",
      );
    }
    assertEquals<unknown>(
      call.returned,
      expected.returned,
      "spy call did not return expected value",
    );
  }
  if ("error" in expected) {
    if ("returned" in call) {
      throw new AssertionError(
        "spy call did not throw an error, a value was returned.",
      );
    }
    assertIsError(
      call.error,
      expected.error?.Class,
      expected.error?.msgIncludes,
    );
  }
}
