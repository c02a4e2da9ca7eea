// The local packages under std/ must behave as the real ones do, so these tests
// hold for both: whoever can reach JSR removes "links" from deno.json and runs them.
import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
  unreachable,
} from "@std/assert";
import { STATUS_CODE, STATUS_TEXT } from "@std/http/status";
import { assertSpyCall, assertSpyCalls, MockError, spy, stub } from "@std/testing/mock";
import { FakeTime, TimeError } from "@std/testing/time";
import { assertType, type IsExact } from "@std/testing/types";

class Point {
  constructor(readonly x: number) {}
}

class OtherPoint {
  constructor(readonly x: number) {}
}

const cycle = (): Record<string, unknown> => {
  const object: Record<string, unknown> = { name: "cycle" };
  object["self"] = object;
  return object;
};

Deno.test("assertEquals() takes what is equal in structure", () => {
  const pairs: [unknown, unknown][] = [
    [1, 1],
    [0, -0],
    [NaN, NaN],
    [[1, [2]], [1, [2]]],
    [{ a: 1, b: { c: [] } }, { b: { c: [] }, a: 1 }],
    [Object.create(null), {}],
    [new Date(5), new Date(5)],
    [/a/g, /a/g],
    [new URL("http://a/b"), new URL("http://a/b")],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [Uint8Array.of(1, 2).buffer, Uint8Array.of(1, 2).buffer],
    [new Set([1, "b"]), new Set(["b", 1])],
    [new Set([{ a: 1 }]), new Set([{ a: 1 }])],
    [new Map([[1, { a: 1 }]]), new Map([[1, { a: 1 }]])],
    [new Map([[{ k: 1 }, 1]]), new Map([[{ k: 1 }, 1]])],
    [new Point(1), new Point(1)],
    [cycle(), cycle()],
    [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 1 }],
  ];
  for (const [a, b] of pairs) assertEquals(a, b);
});

Deno.test("assertNotEquals() takes what differs in value, keys or class", () => {
  const pairs: [unknown, unknown][] = [
    [1, "1"],
    [null, undefined],
    [{ a: undefined }, {}],
    [{ a: undefined }, { b: undefined }],
    [[1, 2], [2, 1]],
    [[1], { 0: 1 }],
    [new Date(5), new Date(6)],
    [/a/g, /a/i],
    [Uint8Array.of(1), Uint8Array.of(2)],
    [Uint8Array.of(1), Int8Array.of(1)],
    [new Set([1]), new Set([2])],
    [new Set([{ a: 1 }]), new Set([{ a: 2 }])],
    [new Map([[1, 1]]), new Map([[1, 2]])],
    [new Point(1), new Point(2)],
    [new Point(1), new OtherPoint(1)],
    [new Point(1), { x: 1 }],
    [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 2 }],
  ];
  for (const [a, b] of pairs) assertNotEquals(a, b);
});

Deno.test("assertEquals() says what differs", () => {
  const error = assertThrows(
    () => assertEquals({ a: 1 }, { a: 2 }, "why"),
    AssertionError,
    "Values are not equal: why",
  );
  assertMatch(error.message, /-.*a: 1/);
  assertMatch(error.message, /\+.*a: 2/);
});

Deno.test("assertStrictEquals() tells objects and zeros apart", () => {
  assertStrictEquals(NaN, NaN);
  assertThrows(() => assertStrictEquals({}, {}), AssertionError);
  assertThrows(() => assertStrictEquals(0, -0), AssertionError);
});

Deno.test("assertThrows() gives the error and checks class and message", () => {
  const error = new TypeError("what is wrong");
  const fn = () => {
    throw error;
  };
  assertStrictEquals(assertThrows(fn), error);
  assertStrictEquals(assertThrows(fn, TypeError, "is wrong"), error);
  assertThrows(() => assertThrows(fn, RangeError), AssertionError);
  assertThrows(() => assertThrows(fn, TypeError, "other"), AssertionError);
  assertThrows(() => assertThrows(() => {}), AssertionError, "to throw");
  const text = () => {
    throw "text";
  };
  assertEquals(assertThrows(text), "text");
  assertThrows(() => assertThrows(text, Error), AssertionError, "non-Error");
});

Deno.test("assertRejects() wants a promise that rejects", async () => {
  const error = new TypeError("what is wrong");
  const fn = () => Promise.reject(error);
  assertStrictEquals(await assertRejects(fn), error);
  assertStrictEquals(await assertRejects(fn, TypeError, "is wrong"), error);
  await assertRejects(
    () => assertRejects(() => Promise.resolve()),
    AssertionError,
    "to reject",
  );
  await assertRejects(
    () =>
      assertRejects(() => {
        throw error;
      }),
    AssertionError,
    "Function throws when expected to reject",
  );
});

Deno.test("assertStringIncludes(), assertMatch(), assertArrayIncludes() look for a part", () => {
  assertStringIncludes("abc", "b");
  assertThrows(() => assertStringIncludes("abc", "d"), AssertionError);
  assertMatch("abc", /^a/);
  assertThrows(() => assertMatch("abc", /^b/), AssertionError);
  assertArrayIncludes([{ a: 1 }, { b: 2 }], [{ b: 2 }]);
  assertThrows(() => assertArrayIncludes([1], [2]), AssertionError);
});

Deno.test("assertObjectMatch() compares what is expected and nothing else", () => {
  const actual = {
    a: 1,
    deep: { list: [{ b: 2, c: 3 }], map: new Map([["k", { d: 4, e: 5 }]]) },
  };
  assertObjectMatch(actual, { deep: { list: [{ b: 2 }] } });
  assertObjectMatch(actual, { deep: { map: new Map([["k", { d: 4 }]]) } });
  assertObjectMatch(cycle(), { name: "cycle" });
  assertThrows(() => assertObjectMatch(actual, { a: 2 }), AssertionError);
  assertThrows(() => assertObjectMatch(actual, { z: 1 }), AssertionError);
  assertThrows(
    () => assertObjectMatch(actual, { deep: { list: [{ b: 3 }] } }),
    AssertionError,
  );
});

Deno.test("the other assertions take what they should and throw else", () => {
  assert(1);
  assertExists(0);
  assertInstanceOf(new Point(1), Point);
  assertGreater(2, 1);
  assertGreaterOrEqual(1, 1);
  assertLess(1, 2);
  assertLessOrEqual(1, 1);
  assertAlmostEquals(0.1 + 0.2, 0.3);
  const failing = [
    () => assert(0, "why"),
    () => assertExists(null),
    () => assertInstanceOf(new Point(1), OtherPoint),
    () => assertGreater(1, 1),
    () => assertGreaterOrEqual(1, 2),
    () => assertLess(1, 1),
    () => assertLessOrEqual(2, 1),
    () => assertAlmostEquals(1, 1.1),
    () => fail("why"),
    () => unreachable(),
  ];
  for (const fn of failing) assertThrows(fn, AssertionError);
});

Deno.test("spy() records arguments, results, errors and the object", () => {
  const half = spy((value: number) => {
    if (value % 2) throw new RangeError("odd");
    return value / 2;
  });
  assertEquals(half(4), 2);
  assertThrows(() => half(3), RangeError);
  assertSpyCalls(half, 2);
  assertSpyCall(half, 0, { args: [4], returned: 2 });
  assertSpyCall(half, 1, { error: { Class: RangeError, msgIncludes: "odd" } });
  assertThrows(() => assertSpyCalls(half, 1), AssertionError);
  assertThrows(() => assertSpyCall(half, 2), AssertionError);
  assertThrows(() => assertSpyCall(half, 0, { args: [5] }), AssertionError);
  assertThrows(() => half.restore(), MockError);
});

Deno.test("stub() stands for a method until it is disposed of", () => {
  const object = { name: (): string => "real" };
  const original = object.name;
  {
    using name = stub(object, "name", () => "fake");
    assertEquals(object.name(), "fake");
    assertSpyCall(name, 0, { self: object, returned: "fake" });
    assertThrows(() => stub(object, "name"), MockError);
  }
  assertStrictEquals(object.name, original);
  const name = spy(object, "name");
  assertEquals(object.name(), "real");
  name.restore();
  assert(name.restored);
  assertThrows(() => name.restore(), MockError);
});

Deno.test("FakeTime runs timers in the order of their time", () => {
  using time = new FakeTime(1000);
  const seen: string[] = [];
  setTimeout(() => seen.push(`late ${Date.now()}`), 20);
  setTimeout((name: string) => seen.push(`${name} ${Date.now()}`), 10, "early");
  setTimeout(() => setTimeout(() => seen.push("nested"), 0), 10);
  const cleared = setTimeout(() => seen.push("cleared"), 15);
  clearTimeout(cleared);
  time.tick(9);
  assertEquals(seen, []);
  time.tick(1);
  assertEquals(seen, ["early 1010", "nested"]);
  time.tick(10);
  assertEquals(seen, ["early 1010", "nested", "late 1020"]);
  assertEquals(new Date().getTime(), 1020);
  assert(new Date() instanceof Date);
});

Deno.test("FakeTime repeats intervals and stops where a callback throws", () => {
  using time = new FakeTime(0);
  const tick = spy();
  const interval = setInterval(tick, 10);
  time.tick(35);
  assertSpyCalls(tick, 3);
  clearInterval(interval);
  time.tick(100);
  assertSpyCalls(tick, 3);
  setTimeout(() => {
    throw new Error("in a timer");
  }, 5);
  assertThrows(() => time.tick(50), Error, "in a timer");
  assertEquals(time.now, 140);
});

Deno.test("FakeTime.next() goes to the next timer, runMicrotasks() lets promises run", async () => {
  const time = new FakeTime(0);
  try {
    const slept = spy();
    new Promise((resolve) => setTimeout(resolve, 50)).then(slept);
    assert(time.next());
    assert(!time.next());
    assertEquals(time.now, 50);
    await time.runMicrotasks();
    assertSpyCalls(slept, 1);
  } finally {
    time.restore();
  }
  assertThrows(() => time.restore(), TimeError);
  assert(Date.now() > 1e12);
});

Deno.test("IsExact is true for the same type only", () => {
  assertType<IsExact<{ a: string }, { a: string }>>(true);
  assertType<IsExact<[number, string], [number, string]>>(true);
  assertType<IsExact<never, never>>(true);
  // deno-lint-ignore no-explicit-any -- to be told from the others
  assertType<IsExact<any, string>>(false);
  // deno-lint-ignore no-explicit-any -- to be told from the others
  assertType<IsExact<{ a: any }, { a: unknown }>>(false);
  assertType<IsExact<string | number, string>>(false);
  assertType<IsExact<{ a?: string }, { a: string }>>(false);
});

Deno.test("STATUS_TEXT has the words of each code", () => {
  assertEquals(STATUS_TEXT[STATUS_CODE.NotFound], "Not Found");
  assertEquals(STATUS_TEXT[STATUS_CODE.OK], "OK");
  assertEquals(STATUS_TEXT[STATUS_CODE.IMUsed], "IM Used");
  assertEquals(STATUS_TEXT[STATUS_CODE.URITooLong], "URI Too Long");
  assertEquals(
    STATUS_TEXT[STATUS_CODE.HTTPVersionNotSupported],
    "HTTP Version Not Supported",
  );
  assertEquals(STATUS_TEXT[STATUS_CODE.Teapot], "I'm a teapot");
});
